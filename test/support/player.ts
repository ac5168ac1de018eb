/** A player in a real browser, watched from outside by what the demo page says of itself. */
import assert from 'node:assert/strict'
import type { Browser, Page } from 'playwright-core'

/** A bound for a player that hangs, several times what one that plays takes. */
const TIMEOUT_MS = 90_000

/** What the page keeps in window.relaisDemo. */
export interface Played {
  readonly position: number
  /** Milliseconds since the epoch when the picture was on air; undefined for VOD. */
  readonly airedAt?: number
  readonly stalls: number
  readonly errors: readonly string[]
  readonly warnings: readonly string[]
}

/** Starts a stream of the demo page at `url` (without a path). */
export async function openPlayer(browser: Browser, url: string, stream: string): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(`${url}/?play=${stream}`)
  return page
}

/** Resolves when the page's own account of itself, `played`, meets the condition; a failure says what it was. */
export async function playedUntil(page: Page, condition: string): Promise<Played> {
  const account = async (): Promise<Played> => (await page.evaluate('window.relaisDemo')) as Played
  await page
    .waitForFunction(`((played) => played !== undefined && (${condition}))(window.relaisDemo)`, undefined, {
      timeout: TIMEOUT_MS,
    })
    .catch(async (cause: unknown) => {
      throw new Error(`Not so: ${condition}; ${JSON.stringify(await account())}`, { cause })
    })
  return account()
}

export function assertSmooth({ stalls, errors, warnings }: Played, stream: string): void {
  assert.deepEqual({ stalls, errors, warnings }, { stalls: 0, errors: [], warnings: [] }, stream)
}
