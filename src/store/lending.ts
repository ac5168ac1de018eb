/** Bytes that have left the memory store while connections still hold them: counted, and called back when there are too many. */

/** Somebody through whom bytes stay in memory that no store holds. */
export interface Debtor {
  /** Called once it is forgotten here: lets go of what it can, and owes anew what it must keep. */
  recall(): void
}

/** `in-part`: once called back, it still owes what is under way, and nobody loses anything. */
export type Due = 'in-part' | 'all'

/**
 * An evicted body stays in memory for as long as a viewer's connection holds a piece of it, so its bytes stay in the
 * account of the store, which makes room for them. Called back are first those through whom nobody loses anything, then all
 * others; of either the one whose viewers have stood still for longest.
 *
 * A recall ends: each debtor owes less after it, and after a second one nothing.
 */
export class Lending {
  /** The stalest first. */
  readonly #owed: Readonly<Record<Due, Map<Debtor, number>>> = { 'in-part': new Map(), all: new Map() }
  #bytes = 0
  #cuts = 0

  /** Bytes owed by all together. */
  get bytes(): number {
    return this.#bytes
  }

  /** Answers that were broken off because what they had to send was called back. */
  get cuts(): number {
    return this.#cuts
  }

  /** From now on `debtor` owes so many bytes, in place of what it owed; 0 forgets it. */
  owe(debtor: Debtor, bytes: number, due: Due): void {
    const owed = this.#owed[due]
    const other = this.#owed[due === 'all' ? 'in-part' : 'all']
    this.#bytes += bytes - (owed.get(debtor) ?? other.get(debtor) ?? 0)
    other.delete(debtor)
    if (bytes === 0) owed.delete(debtor)
    else owed.set(debtor, bytes)
  }

  /** One of those who hold its bytes took some of them: it is the last to be called back now. */
  moved(debtor: Debtor): void {
    for (const owed of [this.#owed['in-part'], this.#owed.all]) {
      const bytes = owed.get(debtor)
      if (bytes !== undefined && owed.delete(debtor)) owed.set(debtor, bytes)
    }
  }

  /** Calls back what has stood still for longest. False: nothing is owed. */
  recall(): boolean {
    const [inPart] = this.#owed['in-part'].keys()
    const [all] = this.#owed.all.keys()
    const debtor = inPart ?? all
    if (debtor === undefined) return false
    this.owe(debtor, 0, 'all')
    debtor.recall()
    return true
  }

  /** An answer is broken off. */
  cut(): void {
    this.#cuts++
  }
}
