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
  /** How far behind the live edge the player says that it is; undefined for VOD. */
  readonly latencySeconds?: number
  /** The same by the clock of the machine. */
  readonly behindSeconds?: number
  readonly stalls: number
  readonly errors: readonly string[]
  readonly warnings: readonly string[]
}

/** Starts a stream of the demo page at `url` (without a path), with its own player unless another is named. */
export async function openPlayer(browser: Browser, url: string, stream: string, player = ''): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(`${url}/?play=${stream}${player === '' ? '' : `&with=${player}`}`)
  return page
}

export interface Watched extends Played {
  /** Medians over the second half of the play, when a player has found its distance; NaN for VOD. */
  readonly medianLatencySeconds: number
  readonly medianBehindSeconds: number
}

/**
 * Plays for `seconds` of the stream and closes the page; `url` is that of the demo origin, or of a Relais in front of it,
 * so that the one can be compared with the other. `player` is 'shaka', or left out for the stream's own.
 */
export async function watch(
  browser: Browser,
  url: string,
  {
    stream,
    player,
    seconds,
  }: { readonly stream: string; readonly player?: string; readonly seconds: number },
): Promise<Watched> {
  const page = await openPlayer(browser, url, stream, player)
  let played = await playedUntil(page, 'played.position > 0')
  const begun = played.position
  const samples: Played[] = []
  for (let second = 1; second <= seconds; second += 1) {
    played = await playedUntil(page, `played.position >= ${begun + second}`)
    if (second > seconds / 2) samples.push(played)
  }
  await page.close()
  return {
    ...played,
    medianLatencySeconds: median(samples.map(({ latencySeconds }) => latencySeconds)),
    medianBehindSeconds: median(samples.map(({ behindSeconds }) => behindSeconds)),
  }
}

function median(values: readonly (number | undefined)[]): number {
  const sorted = values.filter((value) => value !== undefined).sort((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
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

/** hls.js steps over the few milliseconds by which sound begins before the picture where it joins, and says so. */
const STEPS_OVER = 'mediaError, bufferSeekOverHole'

/** Smooth in low latency: a player that joins between two parts may begin with one step. */
export function assertSmoothAtTheEdge({ warnings, ...played }: Played, stream: string): void {
  assertSmooth({ ...played, warnings: warnings.filter((warning) => warning !== STEPS_OVER) }, stream)
}
