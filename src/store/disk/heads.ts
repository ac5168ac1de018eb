/** What lies on the disk, read head by head: for those who look through all of it. */
import type { StoredHead } from '../store.ts'
import type { DiskParts } from './parts.ts'

/** Ends when the disk is closed or fails. */
export async function* headsOf(
  { distrust, index, reader }: DiskParts,
  isOn: () => boolean,
): AsyncGenerator<StoredHead> {
  for (const entry of index.leastRecentFirst()) {
    if (!isOn()) return
    if (!index.has(entry)) continue
    try {
      yield await reader.head(entry)
    } catch (error) {
      distrust(entry, error)
    }
  }
}
