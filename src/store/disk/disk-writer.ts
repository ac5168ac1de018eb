/** A response on its way to disk: written aside, visible only when it is whole. */
import type { FileHandle } from 'node:fs/promises'
import type { ByteRange } from '../../rfc/range.ts'
import type { StoredHead, StoredResponse, StoreWriter } from '../store.ts'
import { roomOf } from './disk-index.ts'
import { type DiskFiles, making, readFully, unlinkIfThere, writeFully } from './files.ts'
import { RECORD_BYTES } from './journal.ts'
import { BLOCK_BYTES, BlockSums, DamageError, encodeEnd, encodeHead, verifyBlocks } from './record.ts'

/** So much is collected before it is written. */
const BATCH_BYTES = 1024 * 1024
/** Above this the caller is asked to wait. */
const WAIT_BYTES = 4 * 1024 * 1024
/** Above this, over all writers, who does not wait is not served: memory is worth more than a copy on disk. */
const MAX_PENDING_BYTES = 32 * 1024 * 1024

/** Bytes handed to writers that are not in their files yet. */
export class Pending {
  #bytes = 0

  /** False: there are too many already. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > MAX_PENDING_BYTES) return false
    this.#bytes += bytes
    return true
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes
  }
}

/** A file written to its end, without a name yet. */
export interface Written {
  readonly head: StoredHead
  readonly aside: string
  readonly handle: FileHandle
  /** Length of the file. */
  readonly bytes: number
  /** Where the body begins. */
  readonly start: number
  readonly size: number
  readonly table: Uint32Array
  /** The room taken for it. */
  readonly reserved: number
}

/** What a writer asks of the store it writes into. */
export interface WriterRoom {
  readonly files: DiskFiles
  readonly maxEntryBytes: number
  reserve(bytes: number): Promise<boolean>
  release(bytes: number): void
  /** Of all writers together. */
  readonly pending: Pending
  /** Gives the file its name, and takes over descriptor and room. Undefined when it could not. */
  publish(written: Written): Promise<StoredResponse | undefined>
  onDeclined(): void
  onFailure(error: unknown): void
  /** Nothing of this writer is on its way any more. */
  onEnd(writer: DiskWriter): void
}

export class DiskWriter implements StoreWriter {
  readonly #head: StoredHead
  readonly #room: WriterRoom
  readonly #aside: string
  readonly #sums = new BlockSums()
  /** Where in the file the body begins. */
  readonly #start: number
  #state: 'open' | 'sealed' | 'given-up' = 'open'
  #pending: Uint8Array[]
  /** Bytes handed in and not yet in the file. */
  #pendingBytes: number
  /** Of the pending bytes of all writers those of this one: of its body, not in the file yet. */
  #takenBytes = 0
  #size = 0
  #written = 0
  #reserved = 0
  #handle: FileHandle | undefined
  #flight: Promise<void> | undefined
  #isUrgent = false
  #committed: StoredResponse | undefined
  #committing: Promise<StoredResponse | undefined> | undefined
  #ended: Promise<void> | undefined

  constructor(head: StoredHead, aside: string, room: WriterRoom) {
    const opening = encodeHead('response', head)
    this.#head = head
    this.#aside = aside
    this.#room = room
    this.#start = opening.byteLength
    this.#pending = [opening]
    this.#pendingBytes = opening.byteLength
  }

  get held(): 'disk' | 'nowhere' {
    return this.#state === 'given-up' ? 'nowhere' : 'disk'
  }

