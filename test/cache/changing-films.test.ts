/** Films that change, or are no films any more, while slices of them are stored and read. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/client.ts'
import { filmBytes, MIB, openFilmOrigin } from '../support/film.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const range = (first: number, last: number): { headers: Record<string, string> } => ({
  headers: { range: `bytes=${first}-${last}` },
})

test('viewers who come upon one change of a film one after the other do not make it a film that is filled whole', async (t) => {
  const origin = await openFilmOrigin(t, { size: 64 * MIB })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`, range(0, 2 * MIB - 1))
  const first = openViewer(`${relais.url}/film.mp4`, { paused: true })
  const second = openViewer(`${relais.url}/film.mp4`, {
    ...range(20 * MIB, 60 * MIB - 1),
    paused: true,
  })
  await Promise.all([first.head, second.head])
  Object.assign(origin.film, { etag: '"two"', take: 2 })
  first.resume()
  assert.equal((await first.answer).isWhole, false)
  assert.equal((await get(`${relais.url}/film.mp4`, range(0, 9))).headers['etag'], '"two"')
  second.resume()
  assert.equal((await second.answer).isWhole, false)
  await get(`${relais.url}/film.mp4`, { method: 'POST', body: 'x' })
  await settled(relais)
  const before = origin.bytesAsked
  const after = await get(`${relais.url}/film.mp4`, range(50_000_000, 50_000_009))
  assert.ok(after.body.equals(filmBytes(50_000_000, 50_000_009, 2)))
  assert.equal(origin.bytesAsked - before, 2 * MIB)
})

test('a film in whose place something without slices is stored takes its slices with it', async (t) => {
  for (const [size, ranges] of [
    [1000, true],
    [9 * MIB, false],
  ] as const) {
    const origin = await openFilmOrigin(t)
    const relais = await openTestRelais(t, { origins: [origin.url] })
    await get(`${relais.url}/film.mp4`)
    assert.equal((await settled(relais)).memory.entries, 5)
    relais.clock.advance(61_000)
    Object.assign(origin.film, { etag: '"two"', take: 2, size, ranges })
    const answer = await get(`${relais.url}/film.mp4`)
    assert.ok(answer.body.equals(filmBytes(0, size - 1, 2)))
    assert.equal((await settled(relais)).memory.entries, 1)
  }
})

test('the digest of a part is not shown as that of the whole', async (t) => {
  const digests = { 'content-digest': 'sha-256=:cGFydA==:', 'content-md5': 'cGFydA==' }
  const origin = await openFilmOrigin(t, { fields: { 'cache-control': 'max-age=60', ...digests } })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`, range(0, 9))
  const whole = await get(`${relais.url}/film.mp4`)
  assert.equal(whole.body.byteLength, 8 * MIB)
  assert.equal(whole.headers['content-digest'], undefined)
  assert.equal(whole.headers['content-md5'], undefined)
})
