/** Fills the index from the journal at start. */
import type { DiskIndex, Entry } from './disk-index.ts'
import { codeOf, type DiskFiles } from './files.ts'
import type { JournalReader } from './journal.ts'
import type { EntryName, Layout } from './layout.ts'

interface Superseded {
  readonly older: Entry
  readonly newer: Entry
}

export class Replay implements JournalReader {
  readonly #index: DiskIndex
  /** By generation of the older one: two files for the same response, and no record says yet that the older is gone. */
  readonly #superseded = new Map<number, Superseded>()
  /** By generation: variants too many for their key. */
  readonly #tooMany = new Map<number, Entry>()

  constructor(index: DiskIndex) {
    this.#index = index
  }

  put(entry: Entry): void {
    const known = this.#index.find(entry.keyHash, entry.variantHash)
    if (known?.generation === entry.generation) {
      this.#index.setHeadBytes(known, entry.headBytes)
      return
    }
    for (const gone of this.#index.add(entry)) {
      if (gone === known) this.#superseded.set(gone.generation, { older: gone, newer: entry })
      else this.#tooMany.set(gone.generation, gone)
    }
  }

  remove(name: EntryName): void {
    const entry = this.#index.find(name.keyHash, name.variantHash)
    if (entry?.generation === name.generation) this.#index.remove(entry)
    this.#superseded.delete(name.generation)
    this.#tooMany.delete(name.generation)
  }

  /**
   * Answers the entries whose files are to be removed. A kill may have come
   *   1. after the record of the newer file and before its name: then the older one is still what is stored;
   *   2. after its name and before the older one was removed: then the older one is to be removed.
   */
  async finish(files: DiskFiles, layout: Layout): Promise<Entry[]> {
    const doomed = [...this.#tooMany.values()]
    for (const { older, newer } of [...this.#superseded.values()].reverse()) {
      if (this.#index.has(newer) && !(await isThere(files, layout.path(newer, 'body')))) {
        this.#index.remove(newer)
        this.#index.add(older)
      } else {
        doomed.push(older)
      }
    }
    return doomed
  }
}

async function isThere(files: DiskFiles, path: string): Promise<boolean> {
  try {
    await files.stat(path)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}
