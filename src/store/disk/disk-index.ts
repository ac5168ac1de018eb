/** What is on disk, in few bytes of memory each: found by key, evicted least recently used first. */
import { LRUCache } from 'lru-cache'
import { Leaving } from '../leaving.ts'
import type { EntryName } from './layout.ts'

/** Variants of one key kept at once. An origin that varies by more than this varies by viewer. */
const MAX_VARIANTS = 16

/** The unit in which a file system gives room. */
const CLUSTER_BYTES = 4096

/** The room that a file of this size takes. */
export function roomOf(bytes: number): number {
  return Math.ceil(bytes / CLUSTER_BYTES) * CLUSTER_BYTES
}

/** One stored response: 300,000 of them are held in memory, so it has no field that can be computed or read. */
export class Entry implements EntryName {
  readonly keyHash: string
  readonly variantHash: number
  readonly generation: number
  /** Length of its file. */
  readonly bytes: number
  /** Length of the file with its newer head; 0 when there is none. */
  headBytes: number
  /** The next older variant of the same key. */
  older: Entry | undefined = undefined
  /** The higher the later it was used; compared within one key only. */
  usedAs = 0

  constructor(name: EntryName, bytes: number, headBytes: number) {
    this.keyHash = name.keyHash
    this.variantHash = name.variantHash
    this.generation = name.generation
    this.bytes = bytes
    this.headBytes = headBytes
  }

  get room(): number {
    return roomOf(this.bytes) + roomOf(this.headBytes)
  }
}

export class DiskIndex {
  readonly #newest = new Map<string, Entry>()
  readonly #used: LRUCache<Entry, Entry>
  readonly #leaving = new Leaving<Entry>()
  readonly #onEvict: (entry: Entry) => void
  #uses = 0
  #evictions = 0

  /** `onEvict` hears of each entry that went for room; its files are still there. */
  constructor(maxBytes: number, onEvict: (entry: Entry) => void) {
    this.#onEvict = onEvict
    this.#used = new LRUCache({
      maxSize: Math.max(1, maxBytes),
      sizeCalculation: (entry) => entry.room,
      dispose: (entry, _key, reason) => {
        this.#unchain(entry)
        this.#leaving.remove(entry)
        if (reason === 'evict') this.#evicted(entry)
      },
    })
  }

  get entries(): number {
    return this.#used.size
  }

  /** The room that all entries take. */
  get bytes(): number {
    return this.#used.calculatedSize
  }

  get evictions(): number {
    return this.#evictions
  }

  has(entry: Entry): boolean {
    return this.#used.has(entry)
  }

  /** All variants of a key, those stored last first. */
  variants(keyHash: string): Entry[] {
    const entries: Entry[] = []
    for (let entry = this.#newest.get(keyHash); entry !== undefined; entry = entry.older) entries.push(entry)
    return entries
  }

  find(keyHash: string, variantHash: number): Entry | undefined {
    for (let entry = this.#newest.get(keyHash); entry !== undefined; entry = entry.older) {
      if (entry.variantHash === variantHash) return entry
    }
    return undefined
  }

  /** Answers what had to go for it: the same variant, the least recently used of too many, itself when there is no room. */
  add(entry: Entry): Entry[] {
    const gone: Entry[] = []
    const variants = this.variants(entry.keyHash)
    const same = variants.find((variant) => variant.variantHash === entry.variantHash)
    if (same !== undefined) gone.push(same)
    else if (variants.length >= MAX_VARIANTS) {
      gone.push(variants.reduce((least, variant) => (variant.usedAs < least.usedAs ? variant : least)))
    }
    for (const before of gone) this.remove(before)
    this.#put(entry)
    // Larger than all the room: the bound was lowered since it was stored.
    if (!this.has(entry)) gone.push(entry)
    return gone
  }

  /** Says that it was asked for. */
  use(entry: Entry): void {
    if (this.#used.get(entry) === undefined) return
    entry.usedAs = ++this.#uses
    this.#leaving.remove(entry)
  }

  /** Says that it will hardly be asked for again. */
  demote(entry: Entry): void {
    if (this.has(entry)) this.#leaving.add(entry)
  }

  /** Its head was renewed, so it counts as stored last; room for it has been made. */
  setHeadBytes(entry: Entry, bytes: number): void {
    // It is weighed when it is put, so it must be put anew.
    if (!this.remove(entry)) return
    entry.headBytes = bytes
    this.#put(entry)
  }

  /** False when it was gone already. */
  remove(entry: Entry): boolean {
    return this.#used.delete(entry)
  }

  /** Lets one that leaves anyway go, else the least recently used one. False when there is none. */
  evict(): boolean {
    const leaving = this.#leaving.take()
    if (leaving !== undefined) {
      this.#used.delete(leaving)
      this.#evicted(leaving)
      return true
    }
    return this.#used.pop() !== undefined
  }

  /** All entries, least recently used first. */
  leastRecentFirst(): Entry[] {
    return [...this.#used.rvalues()].filter((entry) => entry !== undefined)
  }

  #put(entry: Entry): void {
    this.#used.set(entry, entry)
    if (!this.has(entry)) return
    entry.older = this.#newest.get(entry.keyHash)
    this.#newest.set(entry.keyHash, entry)
    entry.usedAs = ++this.#uses
  }

  #evicted(entry: Entry): void {
    this.#evictions++
    this.#onEvict(entry)
  }

  #unchain(entry: Entry): void {
    const newest = this.#newest.get(entry.keyHash)
    if (newest === entry) {
      if (entry.older === undefined) this.#newest.delete(entry.keyHash)
      else this.#newest.set(entry.keyHash, entry.older)
      return
    }
    for (let newer = newest; newer !== undefined; newer = newer.older) {
      if (newer.older === entry) newer.older = entry.older
    }
  }
}
