/** What goes first when room is needed, though it was used only a moment ago: what will not be asked for again. */

/** First come, first to go. Whoever holds the entries says when one is gone or wanted once more. */
export class Leaving<Entry extends string | object> {
  readonly #entries = new Set<Entry>()

  add(entry: Entry): void {
    this.#entries.add(entry)
  }

  /** False: it was not among them. */
  remove(entry: Entry): boolean {
    return this.#entries.delete(entry)
  }

  /** The next to go, which is then none of them any more; undefined when there is none. */
  take(): Entry | undefined {
    const [first] = this.#entries
    if (first !== undefined) this.#entries.delete(first)
    return first
  }
}
