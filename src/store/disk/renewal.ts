/** A 304 renews the head of a stored response: the new one lies beside the body, which stays. */
import { isSameResponse } from '../same-response.ts'
import type { StoredHead } from '../store.ts'
import { Entry, roomOf } from './disk-index.ts'
import { unlinkIfThere } from './files.ts'
import { RECORD_BYTES } from './journal.ts'
import { hashKey, hashVariant } from './layout.ts'
import type { DiskParts } from './parts.ts'
import { encodeHead } from './record.ts'

export class Renewal {
  readonly #parts: DiskParts
  /** The renewal of each entry that is on its way: the next one waits for it. */
  readonly #turns = new Map<Entry, Promise<boolean>>()

  constructor(parts: DiskParts) {
    this.#parts = parts
  }

  /**
   * False when the response is not here, or the new head could not be written: then it is dropped, for what the old one says
   * (that it may be shared, and for how long) is no longer true.
   */
  async renew(head: StoredHead): Promise<boolean> {
    const entry = this.#parts.index.find(hashKey(head.key), hashVariant(head.variant))
    if (entry === undefined) return false
    const before = this.#turns.get(entry) ?? Promise.resolve(false)
    const turn = before.then(() => this.#renewNow(entry, head))
    this.#turns.set(entry, turn)
    const isRenewed = await turn
    if (this.#turns.get(entry) === turn) this.#turns.delete(entry)
    return isRenewed
  }

  /** Resolves when nothing is on its way. */
  async idle(): Promise<void> {
    await Promise.all(this.#turns.values())
  }

  async #renewNow(entry: Entry, head: StoredHead): Promise<boolean> {
    const { index, ledger, reader, distrust } = this.#parts
    if (!index.has(entry)) return false
    try {
      const stored = await reader.read(entry)
      // Hashes of variants are short: two may meet, and a head must not come to another one's body.
      if (!isSameResponse(stored.head, head)) return false
    } catch (error) {
      distrust(entry, error)
      return false
    }
    const bytes = encodeHead('head', head)
    const room = roomOf(bytes.byteLength) + RECORD_BYTES
    const isRenewed = (await ledger.reserve(room)) && (await this.#written(entry, bytes, room))
    if (!isRenewed) await this.#drop(entry)
    return isRenewed
  }

  async #drop(entry: Entry): Promise<void> {
    const { index, removal } = this.#parts
    if (!index.has(entry)) return
    index.remove(entry)
    await removal.now(entry)
  }

  async #written(entry: Entry, bytes: Buffer, room: number): Promise<boolean> {
    try {
      return await this.#write(entry, bytes)
    } finally {
      this.#parts.ledger.release(room)
    }
  }

  async #write(entry: Entry, bytes: Buffer): Promise<boolean> {
    const { files, generations, health, index, journal, layout } = this.#parts
    const aside = layout.aside(generations.next())
    const path = layout.path(entry, 'head')
    try {
      await files.writeFile(aside, bytes)
      if (!(await journal.append('put', new Entry(entry, entry.bytes, bytes.byteLength)))) return false
      await files.rename(aside, path)
      if (!index.has(entry)) {
        // Evicted meanwhile, by someone who did not know of this file; the record of the put must not be the last.
        await unlinkIfThere(files, path)
        void journal.append('remove', entry)
        return false
      }
      index.setHeadBytes(entry, bytes.byteLength)
      index.use(entry)
      health.succeeded()
      return true
    } catch (error) {
      health.failed(`write ${path}`, error)
      await unlinkIfThere(files, aside).catch((cause) => health.failed(`remove ${aside}`, cause))
      return false
    }
  }
}
