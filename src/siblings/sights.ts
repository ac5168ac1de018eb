/** How often things were asked for lately: what is seen twice is worth a copy, and what is asked for each second everywhere. */
import { LRUCache } from 'lru-cache'
import type { Clock, Instant } from '../rfc/heads.ts'

const WINDOW_MS = 10_000
const MAX_KEYS = 16_384

interface Sight {
  /** When the present window began. */
  at: Instant
  count: number
  /** In the window before. */
  before: number
  lastAt: Instant
}

export class Sights {
  readonly #clock: Clock
  readonly #sights = new LRUCache<string, Sight>({ max: MAX_KEYS })

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Counts a sight. True: it is at least the second within ten seconds. */
  isSecond(key: string): boolean {
    const isSeen = this.isSeen(key)
    this.#seen(key)
    return isSeen
  }

  /** Whether the next sight is at least the second within ten seconds; counts none. */
  isSeen(key: string): boolean {
    const lastAt = this.#sights.peek(key)?.lastAt
    return lastAt !== undefined && Math.abs(this.#clock() - lastAt) < WINDOW_MS
  }

  /** Counts a sight; requests per second over the last ten to twenty seconds. */
  rateOf(key: string): number {
    const { at, count, before } = this.#seen(key)
    const share = 1 - Math.min(1, Math.max(0, this.#clock() - at) / WINDOW_MS)
    return (count + before * share) / (WINDOW_MS / 1000)
  }

  #seen(key: string): Sight {
    const now = this.#clock()
    const sight = this.#sights.get(key) ?? { at: now, count: 0, before: 0, lastAt: now }
    const windows = Math.floor(Math.abs(now - sight.at) / WINDOW_MS)
    if (windows > 0) {
      sight.before = windows === 1 ? sight.count : 0
      sight.count = 0
      sight.at = now
    }
    sight.count++
    sight.lastAt = now
    this.#sights.set(key, sight)
    return sight
  }
}
