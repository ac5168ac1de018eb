/** A body that lies elsewhere, and a part of it that was read beforehand. */
import type { ByteRange } from '../rfc/range.ts'
import type { Body, Recall } from './store.ts'

export class PartBody implements Body {
  readonly chunks = undefined
  readonly #whole: Body
  readonly #part: ByteRange
  readonly #read: readonly Uint8Array[]

  /** `read` are the bytes of `part`. */
  constructor(whole: Body, part: ByteRange, read: readonly Uint8Array[]) {
    this.#whole = whole
    this.#part = part
    this.#read = read
  }

  get size(): number | undefined {
    return this.#whole.size
  }

  async *read(range?: ByteRange, signal?: AbortSignal, recall?: Recall): AsyncGenerator<Uint8Array> {
    if (range?.first !== this.#part.first || range.last !== this.#part.last) {
      yield* this.#whole.read(range, signal, recall)
      return
    }
    for (const chunk of this.#read) {
      signal?.throwIfAborted()
      yield chunk
    }
  }
}
