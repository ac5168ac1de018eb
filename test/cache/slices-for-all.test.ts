/** Slices are for all: what the origin gives to one viewer alone is none. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/client.ts'
import { filmBytes, openFilmOrigin } from '../support/film.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'

const NEXT = { range: 'bytes=3000000-3000009' }

for (const directive of ['private', 'no-store']) {
  test(`a slice that came with ${directive} goes to the one who asked, though its validator fits`, async (t) => {
    const origin = await openFilmOrigin(t)
    const relais = await openTestRelais(t, { origins: [origin.url] })
    await get(`${relais.url}/film.mp4`, { headers: { range: 'bytes=0-9' } })
    origin.film.fields = { 'cache-control': directive }
    for (const _ of [1, 2]) {
      const before = origin.count()
      const answer = await get(`${relais.url}/film.mp4`, { headers: NEXT })
      assert.ok(answer.body.equals(filmBytes(3_000_000, 3_000_009)))
      assert.equal(answer.headers['cache-control'], directive)
      assert.ok(origin.count() > before)
    }
    assert.equal((await settled(relais)).memory.entries, 0)
  })
}

for (const [name, fields, isSent] of [
  ['authorization', { 'cache-control': 'max-age=60' }, false],
  ['authorization', { 'cache-control': 'public, max-age=60' }, true],
  ['cookie', {}, false],
  ['cookie', { 'cache-control': 'max-age=60' }, true],
] as const) {
  const said = JSON.stringify(fields)
  test(`a slice of a film of ${said} is asked for ${isSent ? 'with' : 'without'} the viewer's ${name}`, async (t) => {
    const origin = await openFilmOrigin(t, { fields: { ...fields } })
    const relais = await openTestRelais(t, { origins: [origin.url] })
    await get(`${relais.url}/film.mp4`, { headers: { range: 'bytes=0-9' } })
    const answer = await get(`${relais.url}/film.mp4`, { headers: { ...NEXT, [name]: 'secret=1' } })
    assert.ok(answer.body.equals(filmBytes(3_000_000, 3_000_009)))
    await settled(relais)
    const hit = await get(`${relais.url}/film.mp4`, { headers: NEXT })
    assert.match(String(hit.headers['cache-status']), /; hit;/)
    assert.deepEqual(
      origin.asked.map(({ headers }) => headers[name]),
      [undefined, isSent ? 'secret=1' : undefined],
    )
  })
}
