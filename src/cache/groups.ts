/** Which groups of stored responses were declared untrue, and when (RFC 9875). */
import { LRUCache } from 'lru-cache'
import { groupsIn } from '../rfc/cache-groups.ts'
import type { Fields, Instant } from '../rfc/heads.ts'
import type { StoredHead, StoredResponse } from '../store/store.ts'

/** Groups whose invalidation is remembered one by one. */
const MAX_GROUPS = 16_384

/**
 * Nothing is looked for when a group is invalidated: the instant is written down, and a stored response that was asked
 * for before it is validated before it is used again. So it holds for what lies on disk as well, and costs what is not
 * in a group nothing.
 *
 * What is forgotten raises `#floor` instead: everything in any group that was asked for before it is validated once more
 * than it might need. The start of the process is such an instant, for nobody knows what was invalidated before.
 */
export class Groups {
  readonly #invalidatedAt: LRUCache<string, Instant>
  readonly #members = new WeakMap<StoredHead, readonly string[]>()
  #floor: Instant
  /** Of everything, in a group or not. */
  #distrustedAt: Instant = Number.NEGATIVE_INFINITY

  constructor(startedAt: Instant, maxGroups = MAX_GROUPS) {
    this.#floor = startedAt - 1
    this.#invalidatedAt = new LRUCache({
      max: maxGroups,
      dispose: (instant, _group, reason) => {
        if (reason === 'evict') this.#floor = Math.max(this.#floor, instant)
      },
    })
  }

  /** What the answer to an unsafe request says; `base` is the route's. Only groups of the same origin are concerned. */
  invalidate(base: string, answer: Fields, now: Instant): void {
    for (const group of groupsIn(answer, 'cache-group-invalidation')) {
      this.#invalidatedAt.set(named(base, group), now)
    }
  }

  /** All that was asked for before then is to be validated before it is used again: nobody knows what was said of it. */
  distrust(at: Instant): void {
    this.#distrustedAt = Math.max(this.#distrustedAt, at)
  }

  /** The stored response, or the same as one that must be validated: neither fresh nor fit to stand in for a failed origin. */
  judged(stored: StoredResponse): StoredResponse {
    const { head, body } = stored
    if (!this.isInvalid(head)) return stored
    const { freshness } = head
    const { bornAt } = freshness
    const over = { freshUntil: bornAt, staleWhileRevalidateUntil: bornAt, staleIfErrorUntil: bornAt }
    return { head: { ...head, freshness: { ...freshness, ...over, mustValidate: true } }, body }
  }

  /** Whether a group it is in was invalidated since it was asked for. */
  isInvalid(head: StoredHead): boolean {
    const askedAt = head.askedAt ?? head.storedAt
    if (askedAt <= this.#distrustedAt) return true
    if (head.fields['cache-groups'] === undefined) return false
    if (askedAt <= this.#floor) return true
    for (const group of this.#membersOf(head)) {
      const invalidatedAt = this.#invalidatedAt.get(group)
      if (invalidatedAt !== undefined && askedAt <= invalidatedAt) return true
    }
    return false
  }

  #membersOf(head: StoredHead): readonly string[] {
    const known = this.#members.get(head)
    if (known !== undefined) return known
    const members = groupsIn(head.fields, 'cache-groups').map((group) => named(head.key, group))
    this.#members.set(head, members)
    return members
  }
}

/** A group's name belongs to its origin: scheme, host and port, which open a key and a base alike. */
function named(address: string, group: string): string {
  const path = address.indexOf('/', address.indexOf('//') + 2)
  return `${path < 0 ? address : address.slice(0, path)} ${group}`
}
