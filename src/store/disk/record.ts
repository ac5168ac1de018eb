/**
 * How a response lies in its file.
 *
 * All numbers are little-endian. `h` is the length of the head, `b` that of the body, `n` the number of its blocks.
 *
 *     offset         bytes
 *          0             8   magic: `RELAISRB` for a response, `RELAISRH` for a head of its own
 *          8             4   version of this format
 *         12             4   h
 *         16             4   CRC-32 of the head
 *         20             4   CRC-32 of the 20 bytes before
 *         24             h   the head: StoredHead as JSON
 *       24+h             b   the body
 *     24+h+b            4n   the table: CRC-32 of each block of 256 KiB of the body, the last one as short as it is
 *  24+h+b+4n             8   b
 *                        4   CRC-32 of the table
 *                        4   CRC-32 of the 12 bytes before
 *                        8   end magic `RELAISRE`
 *
 * A 304 renews a head without touching the body: the new one lies in a file beside it, which ends after the head.
 *
 * Example: a body of 300,000 bytes and a head of 500 make a file of 24 + 500 + 300,000 + 2 * 4 + 24 = 300,556 bytes.
 *
 * Nothing is synced to the platter: what a killed process has written is safe with the system, and what a loss of
 * power tears does not pass the sums.
 */
import { crc32 } from 'node:zlib'
import type { StoredHead } from '../store.ts'

export const BLOCK_BYTES = 256 * 1024
export const PREFIX_BYTES = 24
export const TRAILER_BYTES = 24

/** No head of a real response is as large, so a length above is damage. */
export const MAX_HEAD_BYTES = 1024 * 1024

const VERSION = 1
const MAGIC = { response: 'RELAISRB', head: 'RELAISRH' } as const
const END_MAGIC = 'RELAISRE'

export type RecordKind = keyof typeof MAGIC

/** What lies on disk is not what was written. */
export class DamageError extends Error {
  override readonly name = 'DamageError'
}

export interface Prefix {
  readonly headBytes: number
  readonly headSum: number
}

/** Prefix and head, as they open a file. */
export function encodeHead(kind: RecordKind, head: StoredHead): Buffer {
  const json = Buffer.from(JSON.stringify(head))
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + json.byteLength)
  bytes.write(MAGIC[kind], 0, 'latin1')
  bytes.writeUInt32LE(VERSION, 8)
  bytes.writeUInt32LE(json.byteLength, 12)
  bytes.writeUInt32LE(crc32(json), 16)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 20)), 20)
  json.copy(bytes, PREFIX_BYTES)
  return bytes
}

/** Throws a DamageError when the file does not begin as a file of this kind does. */
export function decodePrefix(kind: RecordKind, bytes: Buffer): Prefix {
  if (bytes.byteLength < PREFIX_BYTES) throw new DamageError('the file is too short for a head')
  if (bytes.toString('latin1', 0, 8) !== MAGIC[kind]) throw new DamageError('the file has another magic')
  if (bytes.readUInt32LE(20) !== crc32(bytes.subarray(0, 20))) throw new DamageError('the prefix is damaged')
  const version = bytes.readUInt32LE(8)
  if (version !== VERSION) throw new DamageError(`the file has format ${version}, not ${VERSION}`)
  const headBytes = bytes.readUInt32LE(12)
  if (headBytes > MAX_HEAD_BYTES) throw new DamageError('the head is too long')
  return { headBytes, headSum: bytes.readUInt32LE(16) }
}

/** The head, from the bytes behind the prefix. Throws a DamageError when they are not what was written. */
export function decodeHead(prefix: Prefix, bytes: Buffer): StoredHead {
  if (bytes.byteLength !== prefix.headBytes || crc32(bytes) !== prefix.headSum) {
    throw new DamageError('the head is damaged')
  }
  return JSON.parse(bytes.toString()) as StoredHead
}

/** The sums of a body's blocks, taken while it is written. */
export class BlockSums {
  #whole: number[] = []
  #sum = 0
  #inBlock = 0

  add(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.byteLength) {
      const part = chunk.subarray(at, at + BLOCK_BYTES - this.#inBlock)
      this.#sum = crc32(part, this.#sum)
      this.#inBlock += part.byteLength
      at += part.byteLength
      if (this.#inBlock === BLOCK_BYTES) {
        this.#whole.push(this.#sum)
        this.#sum = 0
        this.#inBlock = 0
      }
    }
  }

  /** The sums of what was added so far. */
  table(): Uint32Array {
    return Uint32Array.from(this.#inBlock > 0 ? [...this.#whole, this.#sum] : this.#whole)
  }
}

/** Table and trailer, as they end the file of a response. */
export function encodeEnd(bodyBytes: number, table: Uint32Array): Buffer {
  const tableBytes = 4 * table.length
  const bytes = Buffer.allocUnsafe(tableBytes + TRAILER_BYTES)
  for (const [index, sum] of table.entries()) bytes.writeUInt32LE(sum, 4 * index)
  const trailer = bytes.subarray(tableBytes)
  trailer.writeBigUInt64LE(BigInt(bodyBytes), 0)
  trailer.writeUInt32LE(crc32(bytes.subarray(0, tableBytes)), 8)
  trailer.writeUInt32LE(crc32(trailer.subarray(0, 12)), 12)
  trailer.write(END_MAGIC, 16, 'latin1')
  return bytes
}

/** How many bytes table and trailer take. */
export function endBytes(bodyBytes: number): number {
  return 4 * Math.ceil(bodyBytes / BLOCK_BYTES) + TRAILER_BYTES
}

/** The length of the body, from the last bytes of the file, which has `fileBytes` in all. */
export function decodeTrailer(trailer: Buffer, headBytes: number, fileBytes: number): number {
  if (trailer.byteLength !== TRAILER_BYTES || trailer.toString('latin1', 16) !== END_MAGIC) {
    throw new DamageError('the file has no end')
  }
  if (trailer.readUInt32LE(12) !== crc32(trailer.subarray(0, 12)))
    throw new DamageError('the trailer is damaged')
  const bodyBytes = Number(trailer.readBigUInt64LE(0))
  if (PREFIX_BYTES + headBytes + bodyBytes + endBytes(bodyBytes) !== fileBytes) {
    throw new DamageError('the file has another length than it says')
  }
  return bodyBytes
}

/** The table, from the end of the file (table and trailer). */
export function decodeTable(end: Buffer): Uint32Array {
  const bytes = end.subarray(0, end.byteLength - TRAILER_BYTES)
  if (crc32(bytes) !== end.readUInt32LE(bytes.byteLength + 8)) throw new DamageError('the table is damaged')
  return Uint32Array.from({ length: bytes.byteLength / 4 }, (_, index) => bytes.readUInt32LE(4 * index))
}

/** Throws a DamageError when these bytes, the body's from block `first` on, do not have the sums of the table. */
export function verifyBlocks(table: Uint32Array, first: number, bytes: Uint8Array): void {
  for (let at = 0, block = first; at < bytes.byteLength; at += BLOCK_BYTES, block++) {
    if (crc32(bytes.subarray(at, at + BLOCK_BYTES)) !== table[block]) {
      throw new DamageError(`block ${block} of the body is damaged`)
    }
  }
}
