/** What follows when nothing can be heard for long: purges may be given out that this node does not know. */
import type { Instant } from '../rfc/heads.ts'

/** While it lasts, what is stored is distrusted anew so often. */
const AGAIN_MS = 10_000

export class Blindness {
  readonly #maxMs: number
  readonly #distrust: () => void
  #since: Instant | undefined
  #distrustedAt: Instant | undefined

  /** `maxMs`: how long what is stored is trusted all the same; 0: always. */
  constructor(maxMs: number, distrust: () => void) {
    this.#maxMs = maxMs
    this.#distrust = distrust
  }

  /** Undefined: all is heard. */
  get since(): Instant | undefined {
    return this.#since
  }

  /** To be called each second or so. */
  look(isConnected: boolean, now: Instant): void {
    if (isConnected) {
      this.#since = undefined
      this.#distrustedAt = undefined
      return
    }
    this.#since ??= now
    const isLong = this.#maxMs > 0 && now - this.#since >= this.#maxMs
    const isDue = this.#distrustedAt === undefined || Math.abs(now - this.#distrustedAt) >= AGAIN_MS
    if (!isLong || !isDue) return
    this.#distrustedAt = now
    this.#distrust()
  }
}
