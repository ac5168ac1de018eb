import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { Demo } from '../../src/demo/demo-origin.ts'
import { startDemo } from '../../src/demo/demo-origin.ts'
import type { DemoStream } from '../../src/demo/streams.ts'
import { DEMO_STREAMS } from '../../src/demo/streams.ts'
import { openBrowser } from '../support/browser.ts'

const PLAYED_SECONDS = 15
const LOOP_MS = 24_000
/** A bound for a player that hangs, several times what one that plays takes. */
const TIMEOUT_MS = 60_000

/** What page.js keeps in window.relaisDemo. */
interface Played {
  readonly position: number
  readonly airedAt?: number
  readonly stalls: number
  readonly errors: readonly string[]
  readonly warnings: readonly string[]
}

async function openDemo(t: TestContext, now: () => number): Promise<{ demo: Demo; browser: Browser }> {
  const demo = await startDemo({ host: '127.0.0.1', port: 0, now })
  t.after(() => demo.close())
  return { demo, browser: await openBrowser(t) }
}

async function playedOn(page: Page): Promise<Played> {
  return (await page.evaluate('window.relaisDemo')) as Played
}

/** Resolves when the page's own account of itself meets the condition, which sees it as `played`. */
async function until(page: Page, condition: string): Promise<Played> {
  await page
    .waitForFunction(`((played) => played !== undefined && (${condition}))(window.relaisDemo)`, undefined, {
      timeout: TIMEOUT_MS,
    })
    .catch(async (cause: unknown) => {
      throw new Error(`Not so: ${condition}; ${JSON.stringify(await playedOn(page))}`, { cause })
    })
  return playedOn(page)
}

function assertSmooth({ stalls, errors, warnings }: Played, { id }: DemoStream): void {
  assert.deepEqual({ stalls, errors, warnings }, { stalls: 0, errors: [], warnings: [] }, id)
}

test('every stream on demand plays without a stall', async (t) => {
  const { demo, browser } = await openDemo(t, Date.now)
  const streams = DEMO_STREAMS.filter(({ live }) => !live)
  await Promise.all(
    streams.map(async (stream) => {
      const page = await browser.newPage()
      await page.goto(`${demo.url}/?play=${stream.id}`)
      assertSmooth(await until(page, `played.position >= ${PLAYED_SECONDS}`), stream)
    }),
  )
})

test('every live stream plays without a stall, over the end of the loop too', async (t) => {
  // The live edge stands where the loop ends, and players a few segments before it.
  const offset = LOOP_MS - (Date.now() % LOOP_MS)
  const { demo, browser } = await openDemo(t, () => Date.now() + offset)
  const streams = DEMO_STREAMS.filter(({ live }) => live)
  await Promise.all(
    streams.map(async (stream) => {
      const page = await browser.newPage()
      await page.goto(`${demo.url}/?play=${stream.id}`)
      const { airedAt = Number.NaN } = await until(page, 'played.position > 0 && played.airedAt > 0')
      const loopEndsAt = Math.ceil(airedAt / LOOP_MS) * LOOP_MS
      const playedAt = Math.max(airedAt + PLAYED_SECONDS * 1000, loopEndsAt + 3000)
      assertSmooth(await until(page, `played.airedAt >= ${playedAt}`), stream)
    }),
  )
})

test('a stream that does not exist is named in words on the page', async (t) => {
  const { demo, browser } = await openDemo(t, Date.now)
  const page = await browser.newPage()
  await page.goto(`${demo.url}/?play=nothing`)
  assert.deepEqual((await until(page, 'played.errors.length > 0')).errors, [
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
    const played = await until(
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
  const { errors } = await until(page, 'played.errors.length > 0')
  assert.match(errors[0] ?? '', /^hls\.js gave up: networkError, manifestLoadError, status 404/)
})
