/** Memory before disk, as one place: what is written goes to both, what is read from disk comes to memory. */
import { LRUCache } from 'lru-cache'
import type { RequestHead } from '../rfc/heads.ts'
import type { ByteRange } from '../rfc/range.ts'
import { matches } from '../rfc/vary.ts'
import { AT_ONCE_BYTES } from './chunks.ts'
import { AbsentDisk } from './disk/absent-disk.ts'
import { GrowingBody } from './growing-body.ts'
import { PartBody } from './part-body.ts'
import type { Body, CacheKey, Store, StoredHead, StoredResponse, StoreStats, StoreWriter } from './store.ts'
import { WholeBody } from './whole-body.ts'

export interface TieredStoreOptions {
  /** Its `maxEntryBytes` says what it would hold: a larger response is streamed from disk. */
  readonly memory: Store & { readonly maxEntryBytes: number }
  /** Undefined: memory alone. */
  readonly disk: Store | undefined
}

/** A part up to this share of a body is read by itself. */
const SMALL_SHARE = 1 / 4
/** A short part costs the disk as much as one of this length. */
const LEAST_READ_BYTES = 256 * 1024
/** Of so many bodies it is known how much was read of them in parts. */
const MAX_IN_PARTS = 16_384

/** A response on its way from disk to memory. */
interface Rise {
  readonly found: Promise<StoredResponse | undefined>
  /** Something newer was done with its key: those who wait get it, memory does not. */
  isSuperseded: boolean
}

/**
 * A response that memory would hold is read from disk whole and verified before it is handed out, so that a flipped
 * bit is a miss and not a broken answer; one that memory declines is streamed, as a larger one is. Those who ask for it meanwhile wait for the same read. Of one of which small
 * parts are asked for only these are read and verified, until that has cost as much as the whole would have.
 */
export class TieredStore implements Store {
  readonly #memory: Store & { readonly maxEntryBytes: number }
  readonly #disk: Store
  /** By key; several where requests select different variants of it. */
  readonly #rises = new Map<CacheKey, Set<Rise>>()
  /** Bytes read in parts since the body was last in memory. */
  readonly #inParts = new LRUCache<CacheKey, number>({ max: MAX_IN_PARTS })

  constructor(options: TieredStoreOptions) {
    this.#memory = options.memory
    this.#disk = options.disk ?? new AbsentDisk()
  }

  peek(key: CacheKey, request: RequestHead): StoredResponse | undefined {
    return this.#memory.peek(key, request)
  }

