/**
 * The purges on disk, so that a node that comes back knows which ones it has applied to what it holds.
 *
 * Lines of text, each `<crc32 in 8 hex digits> <json>`:
 *
 *     {"rule": …, "takenAt": …}     a purge, written when it was taken
 *     {"floors": {…}, "at": …}      what is no longer in this file, at its beginning
 *     {"at": …}                     the node knew all purges until then
 *
 * What a kill leaves torn at the end is cut off: the rule was promised to nobody, and is told again.
 */
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { isBadPurge, isRecord, type PurgeRule, readPurgeRule } from '../purge/purge-rule.ts'
import type { Instant } from '../rfc/heads.ts'
import { codeOf, type DiskFiles, makeDirectory, unlinkIfThere, writeFully } from '../store/disk/files.ts'
import type { Positions } from './purge-log.ts'
import { readPositions } from './wire-values.ts'

/** What one line says. */
export type PurgeLine =
  | { readonly rule: PurgeRule; readonly takenAt: Instant }
  | { readonly floors: Positions; readonly at: Instant }
  | { readonly at: Instant }

export interface LoadedPurges {
  readonly lines: readonly PurgeLine[]
  /**
   * - `absent`: there was no file
   * - `torn`: its last line was not whole, and is cut off
   * - `damaged`: something before its end was not whole, and all from there on is cut off
   */
  readonly state: 'whole' | 'torn' | 'damaged' | 'absent'
}

/** Lines made between two turns of the event loop, so that viewers do not wait for a long log. */
const LINES_A_TURN = 1_000

/** Writes one after the other; a failure is told, and what failed stays known in memory until the file is written anew. */
export class PurgeFile {
  readonly #files: DiskFiles
  readonly #path: string
  readonly #onTrouble: (what: string, error: unknown) => void
  #handle: FileHandle | undefined
  #bytes = 0
  #pending: Buffer[] = []
  #batch: Promise<boolean> | undefined
  #last: Promise<unknown> = Promise.resolve()
  #isWhole = true

  constructor(files: DiskFiles, path: string, onTrouble: (what: string, error: unknown) => void) {
    this.#files = files
    this.#path = path
    this.#onTrouble = onTrouble
  }

  get bytes(): number {
    return this.#bytes
  }

  /** False after a write that failed, until it is rewritten. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** Reads it, and goes on at the end of what is whole. Throws when there is a file that cannot be read, or none can be made. */
  async load(): Promise<LoadedPurges> {
    await makeDirectory(this.#files, dirname(this.#path))
    const before = await this.#read()
    this.#handle = await this.#files.open(this.#path, before === undefined ? 'w+' : 'r+')
    if (before === undefined) return { lines: [], state: 'absent' }
    const lines: PurgeLine[] = []
    let at = 0
    for (;;) {
      const end = before.indexOf(0x0a, at)
      const line = end < 0 ? undefined : decode(before.toString('utf8', at, end))
      if (line === undefined) break
      lines.push(line)
      at = end + 1
    }
    this.#bytes = at
    if (at === before.byteLength) return { lines, state: 'whole' }
    await this.#handle.truncate(at)
    return { lines, state: before.indexOf(0x0a, at) < 0 ? 'torn' : 'damaged' }
  }

  /** Answers when it is written, with others that came meanwhile. False: it could not be, which was told. */
  append(line: PurgeLine): Promise<boolean> {
    this.#pending.push(encode(line))
    this.#batch ??= this.#afterLast(() => this.#writeBatch())
    return this.#batch
  }

  /** Writes it anew with these lines alone, and then what is appended from now on. False: the old one stays. */
  rewrite(lines: () => Iterable<PurgeLine>): Promise<boolean> {
    return this.#afterLast(async () => {
      const aside = `${this.#path}.aside`
      // In one turn: what is pending is among these lines already.
      const all = [...lines()]
      this.#pending = []
      let handle: FileHandle | undefined
      let bytes = 0
      try {
        handle = await this.#files.open(aside, 'w+')
        for (let start = 0; start < all.length; start += LINES_A_TURN) {
          const part = Buffer.concat(all.slice(start, start + LINES_A_TURN).map(encode))
          await writeFully(handle, [part], bytes)
          bytes += part.byteLength
        }
        await this.#files.rename(aside, this.#path)
      } catch (error) {
        this.#isWhole = false
        this.#onTrouble('write the log of purges anew', error)
        await handle?.close()
        // It is in nobody's way if it cannot be removed either.
        await unlinkIfThere(this.#files, aside).catch(() => undefined)
        return false
      }
      const before = this.#handle
      this.#handle = handle
      this.#bytes = bytes
      this.#isWhole = true
      // It has no name any more, so what happens to it matters to nobody.
      await before?.close().catch(() => undefined)
      return true
    })
  }

  /** Resolves when all that was appended is written. */
  async close(): Promise<void> {
    await this.#last
    await this.#handle?.close()
    this.#handle = undefined
  }

  async #read(): Promise<Buffer | undefined> {
    try {
      return await this.#files.readFile(this.#path)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** One after the other, in the order asked for; none of them throws. */
  #afterLast<T>(deed: () => Promise<T>): Promise<T> {
    const done = this.#last.then(deed)
    this.#last = done
    return done
  }

  async #writeBatch(): Promise<boolean> {
    const lines = this.#pending
    this.#pending = []
    this.#batch = undefined
    if (this.#handle === undefined || !this.#isWhole) return false
    try {
      await writeFully(this.#handle, lines, this.#bytes)
      this.#bytes += lines.reduce((sum, { byteLength }) => sum + byteLength, 0)
      return true
    } catch (error) {
      // A rule that is missing would leave a hole before all that follow, so nothing follows until it is rewritten.
      this.#isWhole = false
      this.#onTrouble('write the log of purges', error)
      return false
    }
  }
}

function encode(line: PurgeLine): Buffer {
  const json = JSON.stringify(line)
  return Buffer.from(`${crc32(json).toString(16).padStart(8, '0')} ${json}\n`)
}

/** Undefined: damaged. */
function decode(text: string): PurgeLine | undefined {
  const json = text.slice(9)
  if (text.slice(0, 9) !== `${crc32(json).toString(16).padStart(8, '0')} `) return undefined
  try {
    return lineOf(JSON.parse(json))
  } catch {
    return undefined // not JSON: no line of ours, as the caller finds out
  }
}

function lineOf(value: unknown): PurgeLine | undefined {
  if (!isRecord(value)) return undefined
  const { rule, takenAt, floors, at } = value
  if (rule !== undefined) {
    const read = readPurgeRule(rule)
    return isBadPurge(read) || typeof takenAt !== 'number' ? undefined : { rule: read, takenAt }
  }
  if (typeof at !== 'number') return undefined
  if (floors === undefined) return { at }
  const read = readPositions(floors)
  return read === undefined ? undefined : { floors: read, at }
}
