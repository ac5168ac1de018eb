/** What viewers were seen to ask for lately: a segment that a city asks for is looked into once. */
import { LRUCache } from 'lru-cache'
import type { Instant, RequestHead } from '../../rfc/heads.ts'
import type { CacheKey, StoredHead } from '../../store/store.ts'

/** Once in so long it is asked what comes after a segment. */
const REPEAT_MS = 5_000
/** Ranges of files, which have no head of their own. */
const MAX_RANGES = 4_096

export interface Sight {
  readonly at: Instant
  /** Undefined: what comes next has not been looked for yet. */
  rendition: string | undefined
  place: string
  keys: readonly CacheKey[]
}

export class Seen {
  readonly #heads = new WeakMap<StoredHead, Sight>()
  readonly #ranges = new LRUCache<string, Sight>({ max: MAX_RANGES })

  /** Undefined: not within the last five seconds. */
  lately(head: StoredHead, request: RequestHead, now: Instant): Sight | undefined {
    const range = rangeOf(head, request)
    const sight = range === undefined ? this.#heads.get(head) : this.#ranges.get(`${head.key} ${range}`)
    return sight !== undefined && now - sight.at < REPEAT_MS ? sight : undefined
  }

  note(head: StoredHead, request: RequestHead, now: Instant): Sight {
    const sight = { at: now, rendition: undefined, place: '', keys: [] }
    const range = rangeOf(head, request)
    if (range === undefined) {
      // What passes has a head for one viewer alone.
      if (head.copy !== 'passing') this.#heads.set(head, sight)
    } else this.#ranges.set(`${head.key} ${range}`, sight)
    return sight
  }

  learn(sight: Sight, rendition: string, place: string, keys: readonly CacheKey[]): void {
    sight.rendition = rendition
    sight.place = place
    sight.keys = keys
  }
}

/** Of a body that lies in slices each range is a place of its own. */
function rangeOf({ sliced }: StoredHead, { fields }: RequestHead): string | undefined {
  const { range } = fields
  return sliced !== undefined && typeof range === 'string' && range.length <= 64 ? range : undefined
}
