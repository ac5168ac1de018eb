/** The siblings that were asked, each with what is known of it as one who answers. */
import { HedgeBudget } from './hedge.ts'
import type { Member } from './roster.ts'
import { Sibling, type SiblingContext, type SiblingCounts } from './sibling.ts'

const NOTHING: SiblingCounts = { asked: 0, answered: 0, failed: 0, hedged: 0, penalised: 0, bytes: 0 }

export class Directory {
  readonly hedges = new HedgeBudget()
  readonly #context: SiblingContext
  readonly #byId = new Map<string, Sibling>()
  /** Of those who are no longer there. */
  #goneBytes = 0

  constructor(context: SiblingContext) {
    this.#context = context
    context.roster.onChange(() => this.#forgetGone())
  }

  /** At another address it is another one to be asked, about which nothing is known. */
  siblingOf({ id, url }: Pick<Member, 'id' | 'url'>): Sibling {
    const known = this.#byId.get(id)
    if (known?.url === url) return known
    if (known !== undefined) this.#goneBytes += known.counts().bytes
    const sibling = new Sibling(id, url, this.#context)
    this.#byId.set(id, sibling)
    return sibling
  }

  /** What it was asked and gave. */
  countsOf(id: string): SiblingCounts {
    return this.#byId.get(id)?.counts() ?? NOTHING
  }

  /** Bytes of bodies that ever came from siblings. */
  get bytes(): number {
    return [...this.#byId.values()].reduce((sum, sibling) => sum + sibling.counts().bytes, this.#goneBytes)
  }

  #forgetGone(): void {
    const there = new Set(this.#context.roster.members().map(({ id }) => id))
    for (const [id, sibling] of this.#byId) {
      if (there.has(id)) continue
      this.#goneBytes += sibling.counts().bytes
      this.#byId.delete(id)
    }
  }
}
