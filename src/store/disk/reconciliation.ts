/** Makes what is known agree with what lies there, in the background, one directory after the other. */
import type { DiskIndex, Entry } from './disk-index.ts'
import { codeOf, type DiskFiles } from './files.ts'
import type { DiskEvent, Health } from './health.ts'
import type { EntryName, EntryPart, Layout } from './layout.ts'

export interface ReconciliationRoom {
  readonly files: DiskFiles
  readonly layout: Layout
  readonly index: DiskIndex
  readonly health: Health
  readonly log: (event: DiskEvent) => void
  isClosed(): boolean
  /** Whether this run of the process made the file: then it is known, or will be in a moment. */
  isOurs(name: EntryName): boolean
  /** Takes in a response that nobody knows; false when it is damaged or there is no room. */
  adopt(name: EntryName): Promise<boolean>
  /** Forgets an entry whose file is not there. */
  drop(entry: Entry): Promise<void>
  remove(path: string): Promise<void>
}

/**
 * - A file nobody knows is adopted, or removed when it cannot be trusted.
 * - An entry whose file is not there is dropped.
 * - What does not bear a name of ours is somebody else's: it is left alone, and told once.
 */
export class Reconciliation {
  readonly #room: ReconciliationRoom
  #adopted = 0
  #dropped = 0
  #removed = 0
  #foreign: string[] = []

  constructor(room: ReconciliationRoom) {
    this.#room = room
  }

  async run(): Promise<void> {
    const { index, log } = this.#room
    const unseen = new Set(index.leastRecentFirst())
    const directories = await this.#root()
    let isComplete = directories !== undefined
    for (const directory of directories ?? []) {
      if (this.#room.isClosed()) return
      if (!(await this.#directory(directory, unseen))) isComplete = false
    }
    // What could not be listed may be there all the same.
    if (isComplete) for (const entry of unseen) await this.#drop(entry)
    const [example] = this.#foreign
    if (example !== undefined) log({ kind: 'foreign', example, files: this.#foreign.length })
    log({ kind: 'reconciled', adopted: this.#adopted, dropped: this.#dropped, removed: this.#removed })
  }

  /** The directories that hold responses; undefined when they could not be listed. */
  async #root(): Promise<string[] | undefined> {
    const { layout } = this.#room
    const files = await this.#list(layout.root)
    const directories: string[] = []
    for (const file of files ?? []) {
      const path = `${layout.root}/${file.name}`
      if (file.isDirectory() && layout.isFanOut(file.name)) directories.push(file.name)
      else if (![layout.journal, layout.purges, layout.tmp].includes(path) && !layout.isLock(file.name))
        this.#foreign.push(path)
    }
    return files === undefined ? undefined : directories
  }

  /** False when it could not be listed. */
  async #directory(directory: string, unseen: Set<Entry>): Promise<boolean> {
    const path = `${this.#room.layout.root}/${directory}`
    const files = await this.#list(path)
    if (files === undefined) return false
    const ours: { name: EntryName; part: EntryPart; path: string }[] = []
    for (const file of files) {
      const parsed = file.isFile() ? this.#room.layout.parse(directory, file.name) : undefined
      if (parsed === undefined) this.#foreign.push(`${path}/${file.name}`)
      else ours.push({ ...parsed, path: `${path}/${file.name}` })
    }
    // Bodies before heads, so that a head finds the body it belongs to.
    for (const { name, path } of ours.filter((file) => file.part === 'body')) {
      if (this.#room.isClosed()) return false
      const entry = this.#entry(name)
      if (entry !== undefined) unseen.delete(entry)
      else if (!this.#room.isOurs(name)) await this.#orphan(name, path)
    }
    for (const { name, path } of ours.filter((file) => file.part === 'head')) {
      if (this.#room.isClosed()) return false
      await this.#head(name, path)
    }
    return true
  }

  async #orphan(name: EntryName, path: string): Promise<void> {
    if (await this.#room.adopt(name)) {
      this.#adopted++
    } else {
      await this.#room.remove(path)
      this.#removed++
    }
  }

  async #head(name: EntryName, path: string): Promise<void> {
    const entry = this.#entry(name)
    if (entry === undefined) {
      if (this.#room.isOurs(name)) return
      await this.#room.remove(path)
      this.#removed++
    } else if (entry.headBytes === 0) {
      const size = await this.#sizeOf(path)
      if (entry.headBytes === 0) this.#room.index.setHeadBytes(entry, size)
    }
  }

  /** 0 when it has gone meanwhile, with its entry. */
  async #sizeOf(path: string): Promise<number> {
    try {
      return (await this.#room.files.stat(path)).size
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.#room.health.failed(`stat ${path}`, error)
      return 0
    }
  }

  async #drop(entry: Entry): Promise<void> {
    if (!this.#room.index.has(entry)) return
    await this.#room.drop(entry)
    this.#dropped++
  }

  #entry(name: EntryName): Entry | undefined {
    return this.#room.index
      .variants(name.keyHash)
      .find((entry) => entry.generation === name.generation && entry.variantHash === name.variantHash)
  }

  async #list(path: string) {
    try {
      return await this.#room.files.readdir(path, { withFileTypes: true })
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      this.#room.health.failed(`list ${path}`, error)
      return undefined
    }
  }
}
