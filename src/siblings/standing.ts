/** Whether a sibling is worth asking: who failed is left alone for a while, and then asked by one. */
import type { Clock, Instant } from '../rfc/heads.ts'

/** After the first failure, and twice as long after each further one. */
const FIRST_MS = 1_000
const LONGEST_MS = 10_000

/**
 * Nothing of the ranking changes: its keys stay its own, and their runners-up are asked for them meanwhile. When the time
 * is over one request finds out, and the others wait for what it finds.
 */
export class Standing {
  readonly #clock: Clock
  #failures = 0
  #until: Instant = Number.NEGATIVE_INFINITY
  #isProbed = false
  #penalised = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How often it was penalised. */
  get penalised(): number {
    return this.#penalised
  }

  /** Until when it is left alone; undefined: it is not. */
  get penalisedUntil(): Instant | undefined {
    return this.#failures === 0 ? undefined : this.#until
  }

  /** Whether it may be asked now. */
  get isPassable(): boolean {
    if (this.#failures === 0) return true
    const waitMs = this.#until - this.#clock()
    // A clock that was set back must not keep it out for longer than the rule says.
    return !this.#isProbed && (waitMs <= 0 || waitMs > LONGEST_MS)
  }

  /** It is asked. Answers whether this request is the one that finds out. */
  enter(): boolean {
    if (this.#failures === 0) return false
    this.#isProbed = true
    return true
  }

  answered(): void {
    this.#failures = 0
    this.#isProbed = false
  }

  /** `longestAtOnce`: what is wrong is not over in a second. */
  failed(longestAtOnce = false): void {
    this.#penalised++
    this.#failures++
    this.#isProbed = false
    const ms = longestAtOnce ? LONGEST_MS : Math.min(FIRST_MS * 2 ** (this.#failures - 1), LONGEST_MS)
    this.#until = this.#clock() + ms
  }

  /** Who was to find out left before there was an answer. */
  left(): void {
    this.#isProbed = false
  }
}
