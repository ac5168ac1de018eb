/** What was wanted of a large body, when its slices lie in memory: written at once, like a body that lies there whole. */
import type { RequestHead } from '../rfc/heads.ts'
import type { ByteRange } from '../rfc/range.ts'
import { AT_ONCE_BYTES, cut } from '../store/chunks.ts'
import type { Body, GiveBack, Recall, Sliced, Store, StoredHead } from '../store/store.ts'
import { lengthOf, rangeOfSlice, sliceKey, slicesWithin } from './slice.ts'
import { rangesWanted } from './slices-wanted.ts'

/** The bodies of all slices that the request wants, by index; undefined: they do not all lie in memory, or are too many. */
export function heldSlices(
  store: Store,
  head: StoredHead,
  sliced: Sliced,
  request: RequestHead,
): ReadonlyMap<number, Body> | undefined {
  const ranges = rangesWanted(head, sliced, request)
  if (ranges.reduce((sum, range) => sum + lengthOf(range), 0) > AT_ONCE_BYTES) return undefined
  const held = new Map<number, Body>()
  for (const index of ranges.flatMap((range) => [...slicesWithin(sliced, range)])) {
    const slice = store.peek(sliceKey(head.key, sliced, index), request)?.body
    if (slice?.chunks === undefined) return undefined
    held.set(index, slice)
  }
  return held
}

export class HeldSlices implements Body {
  readonly chunks = undefined
  readonly #sliced: Sliced
  readonly #held: ReadonlyMap<number, Body>

  /** `held` are the slices that there are, by their index. */
  constructor(sliced: Sliced, held: ReadonlyMap<number, Body>) {
    this.#sliced = sliced
    this.#held = held
  }

  get size(): number {
    return this.#sliced.size
  }

  held(range: ByteRange = { first: 0, last: this.size - 1 }): readonly Uint8Array[] | undefined {
    const pieces: Uint8Array[] = []
    for (const index of slicesWithin(this.#sliced, range)) {
      const chunks = this.#held.get(index)?.chunks
      if (chunks === undefined) return undefined
      const slice = rangeOfSlice(this.#sliced, index)
      const first = Math.max(range.first, slice.first) - slice.first
      pieces.push(...cut(chunks, { first, last: Math.min(range.last, slice.last) - slice.first }))
    }
    return pieces
  }

  lend(recall: Recall | undefined): GiveBack {
    const loans = [...this.#held.values()].map((body) => body.lend?.(recall))
    return () => {
      for (const giveBack of loans) giveBack?.()
    }
  }

  async *read(range?: ByteRange, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const pieces = this.held(range)
    if (pieces === undefined) throw new Error('only the slices that were wanted can be read')
    for (const piece of pieces) {
      signal?.throwIfAborted()
      yield piece
    }
  }
}
