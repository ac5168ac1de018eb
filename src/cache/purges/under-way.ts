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
