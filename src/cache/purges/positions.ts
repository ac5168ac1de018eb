/** How far the purges of each issuer are in force here: each is applied once, whatever order they come in. */

/** A number that is ahead of what came before it by more than this leaves a gap that is not remembered one by one. */
const MAX_BEYOND = 16_384
/** Each life of each node is one; those heard of longest ago are forgotten first. */
const MAX_ISSUERS = 1_024

interface Position {
  /** All up to here. */
  through: number
  /** And these. */
  readonly beyond: Set<number>
}

export class Positions {
  readonly #byIssuer = new Map<string, Position>()

  /** True: it was not there yet, and is from now on. */
  take(by: string, sequence: number): boolean {
    const position = this.#byIssuer.get(by) ?? { through: 0, beyond: new Set() }
    if (sequence <= position.through || position.beyond.has(sequence)) return false
    this.#byIssuer.delete(by)
    this.#byIssuer.set(by, position)
    position.beyond.add(sequence)
    while (position.beyond.delete(position.through + 1)) position.through++
    const [oldest] = this.#byIssuer.keys()
    if (this.#byIssuer.size > MAX_ISSUERS && oldest !== undefined) this.#byIssuer.delete(oldest)
    const [first] = position.beyond
    // What is forgotten so would be applied once more, which costs a request, and is not wrong.
    if (position.beyond.size > MAX_BEYOND && first !== undefined) position.beyond.delete(first)
    return true
  }

  /** All up to here, without a gap; 0: none is known. */
  through(by: string): number {
    return this.#byIssuer.get(by)?.through ?? 0
  }

  /** Whoever keeps the log says that those up to here are in force, or that what is older has been made stale. */
  skipTo(by: string, sequence: number): void {
    const position = this.#byIssuer.get(by) ?? { through: 0, beyond: new Set() }
    this.#byIssuer.set(by, position)
    position.through = Math.max(position.through, sequence)
    for (const one of position.beyond) if (one <= position.through) position.beyond.delete(one)
    while (position.beyond.delete(position.through + 1)) position.through++
  }

  /** By issuer, without gaps. */
  list(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#byIssuer].map(([by, { through }]) => [by, through]))
  }
}
