/** The play: hls.js and dash.js in a real Chromium watch what came through Relais. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startDemo } from '../../src/demo/demo-origin.ts'
import { DEMO_STREAMS } from '../../src/demo/streams.ts'
import { openBrowser } from '../support/browser.ts'
import { hasNginx, openNginx } from '../support/nginx.ts'
import { assertSmooth, openPlayer, playedUntil } from '../support/player.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

const PLAYED_SECONDS = 20

/** Players live on the wall clock, so Relais does too. */
const WALL = { now: Date.now, advance: () => assert.fail('the wall clock cannot be moved') }

async function openDemoRelais(t: TestContext, routes: readonly object[] = []): Promise<TestRelais> {
  const demo = await startDemo({ host: '127.0.0.1', port: 0, now: Date.now })
  t.after(() => demo.close())
  return openTestRelais(t, {
    clock: WALL,
    file: { routes: [{ prefix: '/', origins: [demo.url] }, ...routes] },
  })
}

const VOD = DEMO_STREAMS.filter(({ live }) => !live)
const LIVE = DEMO_STREAMS.filter(({ live }) => live)

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
