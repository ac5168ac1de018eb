/** A body that is read while it still arrives: by many, from anywhere, each at a pace of its own. */
import type { ByteRange } from '../rfc/range.ts'
import { BodyReader } from './body-reader.ts'
import { isFitted } from './chunks.ts'
import type { Body } from './store.ts'

/** Blocks are no larger, so that one is let go soon after it was sent, and one write carries much. */
const MAX_BLOCK_BYTES = 1024 * 1024
/** The first block of a body of unknown length; each further one is twice as large. */
const MIN_BLOCK_BYTES = 16 * 1024
/** What is kept of a body that nobody keeps: late joiners and slow readers find at least this much behind the tip. */
export const WINDOW_BYTES = 4 * 1024 * 1024
/** How much is read back at once for a reader who is behind the window. */
const READ_BACK_BYTES = 256 * 1024

interface Block {
  readonly first: number
  readonly bytes: Uint8Array
}

/** Smaller ones are gathered in blocks, so that these do not become too many to be looked through. */
const LEAST_ADOPTED_BYTES = 4 * 1024
/** Of what only passes, for what is gathered between chunks that become blocks themselves. */
const PASSING_BLOCK_BYTES = 64 * 1024
const NOTHING = new Uint8Array(0)

/** Reads back bytes that have left memory; both ends inclusive. */
export type ReadBack = (range: ByteRange) => Promise<Uint8Array>

/**
 * Bytes are copied once, into blocks of our own, so that what is held is exactly what is counted: a chunk from a socket
 * would keep alive the whole buffer it was read into.
 *
 * What only passes is held no longer than it takes, and chunks of it that keep nothing else alive are blocks as they came.
 *
 * In the beginning all of it is kept. `release` says that nobody keeps it in memory: from then on only a window behind
 * the tip stays, and a reader further back reads through `readBack`, or, where there is none, holds up the producer
 * (see `room`) until it is dropped.
 */
export class GrowingBody implements Body {
  #blocks: Block[] = []
  #received = 0
  #used = 0
  #state: 'growing' | 'whole' | 'broken' = 'growing'
  #cause: Error | undefined
  #declared: number | undefined
  #released = false
  #readBack: ReadBack | undefined
  readonly #isPassing: boolean
  readonly #readers = new Set<BodyReader>()

  /** `size` as its source declared it; undefined when it did not. `isPassing`: nobody keeps it when it is whole; then what is appended must stay as it is. */
  constructor(size: number | undefined, isPassing = false) {
    this.#declared = size
    this.#isPassing = isPassing
  }

  get size(): number | undefined {
    return this.#declared
  }

