/** When a second sibling is asked for what the first is slow to answer: late enough to be rare, and never often. */

const LEAST_MS = 20
/** So many of a hundred requests to siblings may be such second ones. */
const BUDGET_PERCENT = 2
/** What may be saved up. */
const MAX_SAVED = 10
const SAMPLES = 128
/** How often the delay is worked out anew, in samples. */
const EVERY = 16
/** Nothing is known of a sibling that has not answered so often. */
const LEAST_SAMPLES = 16
const UNKNOWN_MS = 100

/** What is usual of one sibling: 95 of 100 heads come within it. */
export class Usual {
  readonly #samples: number[] = []
  #next = 0
  #ms = UNKNOWN_MS

  /** Milliseconds, at least 20. */
  get ms(): number {
    return this.#ms
  }

  took(ms: number): void {
    this.#samples[this.#next % SAMPLES] = ms
    this.#next++
    if (this.#next % EVERY !== 0 || this.#samples.length < LEAST_SAMPLES) return
    const sorted = this.#samples.toSorted((one, other) => one - other)
    this.#ms = Math.max(LEAST_MS, sorted[Math.floor(sorted.length * 0.95)] ?? UNKNOWN_MS)
  }
}

/** Over all siblings. */
export class HedgeBudget {
  #saved = 1

  /** A sibling is asked. */
  earn(): void {
    this.#saved = Math.min(MAX_SAVED, this.#saved + BUDGET_PERCENT / 100)
  }

  /** False: not now. */
  take(): boolean {
    if (this.#saved < 1) return false
    this.#saved--
    return true
  }
}
