/** How long siblings are waited for: one timer for all who wait, which leaves out the time in which this node itself was deaf. */

const TICK_MS = 25
/** Who looks at the clock so much later than it meant to has heard nobody meanwhile. */
const DEAF_MS = 25

/** One who waits. */
export abstract class Waiter {
  waitsMs = 0
  /** By the time in which this node was awake, and by all time. */
  awakeAt = 0
  realAt = 0

  /** It has waited in vain, and does not wait any more. */
  abstract late(): void
}

/**
 * Time in which this node stood still, or shared a machine that has too much to do, does not count, up to as much again as
 * the wait itself; and what has come meanwhile is heard first. It ends by a tick or two too late.
 */
export class Patience {
  readonly #waiting = new Set<Waiter>()
  readonly #look = (): void => this.#looked()
  #timer: NodeJS.Timeout | undefined
  #lookedAt = 0
  #awakeMs = 0
  #realMs = 0

  /** From now on, for so long; if it waits already, anew. */
  wait(waiter: Waiter, ms: number): void {
    if (this.#timer === undefined) {
      this.#lookedAt = performance.now()
      this.#timer = setTimeout(this.#look, TICK_MS)
    }
    const sinceMs = performance.now() - this.#lookedAt
    waiter.waitsMs = ms
    waiter.awakeAt = this.#awakeMs + sinceMs
    waiter.realAt = this.#realMs + sinceMs
    this.#waiting.add(waiter)
  }

  /** As long as it waits already, anew: a tick less at most, for nobody looks at the clock. */
  again(waiter: Waiter): void {
    waiter.awakeAt = this.#awakeMs
    waiter.realAt = this.#realMs
  }

  /** Whoever does not wait is left as it is. */
  end(waiter: Waiter): void {
    this.#waiting.delete(waiter)
  }

  #looked(): void {
    const now = performance.now()
    const passedMs = now - this.#lookedAt
    this.#lookedAt = now
    this.#realMs += passedMs
    if (passedMs - TICK_MS < DEAF_MS) this.#awakeMs += passedMs
    let isAnyDue = false
    for (const waiter of this.#waiting) isAnyDue ||= this.#isDue(waiter)
    // Timers come before what lies in the sockets: that is read before the last word.
    if (isAnyDue) setImmediate(() => this.#lastWord())
    this.#timer = this.#waiting.size === 0 ? undefined : setTimeout(this.#look, TICK_MS)
  }

  #lastWord(): void {
    for (const waiter of this.#waiting) {
      if (!this.#isDue(waiter)) continue
      this.#waiting.delete(waiter)
      waiter.late()
    }
  }

  #isDue({ waitsMs, awakeAt, realAt }: Waiter): boolean {
    return this.#awakeMs - awakeAt >= waitsMs || this.#realMs - realAt >= 2 * waitsMs
  }
}
