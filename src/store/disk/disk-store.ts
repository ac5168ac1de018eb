/** Stored responses on disk: they outlive the process, and what cannot be trusted is not there. */
import * as promises from 'node:fs/promises'
import type { RequestHead } from '../../rfc/heads.ts'
import { matches } from '../../rfc/vary.ts'
import type { CacheKey, Store, StoredHead, StoredResponse, StoreStats, StoreWriter } from '../store.ts'
import { NO_MEMORY } from './absent-disk.ts'
import { adopt } from './adoption.ts'
import { Entry } from './disk-index.ts'
import { DiskWriter, Pending, type Written } from './disk-writer.ts'
import { codeOf, type DiskFiles, making, unlinkIfThere } from './files.ts'
import { headsOf } from './heads.ts'
import type { DiskEvent } from './health.ts'
import { type EntryName, hashKey, hashVariant } from './layout.ts'
import type { Lock } from './lock.ts'
import { assemble, type DiskParts } from './parts.ts'
import { Reconciliation } from './reconciliation.ts'
import { Renewal } from './renewal.ts'
import { Replay } from './replay.ts'
import { prepare, unusable } from './site.ts'

export interface DiskStoreOptions {
  /** The directory; created when absent. It belongs to this process alone while it is open. */
  readonly path: string
  /** Bound of all files in it, in bytes: responses, those being written, and the journal. Other people's are not counted. */
  readonly maxBytes: number
  /** A response whose body is larger is not kept. */
  readonly maxEntryBytes: number
  /** Hears what an operator may want to read. */
  readonly log: (event: DiskEvent) => void
  /** The file system; the real one by default. */
  readonly files?: DiskFiles
}

/** How often a response is looked for again because it was replaced while it was read. */
const MAX_TRIES = 4

/** Least recently used responses go first; the admission of a head plays no part here, since the disk is large. */
export class DiskStore implements Store {
  readonly #options: DiskStoreOptions
  readonly #parts: DiskParts
  readonly #lock: Lock
  readonly #renewal: Renewal
  readonly #writers = new Set<DiskWriter>()
  readonly #pending = new Pending()
  /** Keys stored or deleted while the reconciliation runs: what it finds of them is older. Undefined afterwards. */
  #touched: Set<string> | undefined = new Set()
  #reconciled: Promise<void> = Promise.resolve()
  /** Resolves when the books can be relied on, so that more may be written. */
  #trusted: Promise<void> = Promise.resolve()
  #declined = 0
  #isClosed = false

  private constructor(options: DiskStoreOptions, parts: DiskParts, lock: Lock) {
    this.#options = options
    this.#parts = parts
    this.#lock = lock
    this.#renewal = new Renewal(parts)
  }

  /**
   * Knows what lies there when it resolves, and goes on to look whether that is true. Throws an Error of one line when
   * the directory cannot be used.
   */
  static async open(options: DiskStoreOptions): Promise<DiskStore> {
    const files = options.files ?? promises
    const parts = assemble(files, options.path, options.maxBytes, options.log)
    const { lock, isNew } = await prepare(files, parts.layout, parts.generations)
    const store = new DiskStore(options, parts, lock)
    try {
      await store.#start(isNew)
      return store
    } catch (error) {
      await parts.journal.close()
      await lock.release()
      throw unusable(options.path, 'is not writable', error)
    }
  }

  /** Resolves when what is known agrees with what lies on disk. */
  get reconciled(): Promise<void> {
    return this.#reconciled
  }

  peek(): undefined {
    return undefined
  }

  async get(key: CacheKey, request: RequestHead): Promise<StoredResponse | undefined> {
    const keyHash = hashKey(key)
    for (let tries = 0; tries < MAX_TRIES && this.#isOn; tries++) {
      const found = await this.#find(keyHash, key, request)
      if (found !== 'moved') return found
    }
    return undefined
  }

  has(key: CacheKey): boolean {
    return this.#isOn && this.#parts.index.variants(hashKey(key)).length > 0
  }

  use(key: CacheKey): void {
    const { index } = this.#parts
    for (const entry of index.variants(hashKey(key))) index.use(entry)
  }

  demote(key: CacheKey): void {
    const { index } = this.#parts
    for (const entry of index.variants(hashKey(key))) index.demote(entry)
  }

