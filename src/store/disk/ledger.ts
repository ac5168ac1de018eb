/** Keeps the books of the disk's room: whoever writes asks first, so that the bound holds at every moment. */

/** Room for what is in no other column: lock, and the last cluster of the journal. */
const SUNDRIES_BYTES = 8192

export interface LedgerRoom {
  readonly maxBytes: number
  /** The room that entries take. */
  stored(): number
  /** Lets go of removed files whose bytes linger for nobody; settles when they are gone. Undefined: there are none. */
  letGo(): Promise<unknown> | undefined
  /** Begins to let something go, by `leave`; false when there is nothing more. */
  yieldSome(): boolean
}

/**
 * Room has four columns: stored (the index knows), being written, leaving (its removal is on the way), and lingering
 * (removed, but read by someone, so that the system keeps the bytes until the last reader leaves; or not to be removed).
 The journal is the fifth.
 */
export class Ledger {
  readonly #room: LedgerRoom
  #writing = 0
  #leaving = 0
  #lingering = 0
  /** What is being waited for. */
  #wanted = 0
  #waiting: (() => void)[] = []
  /** Length of the journal. */
  journalBytes = 0

  constructor(room: LedgerRoom) {
    this.#room = room
  }

  /** The room of all files of responses, those on their way in and out among them. */
  get bytes(): number {
    return this.#room.stored() + this.#writing + this.#leaving
  }

  /** Takes room, after others have made way. False when there cannot be enough. */
  async reserve(bytes: number): Promise<boolean> {
    for (;;) {
      const short = this.#held + bytes - this.#room.maxBytes
      if (short <= 0) {
        this.#writing += bytes
        return true
      }
      if (this.#fixed + bytes > this.#room.maxBytes) return false
      // What leaves already was called out for those who waited before: for this one as much again must go.
      if (this.#leaving < short + this.#wanted) {
        const closing = this.#room.letGo()
        if (closing !== undefined) {
          await closing
          continue
        }
        if (this.#room.yieldSome()) continue
      }
      if (this.#leaving === 0) return false
      this.#wanted += bytes
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
      this.#wanted -= bytes
    }
  }

  /** Gives back what was reserved: it was not written after all, or is stored now. */
  release(bytes: number): void {
    this.#writing -= bytes
    this.#wake()
  }

  /** Something begins to leave. */
  leave(bytes: number): void {
    this.#leaving += bytes
  }

  /** What was leaving is gone, or lingers until `closed`. */
  left(bytes: number, closed?: Promise<void>): void {
    this.#leaving -= bytes
    if (closed !== undefined) {
      this.#lingering += bytes
      void closed.then(() => {
        this.#lingering -= bytes
        this.#wake()
      })
    }
    this.#wake()
  }

  /** What was leaving cannot leave: it is still there, and nobody need wait for it. */
  stuck(bytes: number): void {
    this.#leaving -= bytes
    this.#lingering += bytes
    this.#wake()
  }

  /** What no eviction can move out of the way. */
  get #fixed(): number {
    return this.#writing + this.journalBytes + SUNDRIES_BYTES
  }

  get #held(): number {
    return this.bytes + this.#lingering + this.journalBytes + SUNDRIES_BYTES
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
