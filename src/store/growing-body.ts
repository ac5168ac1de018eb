/** A body that is read while it still arrives: by many, from anywhere, each at a pace of its own. */
import type { ByteRange } from '../rfc/range.ts'
import { Blocks } from './blocks.ts'
import { Reader } from './reader.ts'
import type { Body, GiveBack, Recall } from './store.ts'

/** What is kept of a body that nobody keeps: late joiners and slow readers find at least this much behind the tip. */
export const WINDOW_BYTES = 4 * 1024 * 1024
/** How much is read back at once for a reader who is behind the window. */
const READ_BACK_BYTES = 256 * 1024

/** Reads back bytes that have left memory; both ends inclusive. */
export type ReadBack = (range: ByteRange) => Promise<Uint8Array>

/**
 * In the beginning all of it is kept. `release` says that nobody keeps it in memory: from then on only a window behind
 * the tip stays, and a reader further back reads through `readBack`, or, where there is none, holds up the producer
 * (see `room`) until it is dropped. `handOver` says that a store holds all of it: then it is
 * read there.
 */
export class GrowingBody implements Body {
  readonly #blocks: Blocks
  #state: 'growing' | 'whole' | 'broken' = 'growing'
  #cause: Error | undefined
  #declared: number | undefined
  #released = false
  #readBack: ReadBack | undefined
  #successor: Body | undefined
  readonly #readers = new Set<Reader>()
  /** Those whose connections hold all of it. */
  readonly #borrowers = new Set<Reader>()

  /**
   * `size` as its source declared it; undefined when it did not. `isPassing`: nobody keeps it when it is whole; then what is
   * appended must stay as it is.
   */
  constructor(size: number | undefined, isPassing = false) {
    this.#declared = size
    this.#blocks = new Blocks(isPassing)
  }

  get size(): number | undefined {
    return this.#declared
  }

  get chunks(): readonly Uint8Array[] | undefined {
    if (this.#successor !== undefined) return this.#successor.chunks
    if (this.#state !== 'whole' || this.#blocks.firstHeld > 0) return undefined
    return this.#blocks.filled
  }

  /** Bytes that have come so far. */
  get received(): number {
    return this.#blocks.received
  }

  get readers(): number {
    return this.#readers.size
  }

  /** Whether all of it can still be read from its first byte on, so that a new viewer may join. */
  get isJoinable(): boolean {
    if (this.#state === 'broken') return false
    return this.#blocks.firstHeld === 0 || this.#readBack !== undefined || this.#successor !== undefined
  }

  /** Takes the next bytes and wakes who waits for them. Answers where they lie now: they stay there, unchanged. */
  append(chunk: Uint8Array): readonly Uint8Array[] {
    const pieces = this.#blocks.append(chunk, this.#declared)
    if (this.#released) this.#dropBlocks()
    this.#wake()
    return pieces
  }

  /** All has come. */
  finish(): void {
    this.#declared = this.#blocks.received
    this.#state = 'whole'
    this.#wake()
  }

  /** No more will come, though it should have: every reader who needs more throws `cause`. */
  fail(cause: Error): void {
    this.#state = 'broken'
    this.#cause = cause
    this.#blocks.dropAll()
    this.#wake()
  }

  /** Nobody keeps this body in memory any more; who falls behind the window reads through `readBack`. */
  release(readBack: ReadBack | undefined): void {
    this.#released = true
    this.#readBack = readBack
    // Nobody joins at the tip any more.
    if (readBack !== undefined && this.#state === 'whole') this.#blocks.dropAll()
    this.#dropBlocks()
    this.#wake()
  }

  /**
   * It lies whole in a store, as `stored`, which counts its bytes for as long as anybody holds them: from now on they are
   * read there.
   */
  handOver(stored: Body): void {
    this.#successor = stored
    this.#blocks.dropAll()
    for (const reader of this.#readers) if (reader.piece !== undefined) reader.borrow(stored)
    for (const borrower of this.#borrowers) borrower.borrow(stored)
    this.#borrowers.clear()
  }

  lend(recall: Recall | undefined, piece?: Uint8Array): GiveBack {
    if (this.#successor !== undefined) return this.#successor.lend?.(recall, piece) ?? (() => undefined)
    const borrower = new Reader(0, recall)
    borrower.piece = piece
    this.#borrowers.add(borrower)
    return () => {
      this.#borrowers.delete(borrower)
      borrower.returned()
    }
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

  #isWindowBehind(reader: Reader): boolean {
    return this.#blocks.received - reader.at >= WINDOW_BYTES
  }

  #waitFor(slowest: Reader, stallMs: number): Promise<void> {
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
    const reader = new Reader(from)
    const onAbort = (): void => reader.wake()
    signal?.addEventListener('abort', onAbort)
    this.#readers.add(reader)
    try {
      while (this.#blocks.received < bytes && this.#state !== 'whole') {
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

  async *read(range?: ByteRange, signal?: AbortSignal, recall?: Recall): AsyncGenerator<Uint8Array> {
    const reader = new Reader(range?.first ?? 0, recall)
    const last = range?.last ?? Number.MAX_SAFE_INTEGER
    yield* this.#along(reader, last, signal)
    const rest = { first: reader.at, last: Math.min(last, this.#blocks.received - 1) }
    if (this.#successor !== undefined && rest.first <= rest.last)
      yield* this.#successor.read(rest, signal, recall)
  }

  /** Reads what lies here. Apart from `read`, so that nothing of it stays on the stack of who reads on in a store. */
  async *#along(reader: Reader, last: number, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    const onAbort = (): void => reader.wake()
    signal?.addEventListener('abort', onAbort)
    this.#readers.add(reader)
    try {
      while (reader.at <= last) {
        signal?.throwIfAborted()
        if (reader.dropped !== undefined) throw reader.dropped
        if (this.#state === 'broken') throw this.#cause
        if (this.#successor !== undefined) return
        if (reader.at >= this.#blocks.received) {
          if (this.#state === 'whole') return
          await reader.more()
          continue
        }
        reader.piece =
          reader.at < this.#blocks.firstHeld
            ? await this.#behind(reader, last)
            : this.#blocks.piece(reader.at, last)
        reader.moved(reader.piece.byteLength)
        yield reader.piece
        reader.returned()
      }
    } finally {
      reader.returned()
      signal?.removeEventListener('abort', onAbort)
      this.#readers.delete(reader)
      reader.moved(0)
      if (this.#released) this.#dropBlocks()
    }
  }

  #behind(reader: Reader, last: number): Promise<Uint8Array> {
    if (this.#readBack === undefined) throw new Error(`byte ${reader.at} of the body is no longer held`)
    const end = Math.min(reader.at + READ_BACK_BYTES, this.#blocks.firstHeld, last + 1)
    return this.#readBack({ first: reader.at, last: end - 1 })
  }

  #slowest(): Reader | undefined {
    let slowest: Reader | undefined
    for (const reader of this.#readers) {
      if (reader.dropped !== undefined) continue
      if (slowest === undefined || reader.at < slowest.at) slowest = reader
    }
    return slowest
  }

  #dropBlocks(): void {
    const floor =
      this.#readBack === undefined ? (this.#slowest()?.at ?? this.#blocks.received) : this.#blocks.received
    const wanted = Math.min(floor, this.#blocks.received - WINDOW_BYTES)
    this.#blocks.dropBefore(wanted)
  }

  #wake(): void {
    for (const reader of this.#readers) reader.wake()
  }
}
