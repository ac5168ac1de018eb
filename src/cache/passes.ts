/** Keys whose responses may not be stored: their viewers need not wait for each other (hit-for-miss). */
import { LRUCache } from 'lru-cache'
import type { Instant } from '../rfc/heads.ts'
import type { CacheKey } from '../store/store.ts'

const MAX_KEYS = 16_384

export class Passes {
  readonly #until = new LRUCache<CacheKey, Instant>({ max: MAX_KEYS })

  /** Says that requests for this key pass for a while. */
  remember(key: CacheKey, until: Instant): void {
    this.#until.set(key, until)
  }

  /** A response of this key was stored after all. */
  forget(key: CacheKey): void {
    this.#until.delete(key)
  }

  has(key: CacheKey, now: Instant): boolean {
    const until = this.#until.get(key)
    if (until === undefined) return false
    if (now < until) return true
    this.#until.delete(key)
    return false
  }
}
