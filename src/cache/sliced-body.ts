/** A large body that lies in slices: read from anywhere, each slice had when it is come to. */
import type { ByteRange } from '../rfc/range.ts'
import type { Body, Recall, Sliced } from '../store/store.ts'
import { indexOfSlice, rangeOfSlice } from './slice.ts'

/** Who knows where a slice is to be had. */
export interface SliceSource {
  /**
   * The body of a slice, from store or on its way, of which `part` will be read (counted from where the slice begins);
   * rejects when it cannot be had, or with the signal's reason.
   */
  obtain(index: number, part: ByteRange, signal: AbortSignal | undefined): Promise<Body>
  /** Somebody is about to come to this slice. Answers at once and never throws. */
  expect(index: number): void
}

export class SlicedBody implements Body {
  readonly #sliced: Sliced
  readonly #source: SliceSource

  constructor(sliced: Sliced, source: SliceSource) {
    this.#sliced = sliced
    this.#source = source
  }

  get size(): number {
    return this.#sliced.size
  }

  get chunks(): undefined {
    return undefined
  }

  /** Whoever has taken half of a slice and wants more than that slice has the next one asked for ahead. */
  async *read(range?: ByteRange, signal?: AbortSignal, recall?: Recall): AsyncGenerator<Uint8Array> {
    const last = range?.last ?? this.size - 1
    let at = range?.first ?? 0
    while (at <= last) {
      const index = indexOfSlice(this.#sliced, at)
      const slice = rangeOfSlice(this.#sliced, index)
      const part = { first: at - slice.first, last: Math.min(slice.last, last) - slice.first }
      const body = await this.#source.obtain(index, part, signal)
      let isNextExpected = last <= slice.last
      for await (const chunk of body.read(part, signal, recall)) {
        at += chunk.byteLength
        if (!isNextExpected && at - slice.first >= this.#sliced.sliceBytes / 2) {
          isNextExpected = true
          this.#source.expect(index + 1)
        }
        yield chunk
      }
      if (at <= Math.min(slice.last, last))
        throw new Error(`slice ${index} ended before byte ${at} of the body`)
    }
  }
}
