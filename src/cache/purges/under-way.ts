/** Under which marks the fills under way set out: a purge is done with when none of them is from before it. */
import type { Mark } from './rules.ts'

export class UnderWay {
  /** Marks only grow, so that the first is the oldest. */
  readonly #counts = new Map<Mark, number>()

  depart(mark: Mark): void {
    this.#counts.set(mark, (this.#counts.get(mark) ?? 0) + 1)
  }

  arrive(mark: Mark): void {
    const left = (this.#counts.get(mark) ?? 0) - 1
    if (left > 0) this.#counts.set(mark, left)
    else this.#counts.delete(mark)
  }

  /** The mark of the oldest; undefined: none is under way. */
  get oldest(): Mark | undefined {
    return this.#counts.keys().next().value
  }
}

/**
 * Schedule that must not show what was purged:
 *   1. A look into the store finds a response on disk, and reads it.
 *   2. The response is deleted, for a purge covers it, and the purge is done with.
 *   3. The look has read it, and nothing speaks against it any more.
 * So no purge is done with before the looks have ended that began before it had deleted everything.
 */
export class Looks {
  readonly #underWay = new UnderWay()
  #begun = 0

  /** How many have begun. */
  get begun(): number {
    return this.#begun
  }

  /** Whether none is left of the first so many. */
  haveEnded(count: number): boolean {
    return (this.#underWay.oldest ?? Number.POSITIVE_INFINITY) > count
  }

  async during<T>(look: Promise<T>): Promise<T> {
    const number = ++this.#begun
    this.#underWay.depart(number)
    try {
      return await look
    } finally {
      this.#underWay.arrive(number)
    }
  }
}
