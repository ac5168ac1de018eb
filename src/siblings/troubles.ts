/** Says what is wrong in the log once, and again after ten minutes if it still is. */
import type { Clock, Instant } from '../rfc/heads.ts'

const AGAIN_AFTER_MS = 600_000
const MAX_REMEMBERED = 1_000

export class Troubles {
  readonly #clock: Clock
  readonly #write: (error: unknown, what: string) => void
  readonly #said = new Map<string, Instant>()

  constructor(clock: Clock, write: (error: unknown, what: string) => void) {
    this.#clock = clock
    this.#write = write
  }

  /** The same sentence is the same trouble. A function of its own, to be handed on. */
  readonly say = (what: string, error?: unknown): void => {
    const now = this.#clock()
    const saidAt = this.#said.get(what)
    if (saidAt !== undefined && Math.abs(now - saidAt) < AGAIN_AFTER_MS) return
    this.#said.delete(what)
    this.#said.set(what, now)
    const [first] = this.#said.keys()
    if (this.#said.size > MAX_REMEMBERED && first !== undefined) this.#said.delete(first)
    this.#write(error, what)
  }
}
