/** Bytes in several pieces, taken as one. */
import type { ByteRange } from '../rfc/range.ts'

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

/** Whether little more is held by holding the chunk than its bytes: one that is a part of a large buffer keeps all of it alive. */
export function isFitted({ buffer, byteLength }: Uint8Array): boolean {
  return buffer.byteLength - byteLength <= byteLength / 16
}
