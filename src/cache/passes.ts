/** Keys whose responses may not be stored: their viewers need not wait for each other (hit-for-miss). */
import { LRUCache } from 'lru-cache'
import type { Instant, RequestHead } from '../rfc/heads.ts'
import type { CacheKey } from '../store/store.ts'
import type { NotKept } from './journey.ts'

const MAX_KEYS = 16_384
/** What the origin says of a resource it will say again. */
const LONG_MS = 60_000
/** An error, a page in the place of a segment, a store without room: the next answer may be another. */
const BRIEF_MS = 1_000
const MAY_CHANGE: ReadonlySet<NotKept> = new Set(['declined', 'method', 'no-lifetime', 'partial', 'status'])

/** Where the response was not kept for what one viewer sent, only those who send the same pass. */
const CREDENTIALS = ['authorization', 'cookie'] as const

export class Passes {
  readonly #until = new LRUCache<string, Instant>({ max: MAX_KEYS })

  /** Says that requests for this key pass for a while, as far as `reason` concerns them. */
  remember(key: CacheKey, reason: NotKept, now: Instant): void {
    const mark = CREDENTIALS.find((name) => name === reason)
    const until = now + (MAY_CHANGE.has(reason) ? BRIEF_MS : LONG_MS)
    this.#until.set(mark === undefined ? key : marked(mark, key), until)
  }

  /** A response of this key was stored after all. */
  forget(key: CacheKey): void {
    this.#until.delete(key)
  }

  has(key: CacheKey, request: RequestHead, now: Instant): boolean {
    if (this.#holds(key, now)) return true
    return CREDENTIALS.some(
      (name) => request.fields[name] !== undefined && this.#holds(marked(name, key), now),
    )
  }

  #holds(mark: string, now: Instant): boolean {
    const until = this.#until.get(mark)
    if (until === undefined) return false
    if (now < until) return true
    this.#until.delete(mark)
    return false
  }
}

/** No key contains a space, for no request target does. */
function marked(name: string, key: CacheKey): string {
  return `${name} ${key}`
}
