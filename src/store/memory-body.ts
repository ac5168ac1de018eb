/** A body that the memory store holds, and that viewers may hold for longer than the store does. */
import type { ByteRange } from '../rfc/range.ts'
import { lengthOfAll, pieceAt } from './chunks.ts'
import type { Debtor, Due, Lending } from './lending.ts'
import type { Body, GiveBack, Recall } from './store.ts'

/** What one viewer holds. */
interface Loan {
  /** Undefined: whoever reads it notices by himself that it is gone. */
  readonly recall: Recall | undefined
  /** He has all of it; else he comes back for more. */
  readonly isWhole: boolean
  /** What he was handed last. */
  piece: Uint8Array | undefined
}

/** Where a reader is. */
interface Reading {
  at: number
  readonly last: number
}

const NOTHING = new Uint8Array(0)

/**
 * In the store its bytes are the store's to count. When it has left (evicted, replaced, deleted) they stay in the account of
 * `lending` until nobody has them on loan. Called back, it drops its chunks: who reads piece by piece reads on where else
 * the bytes are, and owes the piece under way; who holds all of it, or has nowhere to read on, is broken off. Called back
 * once more, all who still stand there with a piece are.
 */
export class MemoryBody implements Body, Debtor {
  readonly size: number
  readonly #lending: Lending
  readonly #elsewhere: (() => Body | undefined) | undefined
  #chunks: readonly Uint8Array[] | undefined
  #loans: Set<Loan> | undefined
  /** Loans of all of it. */
  #wholes = 0
  #hasLeft = false

  /** `elsewhere` answers the same bytes in another place while they are there. */
  constructor(
    chunks: readonly Uint8Array[],
    lending: Lending,
    elsewhere: (() => Body | undefined) | undefined,
  ) {
    this.#chunks = chunks
    this.size = lengthOfAll(chunks)
    this.#lending = lending
    this.#elsewhere = elsewhere
  }

  get chunks(): readonly Uint8Array[] | undefined {
    return this.#chunks
  }

  /** The store has let it go. */
  leave(): void {
    this.#hasLeft = true
    this.#account()
  }

  lend(recall: Recall | undefined, piece?: Uint8Array): GiveBack {
    const loan = this.#take(recall, piece)
    return () => this.#takeBack(loan)
  }

  async *read(range?: ByteRange, signal?: AbortSignal, recall?: Recall): AsyncGenerator<Uint8Array> {
    const reading = { at: range?.first ?? 0, last: range?.last ?? this.size - 1 }
    yield* this.#fromMemory(reading, signal, recall)
    if (reading.at > reading.last) return
    const body = this.#elsewhere?.()
    if (body === undefined) throw new Error(`byte ${reading.at} of the body has been evicted`)
    yield* body.read({ first: reading.at, last: reading.last }, signal, recall)
  }

  recall(): void {
    const wasHeld = this.#chunks !== undefined
    const isElsewhere = wasHeld && this.#elsewhere?.() !== undefined
    this.#chunks = undefined
    for (const loan of this.#loans ?? []) {
      if (isElsewhere && !loan.isWhole) continue
      this.#forget(loan)
      if (loan.recall === undefined) continue
      this.#lending.cut()
      loan.recall()
    }
    this.#account()
  }

  /** Apart from `read`, so that nothing of it stays on the stack of a reader who has gone on elsewhere. */
  async *#fromMemory(
    reading: Reading,
    signal: AbortSignal | undefined,
    recall: Recall | undefined,
  ): AsyncGenerator<Uint8Array> {
    const loan = this.#take(recall, NOTHING)
    try {
      while (reading.at <= reading.last) {
        signal?.throwIfAborted()
        loan.piece = this.#chunks && pieceAt(this.#chunks, reading)
        if (loan.piece === undefined) return
        reading.at += loan.piece.byteLength
        yield loan.piece
        loan.piece = NOTHING
        if (this.#hasLeft) this.#lending.moved(this)
      }
    } finally {
      this.#takeBack(loan)
    }
  }

  #take(recall: Recall | undefined, piece: Uint8Array | undefined): Loan {
    const isWhole = piece === undefined
    const loan = { recall, isWhole, piece }
    this.#loans ??= new Set()
    this.#loans.add(loan)
    if (isWhole) this.#wholes++
    this.#account()
    return loan
  }

  #forget(loan: Loan): boolean {
    if (this.#loans?.delete(loan) !== true) return false
    if (loan.isWhole) this.#wholes--
    return true
  }

  #takeBack(loan: Loan): void {
    if (this.#forget(loan)) this.#account()
  }

  #account(): void {
    if (this.#hasLeft) this.#lending.owe(this, this.#owed(), this.#due())
  }

  #due(): Due {
    if (this.#chunks === undefined || this.#wholes > 0) return 'all'
    return this.#elsewhere?.() === undefined ? 'all' : 'in-part'
  }

  /** What stays in memory through those who have it on loan: all of it, or the buffers of which they hold pieces. */
  #owed(): number {
    if (this.#loans === undefined || this.#loans.size === 0) return 0
    if (this.#chunks !== undefined) return this.size
    const buffers = new Set<ArrayBufferLike>()
    for (const { piece = NOTHING } of this.#loans) buffers.add(piece.buffer)
    let bytes = 0
    for (const { byteLength } of buffers) bytes += byteLength
    return bytes
  }
}
