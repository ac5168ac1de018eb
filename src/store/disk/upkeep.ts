/** Keeps the journal short: rewrites it when it says much that no longer matters. */
import type { DiskIndex, Entry } from './disk-index.ts'
import type { Generations } from './generations.ts'
import type { Health } from './health.ts'
import { Journal } from './journal.ts'
import type { Layout } from './layout.ts'
import type { Ledger } from './ledger.ts'
import type { Removal } from './removal.ts'

export interface UpkeepRoom {
  readonly generations: Generations
  readonly health: Health
  readonly index: DiskIndex
  readonly journal: Journal
  readonly layout: Layout
  readonly ledger: Ledger
  readonly removal: Removal
  /** Entries whose record is written and whose file has no name yet. */
  readonly arriving: ReadonlySet<Entry>
}

export class Upkeep {
  readonly #room: UpkeepRoom
  #running: Promise<void> | undefined

  constructor(room: UpkeepRoom) {
    this.#room = room
  }

  /** In the background. */
  rewriteWhenLong(): void {
    const { index, journal } = this.#room
    if (this.#running !== undefined || !journal.isLong(index.entries)) return
    this.#running = this.#rewriteOrCount().finally(() => {
      this.#running = undefined
    })
  }

  /** Throws what hindered it; without room for it nothing happens. */
  async rewrite(): Promise<void> {
    const { arriving, generations, index, journal, layout, ledger, removal } = this.#room
    const room = Journal.lengthOf(index.entries + removal.leaving.size + arriving.size)
    if (!(await ledger.reserve(room))) return
    try {
      // What leaves first: its successor, when there is one, must be the last word.
      const entries = [...removal.leaving, ...index.leastRecentFirst(), ...arriving]
      await journal.rewrite(entries, layout.aside(generations.next()))
    } finally {
      ledger.release(room)
    }
  }

  /** Leaves a journal in the order of use, which the next start takes over. */
  async stop(): Promise<void> {
    await this.#running
    await this.#rewriteOrCount()
  }

  async #rewriteOrCount(): Promise<void> {
    try {
      await this.rewrite()
    } catch (error) {
      this.#room.health.failed('rewrite the journal', error)
    }
  }
}
