/** How long things are kept when the origin does not say, by what they are and what the manifests have told. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { get } from '../support/client.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

const LIVE =
  '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:4,\na.ts\n#EXTINF:4,\nb.ts\n#EXTINF:4,\nc.ts\n'
const VOD = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n'
const MPD = `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" minimumUpdatePeriod="PT4S"
  availabilityStartTime="2026-01-01T00:00:00Z" timeShiftBufferDepth="PT20S"><Period id="1"/></MPD>`
const MINUTE = 60_000
const HOUR = 60 * MINUTE

const BODIES: Readonly<Record<string, string>> = {
  '/live/live.m3u8': LIVE,
  '/vod/vod.m3u8': VOD,
  '/live/manifest.mpd': MPD,
}

/** An origin that is silent of lifetimes. */
async function open(t: TestContext): Promise<{ origin: TestOrigin; relais: TestRelais }> {
  const origin = await openOrigin(t, (request, response) => {
    const { url = '' } = request
    if (url.includes('missing')) reply(response, 'not yet', {}, 404)
    else reply(response, BODIES[url] ?? 'bytes')
  })
  return { origin, relais: await openTestRelais(t, { origins: [origin.url] }) }
}

async function isHit(relais: TestRelais, path: string): Promise<boolean> {
  const { headers } = await get(relais.url + path)
  return /^test; hit; ttl=\d/.test(String(headers['cache-status']))
}

for (const [what, path, before, freshMs] of [
  ['a live playlist, for half its target duration', '/live/live.m3u8', [], 2_000],
  ['a live MPD, for half its update period', '/live/manifest.mpd', [], 2_000],
  ['a VOD playlist, for an hour', '/vod/vod.m3u8', [], HOUR],
  [
    'a segment of a live window, for the window and its own length, or six target durations',
    '/live/b.ts',
    ['/live/live.m3u8'],
    24_000,
  ],
  ['a segment of a recording, for a month', '/vod/a.ts', ['/vod/vod.m3u8'], 30 * 24 * HOUR],
  ['a segment of an unknown stream, for an hour', '/other/a.ts', [], HOUR],
  ['a missing segment of a live stream, for a second', '/live/missing.ts', ['/live/live.m3u8'], 1_000],
  ['a missing segment of an unknown stream, for a second', '/other/missing.ts', [], 1_000],
  ['a missing segment of a recording, for ten seconds', '/vod/missing.ts', ['/vod/vod.m3u8'], 10_000],
] as const) {
  test(`what is kept of a silent origin: ${what}`, async (t) => {
    const { origin, relais } = await open(t)
    for (const manifest of before) await get(relais.url + manifest)
    await get(relais.url + path)
    relais.clock.advance(freshMs - 1)
    assert.ok(await isHit(relais, path))
    assert.equal(origin.count(path), 1)
    relais.clock.advance(1)
    assert.equal(await isHit(relais, path), false)
    assert.equal(origin.count(path), 2)
  })
}

for (const [what, path] of [
  ['keys', '/live/stream.key'],
  ['licences', '/drm/license'],
  ['steering manifests', '/live/steering.dcsm'],
  ['what is no part of a stream', '/time.json'],
] as const) {
  test(`${what} of a silent origin are never kept`, async (t) => {
    const { origin, relais } = await open(t)
    await get(relais.url + path)
    relais.clock.advance(MINUTE)
    await get(relais.url + path)
    assert.equal(origin.count(path), 2)
    assert.equal((await relais.stats()).memory.entries, 0)
  })
}

test('a key of a silent origin is not even kept to be validated', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'key', { etag: '"1"' }))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/stream.key`)
  await get(`${relais.url}/stream.key`)
  assert.equal(origin.count(), 2)
  assert.equal(origin.asked[1]?.headers['if-none-match'], undefined)
  assert.equal((await relais.stats()).memory.entries, 0)
})

test('a key is kept for as long as the origin says', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'key', { 'cache-control': 'max-age=60' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/stream.key`)
  assert.ok(await isHit(relais, '/stream.key'))
})

test('what the origin says wins over what the thing is', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, LIVE, { 'cache-control': 'max-age=30' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/live/live.m3u8`)
  relais.clock.advance(29_999)
  assert.ok(await isHit(relais, '/live/live.m3u8'))
  relais.clock.advance(1)
  assert.equal(await isHit(relais, '/live/live.m3u8'), false)
})

test('50 viewers at the live edge of a segment that is not there yet cost one request', async (t) => {
  const { origin, relais } = await open(t)
  await get(`${relais.url}/live/live.m3u8`)
  const answers = await Promise.all(Array.from({ length: 50 }, () => get(`${relais.url}/live/missing.ts`)))
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [404])
  assert.equal(origin.count('/live/missing.ts'), 1)
})

test('what manifests tell of streams is in the statistics', async (t) => {
  const { relais } = await open(t)
  for (const path of ['/live/live.m3u8', '/vod/vod.m3u8', '/live/manifest.mpd']) await get(relais.url + path)
  relais.clock.advance(5_000)
  const { streams } = await relais.stats()
  assert.deepEqual(
    streams.map(({ manifest, protocol, live, readSecondsAgo }) => [manifest, protocol, live, readSecondsAgo]),
    [
      ['/live/manifest.mpd', 'dash', true, 5],
      ['/vod/vod.m3u8', 'hls', false, 5],
      ['/live/live.m3u8', 'hls', true, 5],
    ],
  )
})