  async get(key: CacheKey, request: RequestHead, part?: ByteRange): Promise<StoredResponse | undefined> {
    const inMemory = await this.#memory.get(key, request)
    if (inMemory !== undefined) return inMemory
    // Those on their way now, not those that begin while this waits: nobody queues behind misses.
    for (const rise of [...(this.#rises.get(key) ?? [])]) {
      const shared = await rise.found
      if (shared !== undefined && matches(shared.head.variant, request)) return shared
    }
    const inPart = part === undefined ? undefined : await this.#part(key, request, part)
    return inPart ?? (await this.#rise(key, request))
  }

  has(key: CacheKey): boolean {
    return this.#memory.has(key) || this.#disk.has(key)
  }

  use(key: CacheKey): void {
    this.#memory.use(key)
    this.#disk.use(key)
  }

  demote(key: CacheKey): void {
    this.#memory.demote(key)
    this.#disk.demote(key)
  }

  async open(head: StoredHead, size: number | undefined): Promise<StoreWriter | undefined> {
    let committed: Body | undefined
    const onDisk = (): Body | undefined => (this.#disk.has(head.key) ? committed : undefined)
    const [memory, disk] = await Promise.all([
      this.#memory.open(head, size, onDisk),
      this.#disk.open(head, size),
    ])
    if (memory === undefined && disk === undefined) return undefined
    return new TieredWriter(memory, disk, {
      onCommit: () => this.#supersede(head.key),
      onDisk: ({ body }) => {
        committed = body
      },
      // What a place does not keep, it must not go on answering for with what came before.
      onMemoryWithout: () => this.#memory.delete(head.key),
      onDiskWithout: () => this.#disk.delete(head.key),
    })
  }

  async refresh(head: StoredHead): Promise<boolean> {
    this.#supersede(head.key)
    const renewed = await Promise.all([this.#memory.refresh(head), this.#disk.refresh(head)])
    return renewed.includes(true)
  }

  async delete(key: CacheKey): Promise<boolean> {
    this.#supersede(key)
    const deleted = await Promise.all([this.#memory.delete(key), this.#disk.delete(key)])
    return deleted.includes(true)
  }

  heads(place: 'memory' | 'disk'): AsyncIterable<StoredHead> {
    return (place === 'memory' ? this.#memory : this.#disk).heads(place)
  }

  stats(): StoreStats {
    return { memory: this.#memory.stats().memory, disk: this.#disk.stats().disk }
  }

  async close(): Promise<void> {
    await Promise.all([this.#memory.close(), this.#disk.close()])
  }

  /** Undefined: the whole is worth reading, or there is nothing that can be trusted. */
  async #part(key: CacheKey, request: RequestHead, part: ByteRange): Promise<StoredResponse | undefined> {
    const stored = await this.#disk.get(key, request)
    const { size, chunks } = stored?.body ?? {}
    if (stored === undefined || size === undefined || chunks !== undefined) return undefined
    const bytes = part.last - part.first + 1
    const spent = (this.#inParts.get(key) ?? 0) + Math.max(bytes, LEAST_READ_BYTES)
    if (bytes > size * SMALL_SHARE || spent > size) {
      this.#inParts.delete(key)
      return undefined
    }
    this.#inParts.set(key, spent)
    const { head, body } = stored
    const read = await allOf(body, part)
    return read === undefined ? undefined : { head, body: new PartBody(body, part, read) }
  }

  #rise(key: CacheKey, request: RequestHead): Promise<StoredResponse | undefined> {
    const { promise: found, resolve, reject } = Promise.withResolvers<StoredResponse | undefined>()
    const rise = { found, isSuperseded: false }
    const rises = this.#rises.get(key) ?? new Set()
    this.#rises.set(key, rises.add(rise))
    this.#fromDisk(key, request, rise)
      .then(resolve, reject)
      .finally(() => {
        rises.delete(rise)
        if (rises.size === 0 && this.#rises.get(key) === rises) this.#rises.delete(key)
      })
    return found
  }

  async #fromDisk(key: CacheKey, request: RequestHead, rise: Rise): Promise<StoredResponse | undefined> {
    const stored = await this.#disk.get(key, request)
    const { size } = stored?.body ?? {}
    if (stored === undefined || size === undefined || size > this.#memory.maxEntryBytes) return stored
    return await this.#raise(stored, size, rise)
  }

  /**
   * Schedule that must not bring back what was deleted:
   *   1. A reads a response from disk.
   *   2. B deletes its key in memory and on disk.
   *   3. A puts what it read into memory.
   * So B marks the rise of A, and A looks at the mark in the same turn in which it commits.
   *
   * Room is made before anything is read: what memory declines stays where it is, and each viewer reads it at his pace.
   */
  async #raise(stored: StoredResponse, size: number, rise: Rise): Promise<StoredResponse | undefined> {
    const { head, body } = stored
    const writer = await this.#memory.open(head, size, () => (this.#disk.has(head.key) ? body : undefined))
    if (writer === undefined) return stored
    // Blocks of a disk are short, and what is not sent at once is sent block by block.
    const long = size > AT_ONCE_BYTES ? new GrowingBody(size) : undefined
    const chunks: Uint8Array[] = []
    try {
      for await (const block of body.chunks ?? body.read()) {
        for (const chunk of long?.append(block) ?? [block]) {
          chunks.push(chunk)
          writer.write(chunk)
        }
        if (writer.held !== 'memory') return stored
      }
    } catch (error) {
      // The disk has counted why.
      await writer.abort(error instanceof Error ? error : new Error(String(error)))
      return undefined
    }
    if (!rise.isSuperseded) return (await writer.commit()) ?? stored
    await writer.abort(new Error('something newer was stored, or the key was deleted'))
    return { head, body: new WholeBody(chunks) }
  }

  #supersede(key: CacheKey): void {
    for (const rise of this.#rises.get(key) ?? []) rise.isSuperseded = true
    // Who asks from now on must not be given what lay there before.
    this.#rises.delete(key)
  }
}

/** What a commit means to the places. */
interface CommitEvents {
  onCommit(): void
  onDisk(stored: StoredResponse): void
  onMemoryWithout(): Promise<unknown>
  onDiskWithout(): Promise<unknown>
}

/** Both get every byte; either may give up. */
class TieredWriter implements StoreWriter {
  readonly #memory: StoreWriter | undefined
  readonly #disk: StoreWriter | undefined
  readonly #told: CommitEvents

  constructor(memory: StoreWriter | undefined, disk: StoreWriter | undefined, told: CommitEvents) {
    this.#memory = memory
    this.#disk = disk
    this.#told = told
  }

  get held(): 'memory' | 'disk' | 'nowhere' {
    return this.#memory?.held === 'memory' ? 'memory' : (this.#disk?.held ?? 'nowhere')
  }

  write(chunk: Uint8Array): void | Promise<void> {
    // Memory takes or leaves a chunk at once; only the disk may ask to wait.
    void this.#memory?.write(chunk)
    return this.#disk?.write(chunk)
  }

  async readBack(range: ByteRange): Promise<Uint8Array> {
    if (this.#disk === undefined) throw new Error('the response is not on disk and cannot be read back')
    return await this.#disk.readBack(range)
  }

  async commit(): Promise<StoredResponse | undefined> {
    this.#told.onCommit()
    const [memory, disk] = await Promise.all([this.#memory?.commit(), this.#disk?.commit()])
    this.#told.onCommit()
    if (memory === undefined) await this.#told.onMemoryWithout()
    if (disk === undefined) await this.#told.onDiskWithout()
    else this.#told.onDisk(disk)
    return memory ?? disk
  }

  async abort(reason: Error): Promise<void> {
    await Promise.all([this.#memory?.abort(reason), this.#disk?.abort(reason)])
  }
}

/** All of it, or of a part, verified as it is read. Undefined when that fails: the disk has counted why. */
async function allOf(body: Body, part?: ByteRange): Promise<readonly Uint8Array[] | undefined> {
  if (body.chunks !== undefined) return body.chunks
  try {
    return await Array.fromAsync(body.read(part))
  } catch {
    return undefined
  }
}
