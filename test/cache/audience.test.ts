/** /stats tells of each stream who watches it and what became of what they asked for. */
import assert from 'node:assert/strict'
import { Agent, request as httpRequest } from 'node:http'
import { type TestContext, test } from 'node:test'
import type { StreamStats } from '../../src/ops/stream-stats.ts'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

const MULTIVARIANT = `#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=1000000
low/main.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=3000000
high/main.m3u8
`
const LIVE = `#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:7
#EXTINF:4,
seg7.ts
#EXTINF:4,
seg8.ts
`
const MPD = `<MPD type="static" mediaPresentationDuration="PT8S"><Period><AdaptationSet>
<SegmentTemplate media="$RepresentationID$-$Number$.m4s" initialization="$RepresentationID$-init.mp4" duration="4"/>
<Representation id="v1" bandwidth="1"/><Representation id="v2" bandwidth="2"/></AdaptationSet></Period></MPD>`

const FILES: Readonly<Record<string, string>> = {
  '/show/index.m3u8': MULTIVARIANT,
  '/show/low/main.m3u8': LIVE,
  '/show/high/main.m3u8': LIVE,
  '/film/film.mpd': MPD,
}

async function openShow(t: TestContext): Promise<TestRelais> {
  const origin = await openOrigin(t, (request, response) => {
    const path = request.url?.split('?')[0] ?? ''
    if (path.includes('private')) reply(response, 'secret', { 'cache-control': 'private' })
    else reply(response, FILES[path] ?? '0123456789', { 'cache-control': 'max-age=3600' })
  })
  return openTestRelais(t, { origins: [origin.url] })
}

async function stream(relais: TestRelais, manifest: string): Promise<StreamStats> {
  const found = (await relais.stats()).streams.find((one) => one.manifest === manifest)
  return found ?? assert.fail(`${manifest} is no stream`)
}

