/** The disk that is not there: it keeps nothing, so that nobody need ask whether there is one. */
import type { DiskStats, MemoryStats, PlaceStats, Store, StoreStats } from '../store.ts'

const NO_PLACE: PlaceStats = { entries: 0, bytes: 0, maxBytes: 0, evictions: 0, declined: 0 }

export const NO_MEMORY: MemoryStats = { ...NO_PLACE, lent: 0, recalled: 0 }

export const NO_DISK: DiskStats = { ...NO_PLACE, state: 'off', errors: 0, corrupt: 0 }

export class AbsentDisk implements Store {
  peek(): undefined {
    return undefined
  }

  async get(): Promise<undefined> {
    return undefined
  }

  has(): boolean {
    return false
  }

  use(): void {
    return
  }

  demote(): void {
    return
  }

  async open(): Promise<undefined> {
    return undefined
  }

  async refresh(): Promise<boolean> {
    return false
  }

  async delete(): Promise<boolean> {
    return false
  }

  stats(): StoreStats {
    return { memory: NO_MEMORY, disk: NO_DISK }
  }

  async close(): Promise<void> {
    return
  }
}
