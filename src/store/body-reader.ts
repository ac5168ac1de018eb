/** One who reads a body that still grows: where he is, and what he waits for. */

export class BodyReader {
  at: number
  dropped: Error | undefined
  onMoved: (() => void) | undefined
  #waiting: (() => void) | undefined

  constructor(at: number) {
    this.at = at
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
