/** Takes in a response found on disk that nobody knew. */
import { Entry } from './disk-index.ts'
import { RECORD_BYTES } from './journal.ts'
import { type EntryName, hashKey, hashVariant } from './layout.ts'
import type { DiskParts } from './parts.ts'
import { DamageError } from './record.ts'

/** `isSuperseded` says whether something newer has been done with the key. False: it is to be removed. */
export async function adopt(
  parts: DiskParts,
  name: EntryName,
  isSuperseded: (name: EntryName) => boolean,
): Promise<boolean> {
  const { index, journal, ledger, removal } = parts
  const entry = await readable(parts, name)
  if (entry === undefined || isSuperseded(name)) return false
  const room = entry.room + RECORD_BYTES
  if (!(await ledger.reserve(room))) return false
  const isKnown = await journal.append('put', entry)
  ledger.release(room)
  // Others may have stored or deleted the key while this waited.
  if (!isKnown || isSuperseded(name)) {
    void journal.append('remove', entry)
    return false
  }
  for (const gone of index.add(entry)) void removal.now(gone)
  return true
}

/** Undefined when the file is damaged or is not what its name says. */
async function readable(parts: DiskParts, name: EntryName): Promise<Entry | undefined> {
  const { files, health, layout, reader } = parts
  const path = layout.path(name, 'body')
  try {
    const entry = new Entry(name, (await files.stat(path)).size, 0)
    const { head } = await reader.read(entry)
    if (hashKey(head.key) === name.keyHash && hashVariant(head.variant) === name.variantHash) return entry
    throw new DamageError('the file bears the name of another response')
  } catch (error) {
    if (error instanceof DamageError) health.damaged(path, error)
    else health.failed(`read ${path}`, error)
    return undefined
  }
}
