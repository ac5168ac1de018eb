/**
 * The journal: what is on disk, as an append-only list, so that a start need not look at every file.
 *
 * Records of 44 bytes, little-endian; the first is the magic `RELAISRJ`, version and CRC:
 *
 *     offset  bytes
 *          0     16   hash of the key
 *         16      4   hash of the variant
 *         20      6   generation
 *         26      6   length of the file
 *         32      4   length of the file with its newer head, 0 without
 *         36      1   1: put, 2: remove
 *         37      3   0
 *         40      4   CRC-32 of the 40 bytes before
 *
 * A put is written before its file gets its name, a remove after the file is gone. So after a kill the journal may
 * name files that are not there, but every file there has its record, and what is counted is never less than what is.
 * A damaged record is skipped: the reconciliation finds what it said. The files are the truth, the journal a hint.
 */
import type { FileHandle } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { Entry } from './disk-index.ts'
import { codeOf, type DiskFiles, making, unlinkIfThere, writeFully } from './files.ts'
import type { Health } from './health.ts'
import { type EntryName, KEY_HASH_BYTES } from './layout.ts'

export const RECORD_BYTES = 44

const MAGIC = 'RELAISRJ'
const VERSION = 1
const CODE = { put: 1, remove: 2 } as const
const SUM_AT = 40

/** Entries written between two turns of the event loop while the journal is rewritten. */
const ENTRIES_A_TURN = 2000

/** Below so many records it is not worth rewriting. */
const MIN_REWRITTEN = 4096

export type JournalVerb = keyof typeof CODE

/** Who hears what the journal says, in its order. */
export interface JournalReader {
  put(entry: Entry): void
  remove(name: EntryName): void
}

export class Journal {
  readonly #files: DiskFiles
  readonly #path: string
  readonly #health: Health
  readonly #onGrown: (bytes: number) => void
  #handle: FileHandle | undefined
  #records = 0
  #pending: Buffer[] = []
  #batch: Promise<boolean> | undefined
  #last: Promise<unknown> = Promise.resolve()
  /** What was appended since a rewriting began; undefined while there is none. */
  #since: Buffer[] | undefined

  /** `onGrown` hears its length whenever that changes. */
  constructor(files: DiskFiles, path: string, health: Health, onGrown: (bytes: number) => void) {
    this.#files = files
    this.#path = path
    this.#health = health
    this.#onGrown = onGrown
  }

  /**
   * Reads it from the beginning, and goes on at its end when it is `whole`: every record is as it was written. Else it
   * takes no records until it is rewritten.
   */
  async load(reader: JournalReader): Promise<'whole' | 'damaged' | 'absent'> {
    let bytes: Buffer
    try {
      bytes = await this.#files.readFile(this.#path)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return 'absent'
      this.#health.failed('read the journal', error)
      return 'damaged'
    }
    if (!bytes.subarray(0, RECORD_BYTES).equals(opening())) return 'damaged'
    let isWhole = true
    // A torn record at the end is what a kill leaves behind: it spoils nothing, and the next one is written over it.
    const records = Math.floor(bytes.byteLength / RECORD_BYTES)
    for (let record = 1; record < records; record++) {
      if (!read(bytes, record * RECORD_BYTES, reader)) isWhole = false
    }
    if (!isWhole) return 'damaged'
    this.#handle = await this.#files.open(this.#path, 'r+')
    this.#setRecords(records)
    return 'whole'
  }

  /** Whether it says much that no longer matters, with so many entries alive. */
  isLong(entries: number): boolean {
    return this.#since === undefined && this.#records > 2 * entries + MIN_REWRITTEN
  }

  /** Answers when it is written. False: it could not be, which is counted, and the next start finds out by itself. */
  append(verb: JournalVerb, entry: Entry): Promise<boolean> {
    const record = Buffer.alloc(RECORD_BYTES)
    encode(verb, entry, record, 0)
    this.#pending.push(record)
    this.#since?.push(record)
    this.#batch ??= this.#afterLast(() => this.#writeBatch())
    return this.#batch
  }

  /** How long it becomes when it is rewritten with so many entries. */
  static lengthOf(entries: number): number {
    return (entries + 1) * RECORD_BYTES
  }

