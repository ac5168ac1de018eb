/** By what siblings choose who fills something: its key, and how far into it. */
import type { ByteRange } from '../rfc/range.ts'
import type { CacheKey } from '../store/store.ts'
import type { Order } from './journey.ts'

/** So much of something large is one sibling's, so that a film does not lie on one node. */
const BLOCK_BYTES = 8 * 1024 * 1024

/** Without a range the whole; its owner has the first block as well, for who asks for the whole may get a part. */
export function fillKey(key: CacheKey, range?: ByteRange): string {
  const block = Math.floor((range?.first ?? 0) / BLOCK_BYTES)
  // No key of a response contains a space.
  return block === 0 ? key : `${key} block ${block}`
}

/** Of an order that begins with this range. All versions of a playlist are one sibling's, so that all who wait for the next one meet there. */
export function whose({ key, held }: Pick<Order, 'key' | 'held'>, opening?: ByteRange): string {
  return fillKey(held?.plainKey ?? key, opening)
}

/** How many siblings, one behind the other, a fill may have to wait for at the moment: none as soon as it is the origin's turn. */
export class Hops {
  readonly #most: number
  #now: number

  /** Begun with a slice it may come to the whole, which may be another one's. */
  constructor(order: Pick<Order, 'key' | 'held' | 'route'>, opening: ByteRange | undefined) {
    const { source } = order.route
    const hopsTo = (range?: ByteRange): number => source.hopsTo?.(whose(order, range)) ?? 0
    this.#most = Math.max(hopsTo(), opening === undefined ? 0 : hopsTo(opening))
    this.#now = this.#most
  }

  get now(): number {
    return this.#now
  }

  /** It is asked for, perhaps not for the first time. To be called when it is the origin's turn. */
  setOut(): () => void {
    this.#now = this.#most
    return () => {
      this.#now = 0
    }
  }
}
