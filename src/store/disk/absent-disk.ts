/** The disk that is not there: it keeps nothing, so that nobody need ask whether there is one. */
import type { DiskStats, MemoryStats, PlaceStats, Store, StoreStats } from '../store.ts'

const NO_PLACE: PlaceStats = { entries: 0, bytes: 0, maxBytes: 0, evictions: 0, declined: 0 }

export const NO_MEMORY: MemoryStats = { ...NO_PLACE, lent: 0, recalled: 0 }

export const NO_DISK: DiskStats = { ...NO_PLACE, state: 'off', errors: 0, corrupt: 0 }

const NO_HEADS: AsyncIterable<never> = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
}

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

  heads(): AsyncIterable<never> {
    return NO_HEADS
  }

  stats(): StoreStats {
    return { memory: NO_MEMORY, disk: NO_DISK }
  }

  async close(): Promise<void> {
    return
  }
}
