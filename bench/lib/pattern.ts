/** Bytes that origin and viewers both know, so that a viewer can tell every wrong byte, and stamps of when they left. */

/** The instant a chunk was sent at takes this many bytes at its beginning. */
export const STAMP_BYTES = 8

const MAX_BYTES = 64 * 1024 * 1024
let known: Buffer = Buffer.alloc(0)

/** The first `size` bytes of a row that never repeats in short distances, so that what is out of place is found out. */
export function pattern(size: number): Buffer {
  if (size > MAX_BYTES) throw new Error(`at most ${MAX_BYTES} bytes are known, ${size} were asked for`)
  if (known.byteLength < size) known = made(size)
  return known.subarray(0, size)
}

/** Writes over the chunk's beginning when it leaves: CLOCK_MONOTONIC, which all processes of a machine share. */
export function stampNow(chunk: Buffer): Buffer {
  chunk.writeBigUInt64LE(process.hrtime.bigint())
  return chunk
}

function made(size: number): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4))
  // A xorshift generator (Marsaglia 2003) with a seed of its own.
  let state = 0x9e3779b9
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  return Buffer.from(words.buffer, 0, size)
}
