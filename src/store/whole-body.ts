/** A body that lies in memory, all of it. */
import type { ByteRange } from '../rfc/range.ts'
import { cut, lengthOfAll } from './chunks.ts'
import type { Body } from './store.ts'

export class WholeBody implements Body {
  readonly chunks: readonly Uint8Array[]
  readonly size: number

  constructor(chunks: readonly Uint8Array[]) {
    this.chunks = chunks
    this.size = lengthOfAll(chunks)
  }

  async *read(range?: ByteRange, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    for (const piece of cut(this.chunks, range)) {
      signal?.throwIfAborted()
      yield piece
    }
  }
}
