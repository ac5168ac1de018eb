/** One reader of a body that still grows. */
import type { Body, GiveBack, Recall } from './store.ts'

/** Where one reader is, and what it waits for. */
export class Reader {
  at: number
  /** What it was handed last; undefined: it stands between two pieces. */
  piece: Uint8Array | undefined
  dropped: Error | undefined
  onMoved: (() => void) | undefined
  readonly #recall: Recall | undefined
  #waiting: (() => void) | undefined
  #giveBack: GiveBack | undefined

  constructor(at: number, recall?: Recall) {
    this.at = at
    this.#recall = recall
  }

  more(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  wake(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.()
  }

  /** The body it reads lies in a store now, and what it holds is a loan from there. */
  borrow(body: Body): void {
    this.#giveBack = body.lend?.(this.#recall, this.piece)
  }

  returned(): void {
    this.piece = undefined
    this.#giveBack?.()
    this.#giveBack = undefined
  }

  moved(bytes: number): void {
    this.at += bytes
    const onMoved = this.onMoved
    this.onMoved = undefined
    onMoved?.()
  }

  /** Its place stays what it is: beyond its range it would take the drop for the end. */
  drop(reason: Error): void {
    this.dropped = reason
    this.wake()
  }
}
