/** Takes files off the disk: at once on order, a few at a time for room. */
import type { Entry } from './disk-index.ts'
import { type DiskFiles, unlinkIfThere } from './files.ts'
import type { Health } from './health.ts'
import type { Journal } from './journal.ts'
import type { Layout } from './layout.ts'
import type { Ledger } from './ledger.ts'
import type { OpenFiles } from './open-files.ts'

/** The system's threads are few, and readers need them too. */
const MAX_AT_ONCE = 2

export interface RemovalRoom {
  readonly files: DiskFiles
  readonly layout: Layout
  readonly ledger: Ledger
  readonly journal: Journal
  readonly openFiles: OpenFiles
  readonly health: Health
}

export class Removal {
  readonly #room: RemovalRoom
  /** Entries out of the index whose files may still be there. */
  readonly #leaving = new Set<Entry>()
  #waiting: Entry[] = []
  #workers = 0
  readonly #running = new Set<Promise<void>>()

  constructor(room: RemovalRoom) {
    this.#room = room
  }

  get leaving(): ReadonlySet<Entry> {
    return this.#leaving
  }

  /** Resolves when the files are gone, or could not be removed; that is counted. */
  async now(entry: Entry): Promise<void> {
    this.#begin(entry)
    await this.#tracked(this.#remove(entry))
  }

  /** For room: with as many others as there may be, one after the other. */
  later(entry: Entry): void {
    this.#begin(entry)
    this.#waiting.push(entry)
    this.#proceed()
  }

  /** What waits is left to the next start; resolves when nothing is on its way. */
  async stop(): Promise<void> {
    for (const entry of this.#waiting) this.#room.ledger.stuck(entry.room)
    this.#waiting = []
    await Promise.all(this.#running)
  }

  #begin(entry: Entry): void {
    this.#leaving.add(entry)
    this.#room.ledger.leave(entry.room)
  }

  #proceed(): void {
    if (this.#workers >= MAX_AT_ONCE) return
    this.#workers++
    void this.#tracked(this.#work())
  }

  async #work(): Promise<void> {
    for (let entry = this.#waiting.shift(); entry !== undefined; entry = this.#waiting.shift()) {
      await this.#remove(entry)
    }
    this.#workers--
  }

  #tracked(deed: Promise<void>): Promise<void> {
    const run = deed.finally(() => this.#running.delete(run))
    this.#running.add(run)
    return run
  }

  async #remove(entry: Entry): Promise<void> {
    const { files, layout, ledger, journal, openFiles, health } = this.#room
    const path = layout.path(entry, 'body')
    const { room } = entry
    try {
      // The body first: a head alone is nothing, a body alone would be served with an older head.
      await unlinkIfThere(files, path)
      if (entry.headBytes > 0) await unlinkIfThere(files, layout.path(entry, 'head'))
    } catch (error) {
      // It stays in the books, since it is still there, and in the journal, so that the next start knows it.
      ledger.stuck(room)
      health.failed(`remove ${path}`, error)
      return
    }
    this.#leaving.delete(entry)
    ledger.left(room, openFiles.removed(path))
    void journal.append('remove', entry)
  }
}
