/** What is stored is forgotten, and what is on its way does not stay, as far as something has made it untrue. */
import { type Instant, isMissing, type RequestHead } from '../rfc/heads.ts'
import type { CacheKey, StoredHead } from '../store/store.ts'
import type { Flight } from './flights.ts'
import type { FillContext } from './journey.ts'
import type { Walks } from './walks.ts'
import { type Untrue, Writes } from './writes.ts'

const PLAIN: RequestHead = { method: 'GET', target: '/', fields: {} }

export class Forgetting {
  readonly #context: Pick<FillContext, 'store' | 'slices' | 'clock'>
  readonly #walks: Walks
  readonly #writes = new Writes()

  constructor(context: Pick<FillContext, 'store' | 'slices' | 'clock'>, walks: Walks) {
    this.#context = context
    this.#walks = walks
  }

  /** Whether what lies in store is about to be deleted, for it speaks of what was before. */
  isUntrue(head: Pick<StoredHead, 'key' | 'status' | 'askedAt' | 'storedAt'>): boolean {
    return this.#writes.isUntrue(head)
  }

  /**
   * All that was asked for until now. A fill under way may bring what was true before: nobody joins it, and it does not
   * stay. Settles when what is stored is gone. Of a playlist the blocking reloads are among it:
   *   1. A reload is held by the origin, under the name of the part it waits for.
   *   2. The playlist is written.
   *   3. The origin answers the reload, and what it says is kept as the plain playlist.
   *   4. It has landed, and that is deleted; until then it is not believed.
   */
  async all(key: CacheKey): Promise<void> {
    const { clock, store, slices } = this.#context
    const at = clock()
    const isUntrue: Untrue = (head) => askedAtOf(head) <= at
    this.#overtake(key, isUntrue, this.#walks.detach(key, Number.POSITIVE_INFINITY))
    const stored = await store.get(key, PLAIN)
    await store.delete(key)
    if (stored !== undefined) await slices.forget(stored.head)
  }

  /**
   * What was asked for before `at`, when another run of its stream began. What lies on disk alone, or varies, is taken
   * for older: that costs one request.
   *   1. A viewer asks for a segment of the run before, and its fill is under way.
   *   2. A playlist of the new run lists the same name.
   *   3. Who comes now fills anew; who walks with the fill of 1 goes on with it.
   *   4. That has landed, and is deleted, unless the fill of 3 has taken its place.
   */
  before(key: CacheKey, at: Instant): void {
    const isUntrue: Untrue = (head) => askedAtOf(head) < at
    this.#overtake(key, isUntrue, this.#walks.detach(key, at))
    const head = this.#headOf(key)
    if (head === undefined ? this.#context.store.has(key) : isUntrue(head)) this.#delete(key, head)
  }

  /**
   * That it is missing, for a manifest lists it now.
   *   1. A viewer asks for a segment that is not there yet, and its fill is under way.
   *   2. A playlist lists it.
   *   3. Others ask, and walk with the fill of 1: it may as well bring the segment, and nobody asks twice.
   *   4a. It brings the segment: all have it, and it stays.
   *   4b. It brings a 404: the one of 1 is told so, the others of 3 look again, and one of them asks for all.
   */
  missing(key: CacheKey): void {
    const at = this.#context.clock()
    const isUntrue: Untrue = (head) => isMissing(head.status) && askedAtOf(head) <= at
    this.#overtake(key, isUntrue, this.#walks.listed(key))
    const head = this.#headOf(key)
    if (head !== undefined && isMissing(head.status)) this.#delete(key, head)
  }

  #overtake(key: CacheKey, isUntrue: Untrue, flights: readonly Flight[]): void {
    const gone = flights.map((flight) => this.#gone(flight, isUntrue))
    this.#writes.overtook(key, isUntrue, gone)
  }

  /** When it has landed, what it stored is deleted; not what has taken its place, so that nobody asks for that again. */
  async #gone(flight: Flight, isUntrue: Untrue): Promise<void> {
    const brought = await flight.brought
    if (brought?.kind !== 'stored' || !isUntrue(brought.stored.head)) return
    const { key } = brought.stored.head
    const lies = this.#headOf(key)
    if (lies === undefined || isUntrue(lies)) await this.#context.store.delete(key)
  }

  #delete(key: CacheKey, head: StoredHead | undefined): void {
    void this.#context.store.delete(key)
    if (head !== undefined) void this.#context.slices.forget(head)
  }

  /** In memory, and for all. */
  #headOf(key: CacheKey): StoredHead | undefined {
    const { store } = this.#context
    return store.has(key) ? store.peek(key, PLAIN)?.head : undefined
  }
}

function askedAtOf({ askedAt, storedAt }: Pick<StoredHead, 'askedAt' | 'storedAt'>): Instant {
  return askedAt ?? storedAt
}
