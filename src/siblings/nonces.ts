/** Which signed messages were seen already, for as long as they would be believed. */
import type { Instant } from '../rfc/heads.ts'

export interface NonceBounds {
  /** For how long after its last message the numbers of a process are remembered at least. */
  readonly forMs: number
  /** How many processes are remembered at once: beyond it the one that was silent for longest is forgotten early. */
  readonly maxProcesses: number
  /** How far behind the newest message of its process one may come; a multiple of 32. */
  readonly span: number
}

/** A nonce begins with the name of the process that made it, in so many characters; a number in base 36 follows. */
export const PROCESS_LENGTH = 12
const NUMBER = /^[0-9a-z]{1,10}$/

interface Numbers {
  /** One bit a number, by its remainder. */
  readonly seen: Uint32Array
  newest: number
  lastAt: Instant
}

/**
 * Each process numbers its messages, so that of each the newest number and one bit for each of those before it are all
 * there is to know (as in RFC 4303 section 3.4.3). What is further behind than the span was not seen for certain, and is
 * refused.
 */
export class Nonces {
  readonly #bounds: NonceBounds
  readonly #processes = new Map<string, Numbers>()

  constructor(bounds: NonceBounds) {
    this.#bounds = bounds
  }

  /** How many processes are remembered. */
  get size(): number {
    return this.#processes.size
  }

  /** False: it was seen before, or may have been, or is no nonce. */
  admit(nonce: string, now: Instant): boolean {
    const written = nonce.slice(PROCESS_LENGTH)
    if (!NUMBER.test(written)) return false
    const numbers = this.#numbersOf(nonce.slice(0, PROCESS_LENGTH), now)
    numbers.lastAt = now
    const { span } = this.#bounds
    const number = Number.parseInt(written, 36)
    if (number <= numbers.newest - span) return false
    if (number > numbers.newest) pass(numbers, number, span)
    const place = number % span
    const word = numbers.seen[place >>> 5] ?? 0
    const bit = 1 << (place & 31)
    if ((word & bit) !== 0) return false
    numbers.seen[place >>> 5] = word | bit
    return true
  }

  #numbersOf(process: string, now: Instant): Numbers {
    const known = this.#processes.get(process)
    if (known !== undefined) return known
    this.#forget(now)
    const numbers = { seen: new Uint32Array(this.#bounds.span / 32), newest: -1, lastAt: now }
    this.#processes.set(process, numbers)
    return numbers
  }

  /** Those who were silent for so long that nothing of theirs is believed any more; where that makes no room, one more. */
  #forget(now: Instant): void {
    let longest: string | undefined
    let since = Number.POSITIVE_INFINITY
    for (const [process, { lastAt }] of this.#processes) {
      if (Math.abs(now - lastAt) > this.#bounds.forMs) this.#processes.delete(process)
      else if (lastAt < since) {
        longest = process
        since = lastAt
      }
    }
    if (longest !== undefined && this.#processes.size >= this.#bounds.maxProcesses)
      this.#processes.delete(longest)
  }
}

/** A newer one has come: those between it and the newest before are not seen yet. */
function pass(numbers: Numbers, newest: number, span: number): void {
  const { seen } = numbers
  if (newest - numbers.newest >= span) seen.fill(0)
  else {
    for (let number = numbers.newest + 1; number <= newest; number++) {
      const place = number % span
      seen[place >>> 5] = (seen[place >>> 5] ?? 0) & ~(1 << (place & 31))
    }
  }
  numbers.newest = newest
}