  write(chunk: Uint8Array): void | Promise<void> {
    if (this.#state !== 'open' || chunk.byteLength === 0) return
    this.#size += chunk.byteLength
    if (this.#size > this.#room.maxEntryBytes || !this.#room.pending.take(chunk.byteLength)) {
      this.#decline()
      return
    }
    this.#takenBytes += chunk.byteLength
    this.#sums.add(chunk)
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.byteLength
    if (this.#pendingBytes >= BATCH_BYTES) this.#flight ??= this.#flush()
    return this.#pendingBytes > WAIT_BYTES ? this.#flight : undefined
  }

  async readBack(range: ByteRange): Promise<Uint8Array> {
    if (this.#committed !== undefined) {
      return Buffer.concat(await Array.fromAsync(this.#committed.body.read(range)))
    }
    if (this.#written < this.#start + range.last + 1) await this.#flushAll()
    if (this.#state === 'given-up' || this.#handle === undefined) {
      throw new Error('the response was given up and cannot be read back')
    }
    const first = Math.floor(range.first / BLOCK_BYTES)
    const start = first * BLOCK_BYTES
    const end = Math.min(
      (Math.floor(range.last / BLOCK_BYTES) + 1) * BLOCK_BYTES,
      this.#written - this.#start,
    )
    const bytes = Buffer.allocUnsafeSlow(end - start)
    if ((await readFully(this.#handle, bytes, this.#start + start)) < bytes.byteLength) {
      throw new DamageError('the file is shorter than what was written')
    }
    // The last block may still grow, so there is no sum of it yet.
    const whole = bytes.byteLength - (bytes.byteLength % BLOCK_BYTES)
    verifyBlocks(this.#sums.table(), first, bytes.subarray(0, whole))
    return bytes.subarray(range.first - start, range.last - start + 1)
  }

  commit(): Promise<StoredResponse | undefined> {
    this.#committing ??= this.#commit()
    return this.#committing
  }

  /** Gives up what is not being committed; resolves when nothing is on its way. */
  async stop(): Promise<void> {
    if (this.#state === 'open') this.#giveUp()
    await Promise.all([this.#ended, this.#committing])
  }

  async #commit(): Promise<StoredResponse | undefined> {
    if (this.#state === 'open') {
      this.#state = 'sealed'
      const table = this.#sums.table()
      const end = encodeEnd(this.#size, table)
      this.#pending.push(end)
      this.#pendingBytes += end.byteLength
      await this.#flushAll()
      // What awaits may come back to another state than it left.
      if ((this.#state as string) !== 'given-up') return await this.#publish(table)
    }
    await this.#ended
    return undefined
  }

  async abort(_reason: Error): Promise<void> {
    await this.stop()
  }

  async #publish(table: Uint32Array): Promise<StoredResponse | undefined> {
    if (this.#handle !== undefined) {
      this.#committed = await this.#room.publish({
        head: this.#head,
        aside: this.#aside,
        handle: this.#handle,
        bytes: this.#written,
        start: this.#start,
        size: this.#size,
        table,
        reserved: this.#reserved,
      })
    }
    if (this.#committed === undefined) {
      this.#giveUp()
      await this.#ended
    } else {
      this.#room.onEnd(this)
    }
    return this.#committed
  }

  /** Resolves when all that was handed in is in the file, or the response was given up. */
  async #flushAll(): Promise<void> {
    while (this.#pendingBytes > 0 && this.#state !== 'given-up') {
      this.#isUrgent = true
      this.#flight ??= this.#flush()
      await this.#flight
    }
  }

  async #flush(): Promise<void> {
    try {
      while (this.#state !== 'given-up' && this.#pendingBytes >= (this.#isUrgent ? 1 : BATCH_BYTES)) {
        const batch = this.#pending
        this.#pending = []
        if (!(await this.#writeBatch(batch))) this.#decline()
      }
    } catch (error) {
      this.#room.onFailure(error)
      this.#giveUp()
    } finally {
      this.#isUrgent = false
      this.#flight = undefined
    }
  }

  /** False when there is no room. */
  async #writeBatch(batch: readonly Uint8Array[]): Promise<boolean> {
    const bytes = batch.reduce((sum, chunk) => sum + chunk.byteLength, 0)
    const more = roomOf(this.#written + bytes) + RECORD_BYTES - this.#reserved
    if (more > 0) {
      if (!(await this.#room.reserve(more))) return false
      this.#reserved += more
    }
    const { files } = this.#room
    this.#handle ??= await making(files, this.#aside, () => files.open(this.#aside, 'wx+'))
    await writeFully(this.#handle, batch, this.#written)
    this.#written += bytes
    this.#pendingBytes -= bytes
    this.#giveBack(bytes)
    return true
  }

  /** Head and end were never taken; being small, they do not count. */
  #giveBack(bytes: number): void {
    const taken = Math.min(bytes, this.#takenBytes)
    this.#takenBytes -= taken
    this.#room.pending.giveBack(taken)
  }

  #decline(): void {
    if (this.#state === 'given-up') return
    this.#room.onDeclined()
    this.#giveUp()
  }

  #giveUp(): void {
    if (this.#state === 'given-up') return
    this.#state = 'given-up'
    this.#pending = []
    this.#pendingBytes = 0
    this.#ended = this.#cleanUp(this.#flight)
  }

  async #cleanUp(flight: Promise<void> | undefined): Promise<void> {
    await flight
    this.#giveBack(this.#takenBytes)
    try {
      await this.#handle?.close()
      await unlinkIfThere(this.#room.files, this.#aside)
      this.#room.release(this.#reserved)
    } catch (error) {
      // What cannot be removed stays counted until the next start removes it.
      this.#room.onFailure(error)
    }
    this.#room.onEnd(this)
  }
}
