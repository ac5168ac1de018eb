/** The parts of the disk, each wired to those it needs. */
import { DiskIndex, type Entry } from './disk-index.ts'
import { DiskReader } from './disk-reader.ts'
import { codeOf, type DiskFiles } from './files.ts'
import { Generations } from './generations.ts'
import { type DiskEvent, Health } from './health.ts'
import { Journal } from './journal.ts'
import { Layout } from './layout.ts'
import { Ledger } from './ledger.ts'
import { OpenFiles } from './open-files.ts'
import { DamageError } from './record.ts'
import { Removal } from './removal.ts'
import { Upkeep } from './upkeep.ts'

export interface DiskParts {
  readonly files: DiskFiles
  readonly layout: Layout
  readonly health: Health
  readonly generations: Generations
  readonly index: DiskIndex
  readonly ledger: Ledger
  readonly journal: Journal
  readonly openFiles: OpenFiles
  readonly removal: Removal
  readonly reader: DiskReader
  readonly upkeep: Upkeep
  /** Entries whose record is written and whose file has no name yet. */
  readonly arriving: Set<Entry>
  /** What could not be read is dropped and counted, unless it has gone meanwhile. */
  distrust(entry: Entry, error: unknown): void
}

export function assemble(
  files: DiskFiles,
  path: string,
  maxBytes: number,
  log: (event: DiskEvent) => void,
): DiskParts {
  const layout = new Layout(path)
  const health = new Health(log)
  const openFiles = new OpenFiles(files)
  const index = new DiskIndex(maxBytes, (entry) => removal.later(entry))
  const ledger = new Ledger({
    maxBytes,
    stored: () => index.bytes,
    letGo: () => openFiles.closeIdleRemoved(),
    yieldSome: () => index.evict(),
  })
  const journal = new Journal(files, layout.journal, health, (bytes) => {
    ledger.journalBytes = bytes
  })
  const removal = new Removal({ files, layout, ledger, journal, openFiles, health })
  const distrust = (entry: Entry, error: unknown): void => {
    if (!index.has(entry) || openFiles.isClosed) return
    const code = codeOf(error)
    if (error instanceof DamageError) health.damaged(layout.path(entry, 'body'), error)
    // A kill between the record of a file and its name leaves the record alone: that is no fault of the disk.
    else if (code !== 'ENOENT') health.failed(`read ${layout.path(entry, 'body')}`, error)
    // What a lack of descriptors or memory hides may well be whole.
    if (error instanceof DamageError || code === 'ENOENT' || code === 'EIO') {
      index.remove(entry)
      void removal.now(entry)
    }
  }
  const reader = new DiskReader({ files, layout, openFiles, onFailure: distrust })
  const generations = new Generations()
  const arriving = new Set<Entry>()
  const upkeep = new Upkeep({ generations, health, index, journal, layout, ledger, removal, arriving })
  return {
    files,
    layout,
    health,
    generations,
    index,
    ledger,
    journal,
    openFiles,
    removal,
    reader,
    upkeep,
    arriving,
    distrust,
  }
}
