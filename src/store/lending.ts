/** Bytes that have left the memory store while connections still hold them: counted, and called back when there are too many. */

/** Somebody through whom bytes stay in memory that no store holds. */
export interface Debtor {
  /** Called once it is forgotten here: lets go of what it can, and owes anew what it must keep. */
  recall(): void
}

/**
 * An evicted body stays in memory for as long as a viewer's connection holds a piece of it, so its bytes stay in the
 * account of the store, which makes room for them. Who has moved least recently is the first to be called back.
 *
 * A recall ends: each debtor owes less after it, and after a second one nothing.
 */
export class Lending {
  /** The stalest first. */
  readonly #owed = new Map<Debtor, number>()
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

  /** From now on `debtor` owes so many bytes, in place of what it owed; 0 forgets it. Its place in the order stays. */
  owe(debtor: Debtor, bytes: number): void {
    this.#bytes += bytes - (this.#owed.get(debtor) ?? 0)
    if (bytes === 0) this.#owed.delete(debtor)
    else this.#owed.set(debtor, bytes)
  }

  /** One of those who hold its bytes took some of them: it is the last to be called back now. */
  moved(debtor: Debtor): void {
    const bytes = this.#owed.get(debtor)
    if (bytes === undefined) return
    this.#owed.delete(debtor)
    this.#owed.set(debtor, bytes)
  }

  /** Calls back what has stood still for longest. False: nothing is owed. */
  recall(): boolean {
    const [stalest] = this.#owed.keys()
    if (stalest === undefined) return false
    this.owe(stalest, 0)
    stalest.recall()
    return true
  }

  /** An answer is broken off. */
  cut(): void {
    this.#cuts++
  }
}
