/** Stored responses in memory: found without waiting, evicted by bytes. */
import { LRUCache } from 'lru-cache'
import type { RequestHead } from '../rfc/heads.ts'
import { isSameVariant, matches } from '../rfc/vary.ts'
import { NO_DISK } from './disk/absent-disk.ts'
import { Leaving } from './leaving.ts'
import { Lending } from './lending.ts'
import { MemoryBody } from './memory-body.ts'
import { type MemoryResponse, MemoryWriter } from './memory-writer.ts'
import type { MemoryOptions } from './options.ts'
import { isSameResponse } from './same-response.ts'
import type {
  Body,
  CacheKey,
  MemoryStats,
  Store,
  StoredHead,
  StoredResponse,
  StoreStats,
  StoreWriter,
} from './store.ts'

/** Variants of one key kept at once; the one stored longest ago goes first. An origin that varies by more than this
 * varies by viewer. */
const MAX_VARIANTS = 16
/** What an entry costs beside the bytes of its body and the text of its head. */
const ENTRY_OVERHEAD_BYTES = 1024
/** How many entries are spared at most before one must go. */
const MAX_SPARED = 8
/** What was evicted and is still being sent may take this share, before what is sent slowest is called back. */
const MAX_LENT_SHARE = 1 / 2
/** Keys remembered by how often they were asked for in vain. */
const REMEMBERED_MISSES = 32_768

interface Entry {
  variants: readonly MemoryResponse[]
  bytes: number
  /** Times it was asked for since it came or was last spared. */
  hits: number
  /** It goes first, for it will hardly be asked for again. */
  isLeaving: boolean
}

/**
 * Least recently used entries go first, with two exceptions: an entry asked for more often than the newcomer is spared
 * (and its count halved), so that a walk through the whole catalogue does not push out what the city watches; and a
 * newcomer that finds only such entries is declined, unless its head says that room is to be made.
 *
 * Bytes of responses still being written count as held, and so do those that connections hold though they were
 * evicted: `bytes` never exceeds `maxBytes`.
 */
export class MemoryStore implements Store {
  readonly #options: MemoryOptions
  readonly #capacity: number
  readonly #entries: LRUCache<CacheKey, Entry>
  readonly #leaving = new Leaving<CacheKey>()
  readonly #lending = new Lending()
  readonly #misses = new LRUCache<CacheKey, number>({ max: REMEMBERED_MISSES })
  #reserved = 0
  #evictions = 0
  #declined = 0
  #count = 0
  #closed = false

