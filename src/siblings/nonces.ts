/** Which signed messages were seen already, for as long as they would be believed. */
import type { Instant } from '../rfc/heads.ts'

export interface NonceBounds {
  /** How long each is remembered at least. */
  readonly forMs: number
  /** How many are remembered at once: beyond it the oldest half is forgotten early. */
  readonly max: number
}

/** Two generations: each nonce is remembered for one to two times `forMs`, and forgetting costs nothing. */
export class Nonces {
  readonly #bounds: NonceBounds
  #current = new Set<string>()
  #previous = new Set<string>()
  #turnedAt: Instant = Number.NEGATIVE_INFINITY

  constructor(bounds: NonceBounds) {
    this.#bounds = bounds
  }

  get size(): number {
    return this.#current.size + this.#previous.size
  }

  /** False: it was seen before. */
  admit(nonce: string, now: Instant): boolean {
    this.#turn(now)
    if (this.#current.has(nonce) || this.#previous.has(nonce)) return false
    this.#current.add(nonce)
    return true
  }

  #turn(now: Instant): void {
    const elapsed = now - this.#turnedAt
    const { forMs, max } = this.#bounds
    if (elapsed < forMs && this.#current.size < max / 2) return
    this.#previous = elapsed < 2 * forMs ? this.#current : new Set()
    this.#current = new Set()
    this.#turnedAt = now
  }
}
