/** How often things were asked for lately: what is seen twice is worth a copy, and what is asked for each second everywhere. */
import type { Clock, Instant } from '../rfc/heads.ts'

const WINDOW_MS = 10_000
/** Two things that fall on one place forget each other: as rare as it is harmless. A power of two. */
const PLACES = 2 ** 16
const NEVER = Number.NEGATIVE_INFINITY

/**
 * A table of numbers, 2 MiB at once and nothing more ever: each request of a viewer that a sibling is asked for is a sight,
 * and objects for them would be the most long-lived rubbish of the node.
 */
export class Sights {
  readonly #clock: Clock
  /** Of which key. */
  readonly #tags = new Uint32Array(PLACES)
  /** When the present window began. */
  readonly #began: Float64Array
  readonly #lastAt: Float64Array
  /** In the present window, and in the one before. */
  readonly #counts = new Uint32Array(PLACES)
  readonly #before = new Uint32Array(PLACES)

  constructor(clock: Clock) {
    this.#clock = clock
    this.#began = new Float64Array(PLACES).fill(NEVER)
    this.#lastAt = new Float64Array(PLACES).fill(NEVER)
  }

  /** Counts a sight. True: it is at least the second within ten seconds. */
  isSecond(key: string): boolean {
    const isSeen = this.isSeen(key)
    this.#seen(key)
    return isSeen
  }

  /** Whether the next sight is at least the second within ten seconds; counts none. */
  isSeen(key: string): boolean {
    const { place, tag } = whereIs(key)
    return this.#tags[place] === tag && Math.abs(this.#clock() - (this.#lastAt[place] ?? NEVER)) < WINDOW_MS
  }

  /** Counts a sight; requests per second over the last ten to twenty seconds. */
  rateOf(key: string): number {
    const place = this.#seen(key)
    const sinceMs = Math.max(0, this.#clock() - (this.#began[place] ?? 0))
    const share = 1 - Math.min(1, sinceMs / WINDOW_MS)
    return ((this.#counts[place] ?? 0) + (this.#before[place] ?? 0) * share) / (WINDOW_MS / 1000)
  }

  #seen(key: string): number {
    const { place, tag } = whereIs(key)
    const now = this.#clock()
    if (this.#tags[place] !== tag || this.#began[place] === NEVER) this.#begin(place, tag, now)
    const windows = Math.floor(Math.abs(now - (this.#began[place] ?? now)) / WINDOW_MS)
    if (windows > 0) {
      this.#before[place] = windows === 1 ? (this.#counts[place] ?? 0) : 0
      this.#counts[place] = 0
      this.#began[place] = now
    }
    this.#counts[place] = (this.#counts[place] ?? 0) + 1
    this.#lastAt[place] = now
    return place
  }

  #begin(place: number, tag: number, now: Instant): void {
    this.#tags[place] = tag
    this.#began[place] = now
    this.#counts[place] = 0
    this.#before[place] = 0
  }
}

/** Two hashes in the manner of FNV-1a: keys that share both are too few to matter, and cost a copy too many. */
function whereIs(key: string): { readonly place: number; readonly tag: number } {
  let one = 0x811c9dc5
  let other = 0x050c5d1f
  for (let index = 0; index < key.length; index++) {
    const code = key.charCodeAt(index)
    one = Math.imul(one ^ code, 0x01000193)
    other = Math.imul(other ^ code, 0x01000193) ^ (other >>> 15)
  }
  return { place: (one ^ (one >>> 16)) & (PLACES - 1), tag: other >>> 0 }
}