  async open(head: StoredHead, size: number | undefined): Promise<StoreWriter | undefined> {
    if (!this.#isOn) return undefined
    if ((size ?? 0) > this.#options.maxEntryBytes) {
      this.#declined++
      return undefined
    }
    const { files, generations, health, layout, ledger, openFiles } = this.#parts
    const writer = new DiskWriter(head, layout.aside(generations.next()), {
      files,
      maxEntryBytes: this.#options.maxEntryBytes,
      reserve: async (bytes) => {
        await this.#trusted
        return health.state === 'on' && (await ledger.reserve(bytes))
      },
      release: (bytes) => ledger.release(bytes),
      pending: this.#pending,
      publish: (written) => this.#publish(written),
      onDeclined: () => {
        this.#declined++
      },
      onFailure: (error) => {
        // What was removed and is still open takes room that only the system sees.
        if (codeOf(error) === 'ENOSPC') void openFiles.closeIdleRemoved()
        health.failed('write a response', error)
      },
      onEnd: (ended) => this.#writers.delete(ended),
    })
    this.#writers.add(writer)
    return writer
  }

  async refresh(head: StoredHead): Promise<boolean> {
    if (!this.#isOn) return false
    this.#parts.upkeep.rewriteWhenLong()
    return await this.#renewal.renew(head)
  }

  /** Works on a failed disk too, as far as that can be: what was to be forgotten must not come back. */
  async delete(key: CacheKey): Promise<boolean> {
    if (this.#isClosed) return false
    const keyHash = hashKey(key)
    this.#touched?.add(keyHash)
    const entries = this.#parts.index.variants(keyHash)
    await Promise.all(entries.map((entry) => this.#remove(entry)))
    this.#parts.upkeep.rewriteWhenLong()
    return entries.length > 0 && this.#isOn
  }

  /** What a start has not found yet is waited for. */
  async *heads(place: 'memory' | 'disk'): AsyncGenerator<StoredHead> {
    if (place === 'memory') return
    await this.#reconciled
    yield* headsOf(this.#parts, () => this.#isOn)
  }

  stats(): StoreStats {
    const { health, index, ledger } = this.#parts
    const disk = {
      state: health.state,
      entries: this.#isOn ? index.entries : 0,
      bytes: this.#isOn ? ledger.bytes : 0,
      maxBytes: this.#options.maxBytes,
      evictions: index.evictions,
      declined: this.#declined,
      errors: health.errors,
      corrupt: health.corrupt,
    }
    return { memory: NO_MEMORY, disk }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const { journal, openFiles, removal, upkeep } = this.#parts
    await Promise.all([...this.#writers].map((writer) => writer.stop()))
    await Promise.all([this.#reconciled, this.#renewal.idle()])
    await removal.stop()
    await upkeep.stop()
    await journal.close()
    await openFiles.close()
    await this.#lock.release()
  }

  get #isOn(): boolean {
    return !this.#isClosed && this.#parts.health.state === 'on'
  }

  async #start(isNew: boolean): Promise<void> {
    const { files, health, index, journal, layout, removal, upkeep } = this.#parts
    const replay = new Replay(index)
    const state = await journal.load(replay)
    for (const entry of await replay.finish(files, layout)) removal.later(entry)
    if (state === 'damaged') health.damaged(layout.journal, new Error('records of the journal are damaged'))
    if (state === 'whole') upkeep.rewriteWhenLong()
    else await upkeep.rewrite()
    this.#reconciled = this.#reconcile()
    // Without a whole journal there may be files that nobody has counted.
    if (state === 'damaged' || (state === 'absent' && !isNew)) this.#trusted = this.#reconciled
  }

  async #reconcile(): Promise<void> {
    const { files, generations, health, index, layout, openFiles } = this.#parts
    const isSuperseded = ({ keyHash, variantHash }: EntryName): boolean =>
      this.#touched?.has(keyHash) === true || index.find(keyHash, variantHash) !== undefined
    try {
      await new Reconciliation({
        files,
        layout,
        index,
        health,
        log: this.#options.log,
        isClosed: () => this.#isClosed,
        isOurs: ({ generation }) => generations.isOurs(generation),
        adopt: (name) => adopt(this.#parts, name, isSuperseded),
        drop: (entry) => this.#remove(entry),
        remove: async (path) => {
          await unlinkIfThere(files, path)
          void openFiles.removed(path)
        },
      }).run()
    } catch (error) {
      health.failed('look through the directory', error)
    }
    this.#touched = undefined
  }

  async #find(
    keyHash: string,
    key: CacheKey,
    request: RequestHead,
  ): Promise<StoredResponse | 'moved' | undefined> {
    const { distrust, index, reader } = this.#parts
    let hasMoved = false
    for (const entry of index.variants(keyHash)) {
      try {
        const stored = await reader.read(entry)
        if (stored.head.key !== key || !matches(stored.head.variant, request)) continue
        index.use(entry)
        return stored
      } catch (error) {
        if (!index.has(entry)) hasMoved = true
        distrust(entry, error)
      }
    }
    return hasMoved ? 'moved' : undefined
  }

  async #publish(written: Written): Promise<StoredResponse | undefined> {
    const { arriving, files, generations, health, index, journal, layout, ledger, openFiles, reader } =
      this.#parts
    const { head, aside, handle, bytes, start, size, table, reserved } = written
    const name = {
      keyHash: hashKey(head.key),
      variantHash: hashVariant(head.variant),
      generation: generations.next(),
    }
    const entry = new Entry(name, bytes, 0)
    const path = layout.path(entry, 'body')
    arriving.add(entry)
    try {
      if (!(await journal.append('put', entry))) return undefined
      await making(files, path, () => files.rename(aside, path))
    } catch (error) {
      health.failed(`rename ${aside}`, error)
      void journal.append('remove', entry)
      return undefined
    } finally {
      arriving.delete(entry)
    }
    health.succeeded()
    this.#touched?.add(entry.keyHash)
    ledger.release(reserved)
    const gone = index.add(entry)
    openFiles.adopt(path, handle)
    await Promise.all(gone.map((before) => this.#parts.removal.now(before)))
    this.#parts.upkeep.rewriteWhenLong()
    return { head, body: reader.body(entry, start, size, table) }
  }

  async #remove(entry: Entry): Promise<void> {
    if (this.#parts.index.remove(entry)) await this.#parts.removal.now(entry)
  }
}
