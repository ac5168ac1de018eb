/** Finds what an entry's files hold: head and end are verified, and the body too where it is small. */

import { isSameVariant } from '../../rfc/vary.ts'
import type { Body, StoredHead, StoredResponse } from '../store.ts'
import { WholeBody } from '../whole-body.ts'
import { DiskBody } from './disk-body.ts'
import type { Entry } from './disk-index.ts'
import { codeOf, type DiskFiles, readFully } from './files.ts'
import type { EntryName, Layout } from './layout.ts'
import type { OpenFiles } from './open-files.ts'
import {
  DamageError,
  decodeHead,
  decodePrefix,
  decodeTable,
  decodeTrailer,
  endBytes,
  PREFIX_BYTES,
  type Prefix,
  type RecordKind,
  TRAILER_BYTES,
  verifyBlocks,
} from './record.ts'

/** A file up to this size is read at once: one read costs no more than the two for head and end. */
const WHOLE_BYTES = 256 * 1024
/** Most heads are shorter. */
const HEAD_GUESS_BYTES = 4096
/** Most tables are shorter. */
const END_GUESS_BYTES = 1024

export interface ReaderRoom {
  readonly files: DiskFiles
  readonly layout: Layout
  readonly openFiles: OpenFiles
  /** Hears what stopped the read of a body that had been found. */
  onFailure(entry: Entry, error: unknown): void
}

export class DiskReader {
  readonly #room: ReaderRoom

  constructor(room: ReaderRoom) {
    this.#room = room
  }

  /** Throws a DamageError when a file is not what was written, and what the system throws. */
  async read(entry: Entry): Promise<StoredResponse> {
    const [own, newer] = await Promise.all([
      entry.bytes <= WHOLE_BYTES ? this.#small(entry) : this.#large(entry),
      entry.headBytes > 0 ? this.#newerHead(entry) : undefined,
    ])
    if (newer === undefined) return own
    if (newer.key !== own.head.key || !isSameVariant(newer.variant, own.head.variant)) {
      throw new DamageError('the newer head belongs to another response')
    }
    return { head: newer, body: own.body }
  }

  /** The head alone; throws as `read` does. */
  async head(entry: Entry): Promise<StoredHead> {
    const newer = entry.headBytes > 0 ? await this.#newerHead(entry) : undefined
    if (newer !== undefined) return newer
    const handle = await this.#room.files.open(this.#room.layout.path(entry, 'body'), 'r')
    const part = async (length: number): Promise<Buffer> => {
      const bytes = Buffer.allocUnsafe(length)
      return bytes.subarray(0, await readFully(handle, bytes, 0))
    }
    try {
      const guess = await part(Math.min(HEAD_GUESS_BYTES, entry.bytes))
      const length = PREFIX_BYTES + decodePrefix('response', guess).headBytes
      return opened('response', length <= guess.byteLength ? guess : await part(length)).head
    } finally {
      await handle.close()
    }
  }

  /** The body of a file whose table is known, to be read when it is asked for. */
  body(entry: Entry, start: number, size: number, table: Uint32Array): Body {
    const { layout, openFiles } = this.#room
    return new DiskBody({
      path: layout.path(entry, 'body'),
      openFiles,
      start,
      size,
      table,
      onFailure: (error) => this.#room.onFailure(entry, error),
    })
  }

  async #small(entry: Entry): Promise<StoredResponse> {
    const bytes = await this.#whole(entry, 'body', entry.bytes)
    const { prefix, head } = opened('response', bytes)
    const size = decodeTrailer(bytes.subarray(-TRAILER_BYTES), prefix.headBytes, entry.bytes)
    const table = decodeTable(bytes.subarray(-endBytes(size)))
    const start = PREFIX_BYTES + prefix.headBytes
    const body = bytes.subarray(start, start + size)
    verifyBlocks(table, 0, body)
    return { head, body: new WholeBody(size === 0 ? [] : [body]) }
  }

  async #large(entry: Entry): Promise<StoredResponse> {
    const lease = await this.#room.openFiles.lease(this.#room.layout.path(entry, 'body'))
    const part = async (start: number, length: number): Promise<Buffer> => {
      const bytes = Buffer.allocUnsafeSlow(length)
      return bytes.subarray(0, await readFully(lease.handle, bytes, start))
    }
    const partOrMore = async (guess: Buffer, start: number, length: number): Promise<Buffer> =>
      length <= guess.byteLength ? guess : await part(start, length)
    try {
      const [headGuess, endGuess] = await Promise.all([
        part(0, HEAD_GUESS_BYTES),
        part(entry.bytes - END_GUESS_BYTES, END_GUESS_BYTES),
      ])
      const { headBytes } = decodePrefix('response', headGuess)
      const { head } = opened('response', await partOrMore(headGuess, 0, PREFIX_BYTES + headBytes))
      const size = decodeTrailer(endGuess.subarray(-TRAILER_BYTES), headBytes, entry.bytes)
      const end = await partOrMore(endGuess, entry.bytes - endBytes(size), endBytes(size))
      return {
        head,
        body: this.body(entry, PREFIX_BYTES + headBytes, size, decodeTable(end.subarray(-endBytes(size)))),
      }
    } finally {
      lease.release()
    }
  }

  /** Undefined when it is not there: a kill came between its record and its name, and the file's own head holds. */
  async #newerHead(entry: EntryName): Promise<StoredHead | undefined> {
    try {
      const bytes = await this.#room.files.readFile(this.#room.layout.path(entry, 'head'))
      return opened('head', bytes).head
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  async #whole(entry: EntryName, part: 'body', length: number): Promise<Buffer> {
    const handle = await this.#room.files.open(this.#room.layout.path(entry, part), 'r')
    try {
      const bytes = Buffer.allocUnsafeSlow(length)
      return bytes.subarray(0, await readFully(handle, bytes, 0))
    } finally {
      await handle.close()
    }
  }
}

/** What the bytes of a file open with. */
function opened(kind: RecordKind, bytes: Buffer): { prefix: Prefix; head: StoredHead } {
  const prefix = decodePrefix(kind, bytes)
  return { prefix, head: decodeHead(prefix, bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + prefix.headBytes)) }
}
