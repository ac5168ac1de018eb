/** Reads one response after the other off a connection, however its bytes are split. */
import type { Fields } from '../../rfc/heads.ts'
import { Chunks } from './chunks.ts'
import { FormFault } from './form-fault.ts'
import { checkBeginning, type HeadReader, MAX_HEAD_BYTES, type ResponseForm } from './response-head.ts'
import { SMALL_BYTES } from './slabs.ts'

const HEAD_END = Buffer.from('\r\n\r\n')

/** Hears what was read. */
export interface Sink {
  /** A response before the response (RFC 9110 section 15.2). */
  interim(): void
  head(status: number, fields: Fields): void
  /** The bytes from `from` to `to` are of the body. */
  part(bytes: Buffer, from: number, to: number): void
}

export class ResponseReader {
  readonly #heads: HeadReader
  readonly #sink: Sink
  #state: 'head' | 'body' | 'over' = 'over'
  #isHead = false
  #isLast = false
  /** A head that has come in part. */
  #begun: Buffer | undefined
  #begunBytes = 0
  #left = 0
  #chunks: Chunks | undefined

  constructor(heads: HeadReader, sink: Sink) {
    this.#heads = heads
    this.#sink = sink
  }

  /** `over`: nothing is asked for, or all of it has come. */
  get state(): 'head' | 'body' | 'over' {
    return this.#state
  }

  get isOver(): boolean {
    return this.#state === 'over'
  }

  /** The response that was read says that its connection ends with it. */
  get isLast(): boolean {
    return this.#isLast
  }

  /** Bytes of the body that are still to come; infinite: nobody knows. */
  get left(): number {
    if (this.#state !== 'body') return 0
    return this.#chunks === undefined ? this.#left : Number.POSITIVE_INFINITY
  }

  /** A response is to come. `isHead`: to HEAD. */
  await(isHead: boolean): void {
    this.#state = 'head'
    this.#isHead = isHead
  }

  /** Reads on at `at`: a head, or what lies together of a body. Answers where it stopped. Throws a FormFault. */
  step(bytes: Buffer, at: number, end: number): number {
    if (this.#state === 'head') return this.#readHead(bytes, at, end)
    if (this.#chunks !== undefined) return this.#readChunk(this.#chunks, bytes, at, end)
    const next = Math.min(end, at + this.#left)
    this.#left -= next - at
    if (this.#left === 0) this.#state = 'over'
    this.#sink.part(bytes, at, next)
    return next
  }

  #readChunk(chunks: Chunks, bytes: Buffer, at: number, end: number): number {
    const from = chunks.skip(bytes, at, end)
    const next = Math.min(end, from + chunks.left)
    if (chunks.isOver) this.#state = 'over'
    if (next === from) return next
    chunks.took(next - from)
    this.#sink.part(bytes, from, next)
    return next
  }

  #readHead(bytes: Buffer, at: number, end: number): number {
    const rest = bytes.subarray(at, end)
    const before = this.#begun === undefined ? 0 : this.#begunBytes
    const whole = before === 0 ? rest : this.#joined(rest)
    // Its end may lie on both sides of what has come now.
    const found = whole.indexOf(HEAD_END, Math.max(0, before - HEAD_END.byteLength + 1))
    if ((found === -1 ? whole.byteLength : found) > MAX_HEAD_BYTES)
      throw new FormFault(`a head of at most ${MAX_HEAD_BYTES} bytes`, 'more', true)
    if (found === -1) {
      checkBeginning(whole.toString('latin1'), before)
      if (before === 0) this.#joined(rest)
      return end
    }
    this.#begun = undefined
    const form = this.#heads.read(whole.toString('latin1', 0, found), this.#isHead)
    this.#tell(form)
    return end - (whole.byteLength - found - HEAD_END.byteLength)
  }

  /** All of a head that has come so far. */
  #joined(rest: Buffer): Buffer {
    if (this.#begun === undefined) {
      // One read more than it may have is still to be looked at.
      this.#begun = Buffer.allocUnsafe(MAX_HEAD_BYTES + SMALL_BYTES)
      this.#begunBytes = 0
    }
    rest.copy(this.#begun, this.#begunBytes)
    this.#begunBytes += rest.byteLength
    return this.#begun.subarray(0, this.#begunBytes)
  }

  #tell({ status, fields, framing, isLast }: ResponseForm): void {
    if (status === 101) throw new FormFault('an answer', 'a change to another protocol')
    if (status < 200) {
      this.#sink.interim()
      return
    }
    this.#isLast = isLast
    this.#chunks = framing === 'chunked' ? new Chunks() : undefined
    this.#left = framing === 'chunked' ? 0 : framing
    this.#state = framing === 0 ? 'over' : 'body'
    this.#sink.head(status, fields)
  }
}
