/** What overtook a fill, such as a write: until what the fill brought is gone again, nobody is given it. */
import type { CacheKey, StoredHead } from '../store/store.ts'

/** What is no longer true. */
export type Untrue = (head: Pick<StoredHead, 'status' | 'askedAt' | 'storedAt'>) => boolean

/**
 * Schedule that must not show what was before a write:
 *   1. A fill asks.
 *   2. A write is answered, and what is stored is deleted.
 *   3. The fill commits: memory at once, disk some time after that.
 *   4. It has landed, and what it stored is deleted.
 * So whoever comes between 3 and 4 must not believe what lies there.
 */
export class Writes {
  readonly #overtaken = new Map<CacheKey, Set<Untrue>>()

  /** `gone`: one for each fill under way, settles when what it brought is deleted. */
  overtook(key: CacheKey, isUntrue: Untrue, gone: readonly Promise<unknown>[]): void {
    if (gone.length === 0) return
    const one: Untrue = (head) => isUntrue(head)
    const all = this.#overtaken.get(key) ?? new Set()
    this.#overtaken.set(key, all.add(one))
    void Promise.allSettled(gone).then(() => {
      all.delete(one)
      if (all.size === 0 && this.#overtaken.get(key) === all) this.#overtaken.delete(key)
    })
  }

  /** Whether it speaks of what was before something that has come to pass since. */
  isUntrue(head: Pick<StoredHead, 'key' | 'status' | 'askedAt' | 'storedAt'>): boolean {
    if (this.#overtaken.size === 0) return false
    for (const isUntrue of this.#overtaken.get(head.key) ?? []) if (isUntrue(head)) return true
    return false
  }
}
