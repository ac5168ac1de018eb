/** Writes that overtook a fill: until what it brought is gone again, nobody is given it. */
import type { Instant } from '../rfc/heads.ts'
import type { CacheKey, StoredHead } from '../store/store.ts'

/**
 * Schedule that must not show what was before a write:
 *   1. A fill asks.
 *   2. A write is answered, and what is stored is deleted.
 *   3. The fill commits: memory at once, disk some time after that.
 *   4. It has landed, and what it stored is deleted.
 * So whoever comes between 3 and 4 must not believe what lies there.
 */
export class Writes {
  readonly #overtaken = new Map<CacheKey, { readonly at: Instant }>()

  /** `gone`: one for each fill under way, settles when what it brought is deleted. */
  overtook(key: CacheKey, at: Instant, gone: readonly Promise<unknown>[]): void {
    if (gone.length === 0) return
    const write = { at }
    this.#overtaken.set(key, write)
    void Promise.allSettled(gone).then(() => {
      if (this.#overtaken.get(key) === write) this.#overtaken.delete(key)
    })
  }

  /** Whether it was asked for before a write that has been answered. */
  isUntrue(head: StoredHead): boolean {
    if (this.#overtaken.size === 0) return false
    const write = this.#overtaken.get(head.key)
    return write !== undefined && (head.askedAt ?? head.storedAt) <= write.at
  }
}
