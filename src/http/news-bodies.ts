/** The bodies of news on their way at the internal listener: nobody has been asked yet whether he is a sibling, so few of them may lie here. */
import type { IncomingMessage } from 'node:http'

export interface NewsBodiesBounds {
  /** Until all of one is here. */
  readonly bodyMs: number
  /** So many at once. */
  readonly maxBodies: number
  /** So many bytes at once, as they were announced. */
  readonly maxBodyBytes: number
}

/**
 * Siblings have sent theirs within a moment, so that it is the oldest that makes room for a new one: who sends bodies that
 * never end keeps nobody out.
 */
export class NewsBodies {
  readonly #bounds: NewsBodiesBounds
  /** The oldest first; bytes of each. */
  readonly #underWay = new Map<IncomingMessage, number>()
  #bytes = 0

  constructor(bounds: NewsBodiesBounds) {
    this.#bounds = bounds
  }

  /** False: it does not say how long it is, and is not to be read. The connection of one that is too long in coming is cut. */
  enter(message: IncomingMessage): boolean {
    const bytes = Number(message.headers['content-length'] ?? Number.NaN)
    if (!Number.isSafeInteger(bytes)) return false
    const { bodyMs, maxBodies, maxBodyBytes } = this.#bounds
    this.#underWay.set(message, bytes)
    this.#bytes += bytes
    const timer = setTimeout(() => message.socket.destroy(), bodyMs)
    const leave = (): void => {
      clearTimeout(timer)
      this.#leave(message)
    }
    message.once('end', leave).once('close', leave)
    for (const [oldest] of this.#underWay) {
      if (oldest === message || (this.#underWay.size <= maxBodies && this.#bytes <= maxBodyBytes)) break
      this.#leave(oldest)
      oldest.socket.destroy()
    }
    return true
  }

  #leave(message: IncomingMessage): void {
    this.#bytes -= this.#underWay.get(message) ?? 0
    this.#underWay.delete(message)
  }
}
