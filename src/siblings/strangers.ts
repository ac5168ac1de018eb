/** What those are called in the log who say a name that no sibling has: whoever reaches the listener can make up names without end. */

const MAX_NAMES = 32
const MAX_LENGTH = 128

export class Strangers {
  readonly #names = new Set<string>()

  /** The first 32 by their own names, cut to 128 characters; all others, and who says none, by one for all. */
  nameOf(said: string | undefined): string {
    if (said === undefined) return 'nobody'
    const name = said.slice(0, MAX_LENGTH)
    if (this.#names.size < MAX_NAMES) this.#names.add(name)
    return this.#names.has(name) ? name : 'one of many strangers'
  }
}
