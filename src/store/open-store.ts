/** Memory, and the disk below it where there is one. */

import { CopiesStore, SHARE_OF_COPIES } from './copies-store.ts'
import { DiskStore } from './disk/disk-store.ts'
import type { DiskEvent } from './disk/health.ts'
import { Layout } from './disk/layout.ts'
import { Notebook } from './disk/notebook.ts'
import { MemoryStore, spareBytes } from './memory-store.ts'
import { NoNotes, type Notes } from './notes.ts'
import type { DiskOptions, MemoryOptions } from './options.ts'
import type { Store } from './store.ts'
import { TieredStore } from './tiered-store.ts'

export interface OpenStore {
  readonly store: Store
  /** What outlives the process beside the responses; to be closed before the store. */
  readonly notes: Notes
}

/** `hasCopies`: a part of memory is for what siblings keep. Throws an Error of one line when the directory cannot be used. */
export async function openStore(
  { memory, disk, hasCopies }: { memory: MemoryOptions; disk: DiskOptions; hasCopies: boolean },
  log: (event: DiskEvent) => void,
): Promise<OpenStore> {
  const copyBytes = hasCopies ? Math.floor(memory.maxBytes * SHARE_OF_COPIES) : 0
  const { store, notes } = await openOwn(memoryOf(memory, memory.maxBytes - copyBytes), disk, log)
  return { store: hasCopies ? new CopiesStore(store, memoryOf(memory, copyBytes)) : store, notes }
}

function memoryOf(options: MemoryOptions, maxBytes: number): MemoryStore {
  const maxEntryBytes = Math.min(options.maxEntryBytes, maxBytes)
  return new MemoryStore({ ...options, maxBytes, maxEntryBytes }, spareBytes(maxBytes))
}

async function openOwn(
  memory: MemoryStore,
  { path, maxBytes, maxEntryBytes }: DiskOptions,
  log: (event: DiskEvent) => void,
): Promise<OpenStore> {
  if (path === null) return { store: memory, notes: new NoNotes() }
  const disk = await DiskStore.open({ path, maxBytes, maxEntryBytes, log })
  const { purges, purgesAside } = new Layout(path)
  const notes = await Notebook.open({
    path: purges,
    aside: purgesAside,
    onFailure: (what, cause) =>
      log({ kind: 'error', what, error: cause instanceof Error ? cause : new Error(String(cause)) }),
  })
  return { store: new TieredStore({ memory, disk }), notes }
}
