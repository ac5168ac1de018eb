/** The play: hls.js, dash.js and Shaka in a real Chromium watch the demo origin itself, and what came through Relais. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Demo, startDemo } from '../../src/demo/demo-origin.ts'
import { DEMO_STREAMS } from '../../src/demo/streams.ts'
import { openBrowser } from '../support/browser.ts'
import { hasNginx, openNginx } from '../support/nginx.ts'
import { assertSmooth, assertSmoothAtTheEdge, openPlayer, playedUntil, watch } from '../support/player.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

const PLAYED_SECONDS = 20

/** Players live on the wall clock, so Relais does too. */
const WALL = { now: Date.now, advance: () => assert.fail('the wall clock cannot be moved') }

async function openDemo(t: TestContext): Promise<Demo> {
  const demo = await startDemo({ host: '127.0.0.1', port: 0, now: Date.now })
  t.after(() => demo.close())
  return demo
}

async function openDemoRelais(t: TestContext, routes: readonly object[] = []): Promise<TestRelais> {
  const demo = await openDemo(t)
  return openTestRelais(t, {
    clock: WALL,
    file: { routes: [{ prefix: '/', origins: [demo.url] }, ...routes] },
  })
}

const VOD = DEMO_STREAMS.filter(({ live }) => !live)
const LIVE = DEMO_STREAMS.filter(({ live, lowLatency }) => live && !lowLatency)
/** One of each kind, for a player that can do all. */
const FOR_SHAKA = ['vod-hls-fmp4', 'vod-dash', 'live-hls-fmp4', 'live-dash']

test('every VOD stream of the demo origin plays through Relais without a stall, the second time from the cache', async (t) => {
  const relais = await openDemoRelais(t)
  const browser = await openBrowser(t)
  await Promise.all(
    VOD.map(async ({ id }) => {
      const page = await openPlayer(browser, relais.url, id)
      assertSmooth(await playedUntil(page, `played.position >= ${PLAYED_SECONDS}`), id)
      await page.close()
    }),
  )
  const before = await relais.stats()
  const [{ id } = { id: '' }] = VOD
  const second = await openPlayer(browser, relais.url, id)
  assertSmooth(await playedUntil(second, `played.position >= ${PLAYED_SECONDS}`), id)
  const after = await relais.stats()
  // The page's own files say no-cache, and what is kept there is only validated; the media cost the origin nothing.
  assert.equal(after.bytes.fromOrigin - before.bytes.fromOrigin, 0)
  assert.ok(after.requests.hit > before.requests.hit)
})

test('every live stream of the demo origin plays through Relais without a stall', async (t) => {
  const relais = await openDemoRelais(t)
  const browser = await openBrowser(t)
  await Promise.all(
    LIVE.map(async ({ id }) => {
      const page = await openPlayer(browser, relais.url, id)
      const { position } = await playedUntil(page, 'played.position > 0')
      assertSmooth(await playedUntil(page, `played.position >= ${position + PLAYED_SECONDS}`), id)
    }),
  )
  const { requests, streams } = await relais.stats()
  assert.equal(requests.error, 0)
  assert.ok(streams.some(({ live }) => live === true))
})

test('VOD from nginx plays through Relais without a stall', {
  skip: !hasNginx() && 'nginx is not installed',
}, async (t) => {
  const nginx = await openNginx(t)
  const relais = await openDemoRelais(t, [{ prefix: '/vod/', origins: [`${nginx}/vod/`] }])
  const browser = await openBrowser(t)
  await Promise.all(
    ['vod-hls-ts', 'vod-dash'].map(async (id) => {
      const page = await openPlayer(browser, relais.url, id)
      assertSmooth(await playedUntil(page, `played.position >= ${PLAYED_SECONDS}`), id)
    }),
  )
  const { routes } = await relais.stats()
  const vod = routes.find(({ prefix }) => prefix === '/vod/')
  assert.ok(vod !== undefined && vod.requests.miss > 10, JSON.stringify(vod))
})

/**
 * The latency each stream asks for is 1.26 s (PART-HOLD-BACK) or what its MPD says; a machine that is busy adds to it.
 * More than this is a player that has fallen back to playing without low latency, four segments behind.
 */
const LOW_LATENCY_MOST_SECONDS = 6

for (const { title, plays } of [
  {
    title: 'hls.js plays both low-latency HLS streams at the origin itself without a stall',
    plays: [{ stream: 'll-hls-parts' }, { stream: 'll-hls-ranges' }],
  },
  {
    title: 'dash.js plays both low-latency DASH streams at the origin itself without a stall',
    plays: [{ stream: 'll-dash' }, { stream: 'll-dash-patch' }],
  },
  {
    title: 'Shaka plays low-latency HLS and DASH at the origin itself without a stall',
    plays: [
      { stream: 'll-hls-parts', player: 'shaka' },
      { stream: 'll-dash', player: 'shaka' },
    ],
  },
]) {
  test(title, async (t) => {
    const { url } = await openDemo(t)
    const browser = await openBrowser(t)
    await Promise.all(
      plays.map(async (play) => {
        const watched = await watch(browser, url, { ...play, seconds: PLAYED_SECONDS })
        const { medianLatencySeconds, medianBehindSeconds } = watched
        t.diagnostic(
          `${play.stream}: ${medianLatencySeconds.toFixed(2)} s behind as the player says, ${medianBehindSeconds.toFixed(2)} s by the clock`,
        )
        assertSmoothAtTheEdge(watched, play.stream)
        assert.ok(
          medianLatencySeconds < LOW_LATENCY_MOST_SECONDS,
          `${play.stream}: ${medianLatencySeconds} s`,
        )
      }),
    )
  })
}

test('Shaka plays VOD and live streams at the origin itself without a stall', async (t) => {
  const { url } = await openDemo(t)
  await shakaPlays(t, url)
})

test('Shaka plays VOD and live streams through Relais without a stall', async (t) => {
  const relais = await openDemoRelais(t)
  await shakaPlays(t, relais.url)
  const { requests } = await relais.stats()
  assert.equal(requests.error, 0)
  assert.ok(requests.miss > 10)
})

async function shakaPlays(t: TestContext, url: string): Promise<void> {
  const browser = await openBrowser(t)
  await Promise.all(
    FOR_SHAKA.map(async (stream) =>
      assertSmooth(
        await watch(browser, url, {
          stream,
          player: 'shaka',
          seconds: PLAYED_SECONDS,
        }),
        stream,
      ),
    ),
  )
}
