import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import type { Browser } from 'playwright-core'
import type { Demo } from '../../src/demo/demo-origin.ts'
import { startDemo } from '../../src/demo/demo-origin.ts'
import { DEMO_STREAMS } from '../../src/demo/streams.ts'
import { openBrowser } from '../support/browser.ts'
import { assertSmooth, openPlayer, playedUntil } from '../support/player.ts'

const PLAYED_SECONDS = 15
const LOOP_MS = 24_000
async function openDemo(t: TestContext, now: () => number): Promise<{ demo: Demo; browser: Browser }> {
  const demo = await startDemo({ host: '127.0.0.1', port: 0, now })
  t.after(() => demo.close())
  return { demo, browser: await openBrowser(t) }
}

test('every stream on demand plays without a stall', async (t) => {
  const { demo, browser } = await openDemo(t, Date.now)
  const streams = DEMO_STREAMS.filter(({ live }) => !live)
  await Promise.all(
    streams.map(async (stream) => {
      const page = await openPlayer(browser, demo.url, stream.id)
      assertSmooth(await playedUntil(page, `played.position >= ${PLAYED_SECONDS}`), stream.id)
    }),
  )
})

test('every live stream plays without a stall, over the end of the loop too', async (t) => {
  // The live edge stands where the loop ends, and players a few segments before it.
  const offset = LOOP_MS - (Date.now() % LOOP_MS)
  const { demo, browser } = await openDemo(t, () => Date.now() + offset)
  // Those of low latency are played one by one, in test/e2e/players.test.ts.
  const streams = DEMO_STREAMS.filter(({ live, lowLatency }) => live && !lowLatency)
  await Promise.all(
    streams.map(async (stream) => {
      const page = await openPlayer(browser, demo.url, stream.id)
      const { airedAt = Number.NaN } = await playedUntil(page, 'played.position > 0 && played.airedAt > 0')
      const loopEndsAt = Math.ceil(airedAt / LOOP_MS) * LOOP_MS
      const playedAt = Math.max(airedAt + PLAYED_SECONDS * 1000, loopEndsAt + 3000)
      assertSmooth(await playedUntil(page, `played.airedAt >= ${playedAt}`), stream.id)
    }),
  )
})

test('a stream that does not exist is named in words on the page', async (t) => {
  const { demo, browser } = await openDemo(t, Date.now)
  const page = await openPlayer(browser, demo.url, 'nothing')
  assert.deepEqual((await playedUntil(page, 'played.errors.length > 0')).errors, [
    'There is no stream called nothing.',
  ])
  assert.equal(await page.locator('#error').textContent(), 'There is no stream called nothing.')
})

test('a stream is chosen from the list, and another takes its place', async (t) => {
  const { demo, browser } = await openDemo(t, Date.now)
  const page = await browser.newPage()
  await page.goto(`${demo.url}/`)
  for (const id of ['vod-dash', 'vod-hls-ts']) {
    await page.locator(`#${id}`).click()
    const played = await playedUntil(
      page,
      `played.stream === '${id}' && played.position > 1 && played.position < 10`,
    )
    assert.deepEqual(played.errors, [])
  }
  assert.equal(await page.locator('button[aria-pressed="true"]').count(), 1)
})

test('a manifest that is not there is told in words', async (t) => {
  const { demo, browser } = await openDemo(t, Date.now)
  const page = await browser.newPage()
  await page.route('**/main.m3u8', (route) => route.fulfill({ status: 404 }))
  await page.goto(`${demo.url}/?play=vod-hls-ts`)
  const { errors } = await playedUntil(page, 'played.errors.length > 0')
  assert.match(errors[0] ?? '', /^hls\.js gave up: networkError, manifestLoadError, status 404/)
})