  /** `spareBytes` of `maxBytes` are left to what was evicted and lies in memory still (see `spareBytes` below). */
  constructor(options: MemoryOptions, spareBytes = 0) {
    this.#options = options
    this.#capacity = options.maxBytes - spareBytes
    this.#entries = new LRUCache({
      maxSize: Math.max(1, this.#capacity),
      sizeCalculation: (entry) => entry.bytes,
      dispose: (entry, key, reason) => {
        if (entry.isLeaving) this.#leaving.remove(key)
        if (reason === 'set') return
        for (const { body } of entry.variants) body.leave()
        if (reason !== 'evict') return
        this.#evictions += entry.variants.length
        this.#count -= entry.variants.length
      },
    })
  }

  /** The largest response it would hold, in bytes. */
  get maxEntryBytes(): number {
    return Math.min(this.#options.maxEntryBytes, this.#capacity)
  }

  peek(key: CacheKey, request: RequestHead): StoredResponse | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    entry.hits++
    if (entry.isLeaving) this.#stay(key, entry)
    for (const stored of entry.variants) if (matches(stored.head.variant, request)) return stored
    return undefined
  }

  async get(key: CacheKey, request: RequestHead): Promise<StoredResponse | undefined> {
    const stored = this.peek(key, request)
    if (stored === undefined && !this.#closed) this.#misses.set(key, (this.#misses.get(key) ?? 0) + 1)
    return stored
  }

  has(key: CacheKey): boolean {
    return this.#entries.has(key)
  }

  use(key: CacheKey): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    entry.hits++
    if (entry.isLeaving) this.#stay(key, entry)
  }

  demote(key: CacheKey): void {
    const entry = this.#entries.peek(key)
    if (entry === undefined || entry.isLeaving) return
    entry.isLeaving = true
    this.#leaving.add(key)
  }

  async open(
    head: StoredHead,
    size: number | undefined,
    elsewhere?: () => Body | undefined,
  ): Promise<StoreWriter | undefined> {
    if (this.#closed) return undefined
    const needed = headBytes(head) + (size ?? 0)
    if (needed > this.maxEntryBytes || !this.#makeRoom(needed, head)) {
      this.#declined++
      return undefined
    }
    return new MemoryWriter(head, headBytes(head), {
      take: (bytes) => !this.#closed && this.#take(bytes, head),
      giveBack: (bytes) => {
        this.#reserved -= bytes
      },
      grown: (bytes) => {
        if (bytes <= this.maxEntryBytes) return true
        this.#declined++
        return false
      },
      body: (chunks) => new MemoryBody(chunks, this.#lending, elsewhere),
      put: (stored, bytes) => this.#put(stored, bytes),
    })
  }

  async refresh(head: StoredHead): Promise<boolean> {
    const entry = this.#entries.peek(head.key)
    const before = entry?.variants.find((stored) => isSameResponse(stored.head, head))
    if (entry === undefined || before === undefined) return false
    const variants = entry.variants.map((stored) =>
      stored === before ? { head, body: stored.body } : stored,
    )
    const growth = headBytes(head) - headBytes(before.head)
    // Making room may cost the entry itself its place; with no room for the new head the old one is no longer true.
    if (growth > 0 && !this.#makeRoom(growth, head)) await this.delete(head.key)
    if (!this.#entries.has(head.key)) return false
    this.#entries.set(head.key, { variants, bytes: entry.bytes + growth, hits: entry.hits, isLeaving: false })
    return true
  }

  async delete(key: CacheKey): Promise<boolean> {
    this.#count -= this.#entries.peek(key)?.variants.length ?? 0
    return this.#entries.delete(key)
  }

  async *heads(place: 'memory' | 'disk'): AsyncGenerator<StoredHead> {
    if (place === 'disk') return
    for (const key of [...this.#entries.keys()])
      for (const { head } of this.#entries.peek(key)?.variants ?? []) yield head
  }

  stats(): StoreStats {
    const memory: MemoryStats = {
      entries: this.#count,
      bytes: this.#held,
      maxBytes: this.#options.maxBytes,
      evictions: this.#evictions,
      declined: this.#declined,
      lent: this.#lending.bytes,
      recalled: this.#lending.cuts,
    }
    return { memory, disk: NO_DISK }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#entries.clear()
    this.#misses.clear()
    this.#count = 0
  }

  get #held(): number {
    return this.#entries.calculatedSize + this.#reserved + this.#lending.bytes
  }

  #take(bytes: number, head: StoredHead): boolean {
    if (!this.#makeRoom(bytes, head)) {
      this.#declined++
      return false
    }
    this.#reserved += bytes
    return true
  }

  /** Evicts until `bytes` more can be held; false when this head may not push out what is there. */
  #makeRoom(bytes: number, head: StoredHead): boolean {
    const wanted = this.#capacity - bytes
    if (this.#reserved > wanted) return false
    const asked = this.#misses.peek(head.key) ?? 0
    while (this.#held > wanted && (this.#recallTooMuch() || this.#evictLeaving()));
    for (let spared = 0; this.#held > wanted; ) {
      // What is evicted while it is being sent gives no room yet.
      if (this.#recallTooMuch()) continue
      const [key, victim] = this.#leastRecent() ?? []
      if (key === undefined || victim === undefined) {
        if (!this.#lending.recall()) return false
      } else if (victim.hits <= asked || (spared >= MAX_SPARED && head.admission === 'always')) {
        this.#entries.pop()
      } else if (spared < MAX_SPARED) {
        victim.hits >>= 1
        this.#entries.get(key)
        spared++
      } else {
        return false
      }
    }
    return true
  }

  /** False: no more is lent than may be. */
  #recallTooMuch(): boolean {
    return this.#lending.bytes > this.#capacity * MAX_LENT_SHARE && this.#lending.recall()
  }

  /** False when there is none. */
  #evictLeaving(): boolean {
    const key = this.#leaving.take()
    if (key === undefined) return false
    const count = this.#entries.peek(key)?.variants.length ?? 0
    this.#evictions += count
    this.#count -= count
    this.#entries.delete(key)
    return true
  }

  #stay(key: CacheKey, entry: Entry): void {
    entry.isLeaving = false
    this.#leaving.remove(key)
  }

  #leastRecent(): [CacheKey, Entry] | undefined {
    const [next] = this.#entries.rentries()
    return next === undefined ? undefined : [next[0] as CacheKey, next[1] as Entry]
  }

  #put(stored: MemoryResponse, bytes: number): StoredResponse | undefined {
    if (this.#closed) {
      this.#reserved -= bytes
      return undefined
    }
    const { key } = stored.head
    const entry = this.#entries.peek(key)
    const others = (entry?.variants ?? []).filter(
      (other) => !isSameVariant(other.head.variant, stored.head.variant),
    )
    const variants = [stored, ...others.slice(0, MAX_VARIANTS - 1)]
    const total = bytes + variants.slice(1).reduce((sum, other) => sum + storedBytes(other), 0)
    this.#reserved -= bytes
    this.#count += variants.length - (entry?.variants.length ?? 0)
    this.#entries.set(key, { variants, bytes: total, hits: entry?.hits ?? 0, isLeaving: false })
    this.#misses.delete(key)
    for (const other of entry?.variants ?? []) if (!variants.includes(other)) other.body.leave()
    return stored
  }
}

function headBytes(head: StoredHead): number {
  let bytes = ENTRY_OVERHEAD_BYTES + 2 * head.key.length
  for (const name in head.fields) {
    const value = head.fields[name]
    bytes += name.length + (typeof value === 'string' ? value.length : (value?.join().length ?? 0))
  }
  return bytes
}

function storedBytes(stored: StoredResponse): number {
  return headBytes(stored.head) + (stored.body.size ?? 0)
}

/**
 * What to spare of `maxBytes`, so that what the process holds stays within it: bytes that were evicted are given back
 * when the garbage collector comes by, and V8 sends it after 64 MiB of them.
 */
export function spareBytes(maxBytes: number): number {
  return Math.min(Math.floor(maxBytes / 4), 64 * 1024 * 1024)
}
