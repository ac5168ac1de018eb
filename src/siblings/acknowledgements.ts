/** Who waits until a purge is in force on every live node. */
import type { PurgeRule } from '../purge/purge-rule.ts'
import type { Positions } from './purge-log.ts'

/** The positions of each live sibling, by its id. */
export type LivePositions = () => ReadonlyMap<string, Positions>

type Place = Pick<PurgeRule, 'by' | 'sequence'>

interface Waiting {
  readonly rule: Place
  readonly done: (laggards: readonly string[]) => void
}

export class Acknowledgements {
  readonly #live: LivePositions
  readonly #waiting = new Set<Waiting>()

  constructor(live: LivePositions) {
    this.#live = live
  }

  /** The ids of those who did not say within this time that they applied it; empty: all did. Who dies meanwhile is not waited for. */
  waitFor(rule: Place, ms: number): Promise<readonly string[]> {
    const laggards = this.#laggards(rule)
    if (laggards.length === 0 || ms <= 0) return Promise.resolve(laggards)
    return new Promise((resolve) => {
      const waiting: Waiting = {
        rule,
        done: (late) => {
          clearTimeout(timer)
          this.#waiting.delete(waiting)
          resolve(late)
        },
      }
      const timer = setTimeout(() => waiting.done(this.#laggards(rule)), ms)
      this.#waiting.add(waiting)
    })
  }

  /** Somebody's positions changed, or who is live. */
  look(): void {
    if (this.#waiting.size === 0) return
    const live = this.#live()
    for (const { rule, done } of this.#waiting) if (this.#laggards(rule, live).length === 0) done([])
  }

  #laggards({ by, sequence }: Place, live = this.#live()): readonly string[] {
    return [...live].filter(([, positions]) => (positions[by] ?? 0) < sequence).map(([id]) => id)
  }
}
