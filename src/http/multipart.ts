/** Several parts of a body as one body, each behind a head of its own (RFC 9110 section 14.6, RFC 2046 section 5.1). */
import { randomBytes } from 'node:crypto'
import { type ByteRange, formatContentRange } from '../rfc/range.ts'
import { cut } from '../store/chunks.ts'
import type { Body, GiveBack, Recall } from '../store/store.ts'

/** So many that no body contains them by accident, and that nobody who writes one can guess them. */
const BOUNDARY_BYTES = 16

export interface PartsOf {
  readonly body: Body
  /** Within the body, in the order they are to be sent. */
  readonly ranges: readonly ByteRange[]
  /** Of the whole; undefined while nobody knows it. */
  readonly size: number | undefined
  /** The Content-Type lines of the whole, which every part repeats. */
  readonly types: readonly string[]
}

/** The parts are read one after the other, each when the one before it has been taken. */
export class MultipartBody implements Body {
  /** The Content-Type of the answer. */
  readonly type: string
  /** Exact: what stands between the parts is known from the beginning. */
  readonly size: number
  readonly #of: PartsOf
  readonly #heads: readonly Uint8Array[]
  readonly #end: Uint8Array

  constructor(of: PartsOf) {
    const boundary = randomBytes(BOUNDARY_BYTES).toString('hex')
    const { ranges, types, size } = of
    this.#of = of
    this.type = `multipart/byteranges; boundary=${boundary}`
    this.#heads = ranges.map((range, index) => {
      const lines = [
        `${index === 0 ? '' : '\r\n'}--${boundary}`,
        ...types.map((type) => `content-type: ${type}`),
        `content-range: ${formatContentRange(range, size)}`,
      ]
      return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
    })
    this.#end = Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1')
    this.size = ranges.reduce(
      (sum, range, index) => sum + (this.#heads[index]?.byteLength ?? 0) + range.last - range.first + 1,
      this.#end.byteLength,
    )
  }

  get chunks(): readonly Uint8Array[] | undefined {
    const { body, ranges } = this.#of
    const { chunks } = body
    if (chunks === undefined) return undefined
    const parts = ranges.flatMap((range, index) => [...this.#headOf(index), ...cut(chunks, range)])
    return [...parts, this.#end]
  }

  lend(recall: Recall | undefined): GiveBack {
    return this.#of.body.lend?.(recall) ?? (() => undefined)
  }

  /** All of it: nobody asks for a part of the parts. */
  async *read(_range?: undefined, signal?: AbortSignal, recall?: Recall): AsyncGenerator<Uint8Array> {
    const { body, ranges } = this.#of
    for (const [index, range] of ranges.entries()) {
      yield* this.#headOf(index)
      yield* body.read(range, signal, recall)
    }
    yield this.#end
  }

  #headOf(index: number): readonly Uint8Array[] {
    return this.#heads.slice(index, index + 1)
  }
}