/** A player with one connection that it keeps. */
function player(t: TestContext, relais: TestRelais): { ask(path: string): Promise<void>; leave(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  return {
    ask: (path) =>
      new Promise((resolve, reject) => {
        const asked = httpRequest(relais.url + path, { agent }, (response) => {
          response.resume().on('end', () => setImmediate(resolve))
        })
        asked.on('error', reject).end()
      }),
    leave: () => agent.destroy(),
  }
}

test('what is asked of a rendition is counted for it and for the playlist that lists it', async (t) => {
  const relais = await openShow(t)
  for (const path of [
    'index.m3u8',
    'low/main.m3u8',
    'low/seg7.ts',
    'low/seg7.ts',
    'high/main.m3u8',
    'high/seg8.ts',
  ])
    assert.equal((await get(`${relais.url}/show/${path}`)).status, 200)
  const low = await stream(relais, '/show/low/main.m3u8')
  // The playlist was asked for before it was known: as it came it was its own.
  assert.deepEqual(low.requests, { total: 3, hit: 1, stale: 0, miss: 2, collapsed: 0, pass: 0, error: 0 })
  assert.equal(low.hitRatio, 0.3333)
  assert.equal(low.bytesToViewers, LIVE.length + 20)
  assert.equal(low.forwarded['uri-miss'], 2)
  assert.equal(low.lastSequence, 8)
  const all = await stream(relais, '/show/index.m3u8')
  assert.deepEqual(all.requests, { total: 6, hit: 1, stale: 0, miss: 5, collapsed: 0, pass: 0, error: 0 })
  assert.equal(all.bytesToViewers, MULTIVARIANT.length + 2 * LIVE.length + 30)
})

test('what may not be stored, parts and errors are counted too, and what lies elsewhere is not', async (t) => {
  const relais = await openShow(t)
  await get(`${relais.url}/show/low/main.m3u8`)
  await get(`${relais.url}/show/low/private.ts`)
  await get(`${relais.url}/show/low/seg7.ts`)
  assert.equal((await get(`${relais.url}/show/low/seg7.ts`, { headers: { range: 'bytes=0-3' } })).status, 206)
  await get(`${relais.url}/show/low/seg9.ts`, { headers: { 'cache-control': 'only-if-cached' } })
  await get(`${relais.url}/elsewhere/seg7.ts`)
  await until(async () => (await stream(relais, '/show/low/main.m3u8')).requests.total === 5, 'all five')
  const { requests, forwarded, bytesToViewers } = await stream(relais, '/show/low/main.m3u8')
  assert.deepEqual(requests, { total: 5, hit: 1, stale: 0, miss: 2, collapsed: 0, pass: 1, error: 1 })
  const went = Object.values(forwarded).reduce((sum, count) => sum + count)
  assert.equal(went, requests.miss + requests.collapsed + requests.pass)
  assert.ok(bytesToViewers > LIVE.length + 6 + 10 + 4, 'the error has a body too')
})

test('viewers are those who asked within three segments and are still connected', async (t) => {
  const relais = await openShow(t)
  const [one, two, three] = [player(t, relais), player(t, relais), player(t, relais)]
  await one.ask('/show/index.m3u8')
  await one.ask('/show/low/main.m3u8')
  await two.ask('/show/high/main.m3u8')
  for (const path of ['low/seg7.ts', 'low/seg8.ts', 'low/seg7.ts']) await one.ask(`/show/${path}`)
  await two.ask('/show/high/seg7.ts')
  await three.ask('/show/high/seg7.ts')
  const watched = async (): Promise<readonly number[]> => {
    const all = await stream(relais, '/show/index.m3u8')
    const low = await stream(relais, '/show/low/main.m3u8')
    const high = await stream(relais, '/show/high/main.m3u8')
    return [all.viewers, all.renditionsWatched, low.viewers, high.viewers]
  }
  assert.deepEqual(await watched(), [3, 2, 1, 2])
  three.leave()
  await until(async () => (await stream(relais, '/show/high/main.m3u8')).viewers === 1, 'the third has left')
  assert.deepEqual(await watched(), [2, 2, 1, 1])
  relais.clock.advance(10_000)
  await two.ask('/show/high/seg8.ts')
  relais.clock.advance(4_000)
  // One request of the multivariant playlist counts for longer: its pace is not known.
  assert.deepEqual(await watched(), [2, 1, 0, 1])
  relais.clock.advance(60_000)
  assert.deepEqual(await watched(), [0, 0, 0, 0])
})

test('the renditions of an MPD are told apart by the addresses of its templates', async (t) => {
  const relais = await openShow(t)
  const viewer = player(t, relais)
  await viewer.ask('/film/film.mpd')
  assert.equal((await stream(relais, '/film/film.mpd')).renditionsWatched, 0)
  await viewer.ask('/film/v1-1.m4s')
  assert.equal((await stream(relais, '/film/film.mpd')).renditionsWatched, 1)
  await viewer.ask('/film/v2-init.mp4?CMCD')
  await viewer.ask('/film/v2-1.m4s?token=1')
  const film = await stream(relais, '/film/film.mpd')
  assert.deepEqual([film.renditionsWatched, film.viewers, film.requests.total], [2, 1, 4])
})

test('a live stream is behind by what has passed since its origin was due to say more', async (t) => {
  const relais = await openShow(t)
  await get(`${relais.url}/show/low/main.m3u8`)
  await get(`${relais.url}/film/film.mpd`)
  assert.equal((await stream(relais, '/show/low/main.m3u8')).behindSeconds, 0)
  relais.clock.advance(9_500)
  assert.equal((await stream(relais, '/show/low/main.m3u8')).behindSeconds, 5.5)
  assert.equal((await stream(relais, '/film/film.mpd')).behindSeconds, null)
})

test('a live stream is not behind an origin that says that nothing has changed', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    const isKnown = request.headers['if-none-match'] === '"a"'
    const playlist = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n'
    return reply(
      response,
      isKnown ? '' : playlist,
      { etag: '"a"', 'cache-control': 'max-age=1' },
      isKnown ? 304 : 200,
    )
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (let turn = 0; turn < 4; turn++) {
    await get(`${relais.url}/live.m3u8`)
    relais.clock.advance(5_000)
  }
  const { behindSeconds, readSecondsAgo } = await stream(relais, '/live.m3u8')
  assert.deepEqual([origin.count(), behindSeconds, readSecondsAgo], [4, 1, 20])
})
