/** Has noted what is purged, and in how few lines. */
import type { Notes } from '../../store/notes.ts'
import type { Positions } from './positions.ts'
import type { PurgeScope } from './purge-scope.ts'
import { noteOf, notesOf } from './record.ts'
import { type Mark, Rules } from './rules.ts'

/** Lines beyond twice those that are needed. */
const SPARE_LINES = 1_024

/** What one purge covers. */
export interface Covered {
  readonly scope: PurgeScope
  readonly isSoft: boolean
  readonly mark: Mark
  /** Whose purge it is; undefined: nobody gave it out. */
  readonly by: string | undefined
}

export class Noting {
  readonly #notes: Notes
  readonly #positions: Positions
  #unsaved = 0

  constructor(notes: Notes, positions: Positions) {
    this.#notes = notes
    this.#positions = positions
  }

  /** Purges that could not be noted. */
  get unsaved(): number {
    return this.#unsaved
  }

  /** Answers when it is noted. `later`: with others, for somebody remembers it until then. False: a restart may bring it back. */
  async save({ scope, isSoft, mark, by }: Covered, when: 'at once' | 'later'): Promise<boolean> {
    const rules = new Rules()
    rules.add(scope, isSoft, mark)
    const positions = by === undefined ? this.#positions.list() : { [by]: this.#positions.through(by) }
    const lines = [noteOf({ held: [...rules.list()], positions, mark })]
    const isSaved = await (when === 'later' ? this.#notes.later(lines) : this.#notes.append(lines))
    if (!isSaved) this.#unsaved++
    return isSaved
  }

  /** Lets go of lines that nobody needs any more; these rules are all that are in force. */
  tidy(rules: Rules, mark: Mark): void {
    if (this.#notes.count > 2 * rules.size + SPARE_LINES)
      void this.#notes.rewrite(notesOf(rules, this.#positions.list(), mark))
  }
}