  /**
   * Writes it anew at `aside` and puts that in its place, so that it names these entries and what is appended
   * meanwhile. Throws when that fails: then the old one goes on.
   */
  async rewrite(entries: readonly Entry[], aside: string): Promise<void> {
    // From the moment on at which the caller listed the entries.
    this.#since = []
    try {
      await this.#writeAnew(entries, aside)
    } finally {
      this.#since = undefined
    }
  }

  /** Resolves when all that was appended is written. */
  async close(): Promise<void> {
    await this.#last
    await this.#handle?.close()
    this.#handle = undefined
  }

  async #writeAnew(entries: readonly Entry[], aside: string): Promise<void> {
    const handle = await making(this.#files, aside, () => this.#files.open(aside, 'wx'))
    try {
      await writeFully(handle, [opening()], 0)
      let records = 1
      for (let start = 0; start < entries.length; start += ENTRIES_A_TURN) {
        const part = entries.slice(start, start + ENTRIES_A_TURN)
        const bytes = Buffer.alloc(part.length * RECORD_BYTES)
        for (const [index, entry] of part.entries()) encode('put', entry, bytes, index * RECORD_BYTES)
        await writeFully(handle, [bytes], records * RECORD_BYTES)
        records += part.length
        await nextTurn()
      }
      await this.#takeOver(handle, aside, records)
    } catch (error) {
      await handle.close()
      await unlinkIfThere(this.#files, aside)
      throw error
    }
  }

  /** Between two batches, so that no record is lost between the old and the new one. */
  #takeOver(handle: FileHandle, aside: string, records: number): Promise<void> {
    return this.#afterLast(async () => {
      // What is pending is among these, and will be written a second time: records say the same however often.
      const since = this.#since ?? []
      this.#since = undefined
      await writeFully(handle, [Buffer.concat(since)], records * RECORD_BYTES)
      await this.#files.rename(aside, this.#path)
      const before = this.#handle
      this.#handle = handle
      this.#setRecords(records + since.length)
      // It has no name any more, so what happens to it matters to nobody.
      await before?.close().catch(() => undefined)
    })
  }

  /** One after the other, in the order asked for; one that failed does not stop the next. */
  #afterLast<T>(deed: () => Promise<T>): Promise<T> {
    const done = this.#last.then(deed)
    this.#last = done.catch(() => undefined)
    return done
  }

  async #writeBatch(): Promise<boolean> {
    const records = this.#pending
    this.#pending = []
    this.#batch = undefined
    if (this.#handle === undefined) return false
    try {
      await writeFully(this.#handle, [Buffer.concat(records)], this.#records * RECORD_BYTES)
      this.#setRecords(this.#records + records.length)
      return true
    } catch (error) {
      // The next batch goes to the same place, over what may have been written of this one.
      this.#health.failed('write the journal', error)
      return false
    }
  }

  #setRecords(records: number): void {
    this.#records = records
    this.#onGrown(records * RECORD_BYTES)
  }
}

function opening(): Buffer {
  const bytes = Buffer.alloc(RECORD_BYTES)
  bytes.write(MAGIC, 0, 'latin1')
  bytes.writeUInt32LE(VERSION, MAGIC.length)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, SUM_AT)), SUM_AT)
  return bytes
}

function encode(verb: JournalVerb, entry: Entry, bytes: Buffer, at: number): void {
  bytes.write(entry.keyHash, at, 'latin1')
  bytes.writeInt32LE(entry.variantHash, at + 16)
  bytes.writeUIntLE(entry.generation, at + 20, 6)
  bytes.writeUIntLE(entry.bytes, at + 26, 6)
  bytes.writeUInt32LE(entry.headBytes, at + 32)
  bytes.writeUInt8(CODE[verb], at + 36)
  bytes.writeUInt32LE(crc32(bytes.subarray(at, at + SUM_AT)), at + SUM_AT)
}

/** False when the record is damaged. */
function read(bytes: Buffer, at: number, reader: JournalReader): boolean {
  if (bytes.readUInt32LE(at + SUM_AT) !== crc32(bytes.subarray(at, at + SUM_AT))) return false
  const name = {
    keyHash: bytes.toString('latin1', at, at + KEY_HASH_BYTES),
    variantHash: bytes.readInt32LE(at + 16),
    generation: bytes.readUIntLE(at + 20, 6),
  }
  if (bytes.readUInt8(at + 36) === CODE.remove) reader.remove(name)
  else reader.put(new Entry(name, bytes.readUIntLE(at + 26, 6), bytes.readUInt32LE(at + 32)))
  return true
}
