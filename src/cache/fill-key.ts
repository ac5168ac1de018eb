/** By what siblings choose who fills something: its key, and how far into it. */
import type { ByteRange } from '../rfc/range.ts'
import type { CacheKey } from '../store/store.ts'

/** So much of something large is one sibling's, so that a film does not lie on one node. */
const BLOCK_BYTES = 8 * 1024 * 1024

/** Without a range the whole; its owner has the first block as well, for who asks for the whole may get a part. */
export function fillKey(key: CacheKey, range?: ByteRange): string {
  const block = Math.floor((range?.first ?? 0) / BLOCK_BYTES)
  // No key of a response contains a space.
  return block === 0 ? key : `${key} block ${block}`
}
