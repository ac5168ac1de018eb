/** Bytes in several pieces, taken as one. */
import type { ByteRange } from '../rfc/range.ts'

/**
 * What is no longer than this is handed to a connection at once, and stays in memory until the last byte of it has left;
 * the rest goes piece by piece. Measured: pieces cost more than one write below it, and as much above it.
 */
export const AT_ONCE_BYTES = 2 * 1024 * 1024

/** The part of `chunks` that `range` names, without a copy; all of them without a range. */
export function cut(chunks: readonly Uint8Array[], range: ByteRange | undefined): readonly Uint8Array[] {
  if (range === undefined) return chunks
  const pieces: Uint8Array[] = []
  let start = 0
  for (const chunk of chunks) {
    const from = Math.max(range.first - start, 0)
    const to = Math.min(range.last - start + 1, chunk.byteLength)
    if (from < to) pieces.push(chunk.subarray(from, to))
    start += chunk.byteLength
    if (start > range.last) break
  }
  return pieces
}

/** What lies from `at` on in the chunk that has it, to the end of that chunk or to `last`; undefined beyond them all. */
export function pieceAt(
  chunks: readonly Uint8Array[],
  { at, last }: { readonly at: number; readonly last: number },
): Uint8Array | undefined {
  let start = 0
  for (const chunk of chunks) {
    const end = start + chunk.byteLength
    if (at < end) return chunk.subarray(at - start, Math.min(end, last + 1) - start)
    start = end
  }
  return undefined
}

/** Bytes of all of them together. */
export function lengthOfAll(chunks: readonly Uint8Array[]): number {
  let bytes = 0
  for (const chunk of chunks) bytes += chunk.byteLength
  return bytes
}

/** Whether little more is held by holding the chunk than its bytes: one that is a part of a large buffer keeps all of it alive. */
export function isFitted({ buffer, byteLength }: Uint8Array): boolean {
  return buffer.byteLength - byteLength <= byteLength / 16
}
