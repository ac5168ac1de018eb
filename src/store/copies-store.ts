/** A store beside which copies of what siblings keep lie in memory, in a part of their own. */
import type { RequestHead } from '../rfc/heads.ts'
import type { ByteRange } from '../rfc/range.ts'
import type { Body, CacheKey, Store, StoredHead, StoredResponse, StoreStats, StoreWriter } from './store.ts'

/** The part of memory that copies may take. */
export const SHARE_OF_COPIES = 1 / 8
/** One for all that pass: it is what is usual, and no error. */
const KEPT_ELSEWHERE = new Error('a sibling keeps it')

/**
 * What is this node's own goes to `own`, what a sibling keeps to `copies`, where it is evicted by its like alone. A key
 * lies in one of them: what comes to one leaves the other.
 */
export class CopiesStore implements Store {
  readonly #own: Store
  readonly #copies: Store

  constructor(own: Store, copies: Store) {
    this.#own = own
    this.#copies = copies
  }

  peek(key: CacheKey, request: RequestHead): StoredResponse | undefined {
    return this.#own.peek(key, request) ?? this.#copies.peek(key, request)
  }

  async get(key: CacheKey, request: RequestHead, part?: ByteRange): Promise<StoredResponse | undefined> {
    return this.#copies.peek(key, request) ?? (await this.#own.get(key, request, part))
  }

  has(key: CacheKey): boolean {
    return this.#own.has(key) || this.#copies.has(key)
  }

  use(key: CacheKey): void {
    this.#own.use(key)
    this.#copies.use(key)
  }

  demote(key: CacheKey): void {
    this.#own.demote(key)
    this.#copies.demote(key)
  }

  async open(
    head: StoredHead,
    size: number | undefined,
    elsewhere?: () => Body | undefined,
  ): Promise<StoreWriter | undefined> {
    const [place, other] = head.copy === undefined ? [this.#own, this.#copies] : [this.#copies, this.#own]
    const writer = await place.open(head, size, elsewhere)
    return writer === undefined ? undefined : new OneOfTwo(writer, head, other)
  }

  refresh(head: StoredHead): Promise<boolean> {
    return head.copy === undefined ? this.#own.refresh(head) : this.#copies.refresh(head)
  }

  async delete(key: CacheKey): Promise<boolean> {
    const deleted = await Promise.all([this.#own.delete(key), this.#copies.delete(key)])
    return deleted.includes(true)
  }

  async *heads(place: 'memory' | 'disk'): AsyncGenerator<StoredHead> {
    yield* this.#copies.heads(place)
    yield* this.#own.heads(place)
  }

  stats(): StoreStats {
    const { memory, disk } = this.#own.stats()
    const copies = this.#copies.stats().memory
    return {
      memory: {
        entries: memory.entries + copies.entries,
        bytes: memory.bytes + copies.bytes,
        maxBytes: memory.maxBytes + copies.maxBytes,
        evictions: memory.evictions + copies.evictions,
        declined: memory.declined + copies.declined,
        lent: memory.lent + copies.lent,
        recalled: memory.recalled + copies.recalled,
      },
      disk,
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#own.close(), this.#copies.close()])
  }
}

/** Writes into one place, and takes what the other has of the same key. */
class OneOfTwo implements StoreWriter {
  readonly #writer: StoreWriter
  readonly #head: StoredHead
  readonly #other: Store

  constructor(writer: StoreWriter, head: StoredHead, other: Store) {
    this.#writer = writer
    this.#head = head
    this.#other = other
  }

  get held(): 'memory' | 'disk' | 'nowhere' {
    return this.#writer.held
  }

  write(chunk: Uint8Array): void | Promise<void> {
    return this.#writer.write(chunk)
  }

  readBack(range: ByteRange): Promise<Uint8Array> {
    return this.#writer.readBack(range)
  }

  async commit(): Promise<StoredResponse | undefined> {
    const { key, copy } = this.#head
    const isHeld = this.#writer.held !== 'nowhere'
    const stored = copy === 'passing' ? await this.#passed() : await this.#writer.commit()
    // What was not taken leaves the other as it was, unless it is known to be older.
    if (isHeld && this.#other.has(key)) await this.#other.delete(key)
    return stored
  }

  abort(reason: Error): Promise<void> {
    return this.#writer.abort(reason)
  }

  /** Those who read it have it; nobody who comes later will. */
  async #passed(): Promise<undefined> {
    await this.#writer.abort(KEPT_ELSEWHERE)
  }
}
