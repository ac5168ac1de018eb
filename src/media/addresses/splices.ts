/** Replaces pieces of a text and leaves all else of it as it is. */
import type { BadManifest } from '../facts.ts'

/** Characters, four times what is taken for a manifest at all: addresses grow by the length of a prefix. */
const LONGEST = 64 * 1024 * 1024

interface Splice {
  readonly start: number
  /** Exclusive. */
  readonly end: number
  readonly replacement: string
}

export class Splices {
  readonly #splices: Splice[] = []
  #growth = 0
  #isSorted = true

  /** In any order; two must not overlap. */
  add(start: number, end: number, replacement: string): void {
    // What apply will refuse needs no memory meanwhile.
    if (this.#growth > LONGEST) return
    this.#isSorted &&= start >= (this.#splices.at(-1)?.end ?? 0)
    this.#splices.push({ start, end, replacement })
    this.#growth += replacement.length - (end - start)
  }

  /** The very same text when there is nothing to replace; refuses to grow it beyond 64 Mi characters. */
  apply(text: string): string | BadManifest {
    if (this.#splices.length === 0) return text
    if (text.length + this.#growth > LONGEST) {
      return {
        bad: `expected at most ${LONGEST} characters, came ${text.length + this.#growth} with our addresses`,
      }
    }
    if (!this.#isSorted) this.#splices.sort((one, other) => one.start - other.start)
    const pieces: string[] = []
    let from = 0
    for (const { start, end, replacement } of this.#splices) {
      pieces.push(text.slice(from, start), replacement)
      from = end
    }
    pieces.push(text.slice(from))
    return pieces.join('')
  }
}
