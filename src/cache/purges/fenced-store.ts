/** The store behind its fence: what was purged is not there, though its bytes may be, and does not come back. */
import type { RequestHead } from '../../rfc/heads.ts'
import type { ByteRange } from '../../rfc/range.ts'
import type { Body, CacheKey, Store, StoredHead, StoredResponse, StoreWriter } from '../../store/store.ts'
import type { Rules } from './rules.ts'
import type { Looks } from './under-way.ts'

/**
 * Schedule that must not bring back what was purged:
 *   1. A fill sets out, under the mark of the last purge.
 *   2. A purge covers what it asked for, and gets a higher mark.
 *   3. The fill commits, on the disk some time after memory.
 * So the mark stands in the head of what is stored, here as on disk, and every look compares it: who asks after 2 is given
 * nothing from before, and after 3 it is deleted. A 304 has the mark of its own request.
 */
export class FencedStore implements Store {
  readonly #store: Store
  readonly #rules: Rules
  readonly #looks: Looks
  readonly #staled = new WeakMap<StoredHead, StoredResponse>()

  constructor(store: Store, rules: Rules, looks: Looks) {
    this.#store = store
    this.#rules = rules
    this.#looks = looks
  }

  peek(key: CacheKey, request: RequestHead): StoredResponse | undefined {
    const found = this.#store.peek(key, request)
    return found === undefined ? undefined : this.#fenced(found)
  }

  async get(key: CacheKey, request: RequestHead, part?: ByteRange): Promise<StoredResponse | undefined> {
    const look = this.#store.get(key, request, part)
    return this.#looks.during(look.then((found) => (found === undefined ? undefined : this.#fenced(found))))
  }

  has(key: CacheKey): boolean {
    return this.#store.has(key)
  }

  use(key: CacheKey): void {
    this.#store.use(key)
  }

  demote(key: CacheKey): void {
    this.#store.demote(key)
  }

  async open(
    head: StoredHead,
    size: number | undefined,
    elsewhere?: () => Body | undefined,
  ): Promise<StoreWriter | undefined> {
    const writer = await this.#store.open(head, size, elsewhere)
    return writer === undefined ? undefined : new FencedWriter(writer, head, this.#store, this.#rules)
  }

  async refresh(head: StoredHead): Promise<boolean> {
    return this.#rules.standing(head) !== 'gone' && (await this.#store.refresh(head))
  }

  delete(key: CacheKey): Promise<boolean> {
    return this.#store.delete(key)
  }

  heads(place: 'memory' | 'disk'): AsyncIterable<StoredHead> {
    return this.#store.heads(place)
  }

  stats(): ReturnType<Store['stats']> {
    return this.#store.stats()
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  #fenced(found: StoredResponse): StoredResponse | undefined {
    switch (this.#rules.standing(found.head)) {
      case 'good':
        return found
      case 'gone':
        return undefined
      case 'stale': {
        // One head for each stored head, for others keep by it what they made of it.
        const known = this.#staled.get(found.head)
        const head = known?.head ?? staled(found.head)
        const stale = { head, body: found.body }
        if (known === undefined) this.#staled.set(found.head, stale)
        return stale
      }
    }
  }
}

/** Neither fresh nor to be served while it is validated; whether it may stand in for a failed origin is as it was. */
function staled(head: StoredHead): StoredHead {
  const { freshness } = head
  const { bornAt } = freshness
  return { ...head, freshness: { ...freshness, freshUntil: bornAt, staleWhileRevalidateUntil: bornAt } }
}

class FencedWriter implements StoreWriter {
  readonly #writer: StoreWriter
  readonly #head: StoredHead
  readonly #store: Store
  readonly #rules: Rules

  constructor(writer: StoreWriter, head: StoredHead, store: Store, rules: Rules) {
    this.#writer = writer
    this.#head = head
    this.#store = store
    this.#rules = rules
  }

  get held(): StoreWriter['held'] {
    return this.#writer.held
  }

  write(chunk: Uint8Array): void | Promise<void> {
    return this.#writer.write(chunk)
  }

  readBack(range: ByteRange): Promise<Uint8Array> {
    return this.#writer.readBack(range)
  }

  async commit(): Promise<StoredResponse | undefined> {
    // Where memory has it all, those who read it need nothing of the store. From disk they read what is committed,
    // which stays open for them when it is deleted.
    if (this.#isGone && this.held !== 'disk') {
      await this.#writer.abort(new Error('it was purged while it came'))
      return undefined
    }
    const stored = await this.#writer.commit()
    if (this.#isGone) await this.#store.delete(this.#head.key)
    return stored
  }

  abort(reason: Error): Promise<void> {
    return this.#writer.abort(reason)
  }

  get #isGone(): boolean {
    return this.#rules.standing(this.#head) === 'gone'
  }
}
