/** A blocking reload that the stored playlist answers: what it costs the origin. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/client.ts'
import { type Handler, openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { isHit, ON } from './support/ahead.ts'
import { HLS_TYPE, playlistWithParts } from './support/parts-playlist.ts'

test('a playlist that is reloaded part by part is renewed by that alone, and any other before it is stale', async (t) => {
  const headers = { ...HLS_TYPE, 'cache-control': 'max-age=4' }
  const origin = await openOrigin(t, (_request, response) => reply(response, playlistWithParts(1), headers))
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  const requests = async (): Promise<number> => (await relais.stats()).origin.requests
  for (const name of ['p', 'q']) await get(`${relais.url}/${name}.m3u8`)
  relais.clock.advance(3_500)
  for (const target of ['/p.m3u8?_HLS_msn=13&_HLS_part=0', '/p.m3u8']) {
    assert.ok(isHit(await get(relais.url + target)), target)
    assert.equal(await requests(), 2, target)
  }
  assert.ok(isHit(await get(`${relais.url}/q.m3u8`)))
  assert.equal(await requests(), 3, 'nobody reloads this one')
})

const PLAYLIST = '/p.m3u8'
const PART = `${PLAYLIST}?_HLS_msn=13&_HLS_part=0`

/** Has so many parts, and wants to be asked each time. */
function unkept(parts: number, cacheControl: string): Handler {
  const headers = { ...HLS_TYPE, 'cache-control': cacheControl, etag: `"${parts}"` }
  return (request, response) => {
    if (request.headers['if-none-match'] === `"${parts}"`) response.writeHead(304, headers).end()
    else reply(response, playlistWithParts(parts), headers)
  }
}

for (const cacheControl of ['no-cache', 'max-age=0, must-revalidate', 'max-age=0']) {
  test(`with ${cacheControl} who comes for a part within its time has what came for it, and later what is confirmed`, async (t) => {
    const origin = await openOrigin(t, unkept(0, cacheControl))
    const relais = await openTestRelais(t, { origins: [origin.url] })
    const reload = async (): Promise<string> => (await get(relais.url + PART)).body.toString()
    await get(relais.url + PLAYLIST)
    relais.clock.advance(500)
    origin.answer(unkept(1, cacheControl))
    for (let viewer = 0; viewer < 5; viewer++) {
      assert.equal(await reload(), playlistWithParts(1))
      relais.clock.advance(99)
    }
    assert.equal(origin.count(), 2, 'one request a part')
    relais.clock.advance(5)
    for (let viewer = 0; viewer < 5; viewer++) assert.equal(await reload(), playlistWithParts(1))
    assert.equal(origin.count(), 3, 'confirmed once, it is recent again')
    const { target, headers } = origin.asked[2] ?? {}
    assert.deepEqual([target, headers?.['if-none-match']], [PLAYLIST, '"1"'])
  })
}

test('what wants to be asked for each time is confirmed for who names no part', async (t) => {
  const origin = await openOrigin(t, unkept(1, 'no-cache'))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (let request = 1; request <= 3; request++) {
    await get(relais.url + PLAYLIST)
    assert.equal(origin.count(), request)
  }
})

test('a viewer whose word counts, and who wants it validated, has not what came for others', async (t) => {
  const origin = await openOrigin(t, unkept(1, 'no-cache'))
  const routes = [{ prefix: '/', origins: [origin.url], requestDirectives: 'honour' }]
  const relais = await openTestRelais(t, { file: { routes } })
  await get(relais.url + PLAYLIST)
  await get(relais.url + PART)
  assert.equal(origin.count(), 1)
  await get(relais.url + PART, { headers: { 'cache-control': 'no-cache' } })
  assert.equal(origin.count(), 2)
})