  get chunks(): readonly Uint8Array[] | undefined {
    if (this.#state !== 'whole' || this.#firstHeld > 0) return undefined
    return this.#blocks.map((block, index) => this.#filled(block, index))
  }

  /** Bytes that have come so far. */
  get received(): number {
    return this.#received
  }

  get readers(): number {
    return this.#readers.size
  }

  /** Whether all of it can still be read from its first byte on, so that a new viewer may join. */
  get isJoinable(): boolean {
    return this.#state !== 'broken' && (this.#firstHeld === 0 || this.#readBack !== undefined)
  }

  /** Takes the next bytes and wakes who waits for them. Answers where they lie now: they stay there, unchanged. */
  append(chunk: Uint8Array): readonly Uint8Array[] {
    const pieces: Uint8Array[] = []
    let rest = chunk
    if (this.#adopts(chunk)) {
      pieces.push(chunk)
      rest = NOTHING
    }
    while (rest.byteLength > 0) {
      let block = this.#blocks.at(-1)
      if (block === undefined || this.#used === block.bytes.byteLength) block = this.#newBlock()
      const taken = rest.subarray(0, block.bytes.byteLength - this.#used)
      block.bytes.set(taken, this.#used)
      pieces.push(block.bytes.subarray(this.#used, this.#used + taken.byteLength))
      this.#used += taken.byteLength
      this.#received += taken.byteLength
      rest = rest.subarray(taken.byteLength)
    }
    if (this.#released) this.#dropBlocks()
    this.#wake()
    return pieces
  }

  /** All has come. */
  finish(): void {
    this.#declared = this.#received
    this.#state = 'whole'
    this.#wake()
  }

  /** No more will come, though it should have: every reader who needs more throws `cause`. */
  fail(cause: Error): void {
    this.#state = 'broken'
    this.#cause = cause
    this.#blocks = []
    this.#wake()
  }

  /** Nobody keeps this body in memory any more; who falls behind the window reads through `readBack`. */
  release(readBack: ReadBack | undefined): void {
    this.#released = true
    this.#readBack = readBack
    this.#dropBlocks()
    this.#wake()
  }

  /**
   * Whether the producer may go on: undefined, or a promise to wait for, because the only reader is a whole window
   * behind and its bytes would be lost; one who takes nothing for `stallMs` meanwhile is dropped. Where there are
   * several, one so far behind is dropped at once: a slow reader holds up nobody else.
   */
  room(stallMs: number): Promise<void> | undefined {
    if (!this.#released || this.#readBack !== undefined) return undefined
    let slowest = this.#slowest()
    while (slowest !== undefined && this.#readers.size > 1 && this.#isWindowBehind(slowest)) {
      slowest.drop(new Error(`a reader fell ${WINDOW_BYTES} bytes behind others of a body that nobody keeps`))
      this.#readers.delete(slowest)
      slowest = this.#slowest()
    }
    if (slowest === undefined || !this.#isWindowBehind(slowest)) return undefined
    return this.#waitFor(slowest, stallMs)
  }

  #isWindowBehind(reader: BodyReader): boolean {
    return this.#received - reader.at >= WINDOW_BYTES
  }

  #waitFor(slowest: BodyReader, stallMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        slowest.drop(
          new Error(`a reader took nothing for ${stallMs} ms and ${WINDOW_BYTES} bytes wait for it`),
        )
        resolve()
      }, stallMs)
      slowest.onMoved = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /**
   * `reached`: so many bytes have come, or no more will. `let-go`: nobody keeps this body, and byte `from` is too far back
   * to be held until they have. Either way it is here still for whoever reads on from it at once. Rejects with what broke the body, or
   * the signal's reason.
   */
  async reached(bytes: number, from: number, signal?: AbortSignal): Promise<'reached' | 'let-go'> {
    const reader = new BodyReader(from)
    const onAbort = (): void => reader.wake()
    signal?.addEventListener('abort', onAbort)
    this.#readers.add(reader)
    try {
      while (this.#received < bytes && this.#state !== 'whole') {
        signal?.throwIfAborted()
        if (this.#state === 'broken') throw this.#cause
        if (this.#released && this.#readBack === undefined && bytes - reader.at > WINDOW_BYTES)
          return 'let-go'
        if (reader.dropped !== undefined) throw reader.dropped
        await reader.more()
      }
      return 'reached'
    } finally {
      signal?.removeEventListener('abort', onAbort)
      // A schedule in which what it waited for must not be lost:
      //   1. It hears that the bytes are here, and is about to read on from its place.
      //   2. More come, and would push out what no reader holds.
      //   3. It reads.
      // So its place is held for this turn of the event loop, however many bytes come in it.
      setImmediate(() => {
        this.#readers.delete(reader)
        reader.moved(0)
      })
    }
  }

  async *read(range?: ByteRange, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const reader = new BodyReader(range?.first ?? 0)
    const last = range?.last ?? Number.MAX_SAFE_INTEGER
    const onAbort = (): void => reader.wake()
    signal?.addEventListener('abort', onAbort)
    this.#readers.add(reader)
    try {
      while (reader.at <= last) {
        signal?.throwIfAborted()
        if (reader.dropped !== undefined) throw reader.dropped
        if (this.#state === 'broken') throw this.#cause
        if (reader.at >= this.#received) {
          if (this.#state === 'whole') return
          await reader.more()
          continue
        }
        const piece =
          reader.at < this.#firstHeld ? await this.#behind(reader, last) : this.#piece(reader.at, last)
        reader.moved(piece.byteLength)
        yield piece
      }
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#readers.delete(reader)
      reader.moved(0)
      if (this.#released) this.#dropBlocks()
    }
  }

  /** What is held from `at` on, to the end of its block, or to `last`. */
  #piece(at: number, last: number): Uint8Array {
    // Nearly every reader reads at the tip, so the search begins there.
    let index = this.#blocks.length - 1
    while (index > 0 && (this.#blocks[index]?.first ?? 0) > at) index--
    const block = this.#blocks[index]
    if (block === undefined) throw new Error(`no byte is held, and byte ${at} was asked for`)
    const filled = this.#filled(block, index)
    return filled.subarray(at - block.first, Math.min(filled.byteLength, last - block.first + 1))
  }

  #behind(reader: BodyReader, last: number): Promise<Uint8Array> {
    if (this.#readBack === undefined) throw new Error(`byte ${reader.at} of the body is no longer held`)
    const end = Math.min(reader.at + READ_BACK_BYTES, this.#firstHeld, last + 1)
    return this.#readBack({ first: reader.at, last: end - 1 })
  }

  #filled(block: Block, index: number): Uint8Array {
    return index === this.#blocks.length - 1 && this.#used < block.bytes.byteLength
      ? block.bytes.subarray(0, this.#used)
      : block.bytes
  }

  /** False: it is to be copied. Else it has become a block as it is. */
  #adopts(bytes: Uint8Array): boolean {
    const isFull = this.#used === (this.#blocks.at(-1)?.bytes.byteLength ?? 0)
    if (!this.#isPassing || !isFull || bytes.byteLength < LEAST_ADOPTED_BYTES || !isFitted(bytes))
      return false
    this.#blocks.push({ first: this.#received, bytes })
    this.#used = bytes.byteLength
    this.#received += bytes.byteLength
    return true
  }

  #newBlock(): Block {
    const before = this.#blocks.at(-1)?.bytes.byteLength ?? MIN_BLOCK_BYTES / 2
    const missing = this.#declared === undefined ? before * 2 : this.#declared - this.#received
    // A source that sends more than it declared is refused by the road; a block of nothing must not be made of it.
    const bytes = new Uint8Array(
      new ArrayBuffer(
        Math.min(
          Math.max(missing, MIN_BLOCK_BYTES / 16),
          this.#isPassing ? PASSING_BLOCK_BYTES : MAX_BLOCK_BYTES,
        ),
      ),
    )
    const block = { first: this.#received, bytes }
    this.#blocks.push(block)
    this.#used = 0
    return block
  }

  get #firstHeld(): number {
    return this.#blocks[0]?.first ?? this.#received
  }

  #slowest(): BodyReader | undefined {
    let slowest: BodyReader | undefined
    for (const reader of this.#readers) {
      if (reader.dropped !== undefined) continue
      if (slowest === undefined || reader.at < slowest.at) slowest = reader
    }
    return slowest
  }

  #dropBlocks(): void {
    const floor = this.#readBack === undefined ? (this.#slowest()?.at ?? this.#received) : this.#received
    const wanted = Math.min(floor, this.#received - WINDOW_BYTES)
    while (this.#blocks.length > 1 && (this.#blocks[1]?.first ?? 0) <= wanted) this.#blocks.shift()
  }

  #wake(): void {
    for (const reader of this.#readers) reader.wake()
  }
}
