/** Fetching ahead goes by names, and names are what viewers and origins make of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Renditions } from '../../src/cache/prefetch/renditions.ts'
import { Streams } from '../../src/cache/streams.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { idle, isHit, ON } from './support/ahead.ts'

test('segments of one rendition differ in the last number before the ending', () => {
  const renditions = new Renditions(new Streams())
  const names = ['/a/v1/s10.m4s', '/a/v1/s9.m4s?t=4', '/a/v2/s9.m4s', '/a/12-3.mp4', '/a/1.2.3']
  assert.deepEqual(
    names.map((name) => renditions.nameOf(name)),
    ['/a/v1/s#.m4s', '/a/v1/s#.m4s', '/a/v2/s#.m4s', '/a/12-#.mp4', '/a/1.#.3'],
  )
})

test('a path of a hundred thousand digits takes no longer to read than its length', () => {
  const renditions = new Renditions(new Streams())
  const before = process.cpuUsage()
  const path = `/${'1'.repeat(100_000)}/s.ts`
  assert.equal(renditions.nameOf(path), path)
  const { user } = process.cpuUsage(before)
  // Looked at from each of its digits it would take half a minute.
  assert.ok(user < 5_000_000, `${user} µs`)
})

test('what a live playlist lists counts as used, though nothing tells that it is media', async (t) => {
  let last = 2
  const origin = await openOrigin(t, (request, response) => {
    if (request.url !== '/live.m3u8')
      return reply(response, 'sealed', {
        'content-type': 'application/octet-stream',
        'cache-control': 'max-age=60',
      })
    const listed = [last - 1, last].map((number) => `#EXTINF:4,\nblob-${number}\n`)
    const head = `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:${last - 1}\n`
    return reply(response, head + listed.join(''), { 'cache-control': 'max-age=1' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  for (; last < 5; last++) {
    await get(`${relais.url}/live.m3u8`)
    await idle(relais)
    relais.clock.advance(4_000)
  }
  for (const number of [3, 4]) assert.ok(isHit(await get(`${relais.url}/blob-${number}`)), `${number}`)
  assert.deepEqual((await relais.stats()).prefetch, { sent: 2, used: 2, wasted: 0, refused: 0 })
})
