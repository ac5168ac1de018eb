/** Numbers for files: no two are the same, in this run or in any other. */
import { randomInt } from 'node:crypto'

/** Numbers begin anywhere below this, so that two runs do not meet; all have 12 hexadecimal digits at most. */
const FIRST_BELOW = 2 ** 47

export class Generations {
  readonly #first = randomInt(FIRST_BELOW)
  #next = this.#first

  next(): number {
    return this.#next++
  }

  /** Whether this run gave out the number. */
  isOurs(generation: number): boolean {
    return generation >= this.#first && generation < this.#next
  }
}
