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
