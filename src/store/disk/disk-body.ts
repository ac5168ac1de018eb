/** A body on disk: every block is verified before it is handed out. */
import type { ByteRange } from '../../rfc/range.ts'
import type { Body } from '../store.ts'
import { readFully } from './files.ts'
import type { Lease, OpenFiles } from './open-files.ts'
import { BLOCK_BYTES, DamageError, verifyBlocks } from './record.ts'

export interface DiskBodySource {
  readonly path: string
  readonly openFiles: OpenFiles
  /** Where in the file the body begins. */
  readonly start: number
  readonly size: number
  /** The sum of each block. */
  readonly table: Uint32Array
  /** Hears what stopped a read: damage, or a file system that fails. */
  readonly onFailure: (error: unknown) => void
}

export class DiskBody implements Body {
  readonly #source: DiskBodySource
  readonly chunks = undefined

  constructor(source: DiskBodySource) {
    this.#source = source
  }

  get size(): number {
    return this.#source.size
  }

  /** Hands out a block at a time, and has the next one read meanwhile. */
  async *read(range?: ByteRange, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    signal?.throwIfAborted()
    const { first, last } = range ?? { first: 0, last: this.#source.size - 1 }
    if (last < first) return
    const lease = await this.#lease()
    const lastBlock = Math.floor(last / BLOCK_BYTES)
    let ahead: Promise<Uint8Array> | undefined
    try {
      for (let block = Math.floor(first / BLOCK_BYTES); block <= lastBlock; block++) {
        const bytes = await (ahead ?? this.#block(lease, block))
        signal?.throwIfAborted()
        ahead = block < lastBlock ? this.#block(lease, block + 1) : undefined
        // While the reader is away nobody awaits it; what it throws is thrown when he comes back.
        ahead?.catch(() => undefined)
        const start = block * BLOCK_BYTES
        yield bytes.subarray(Math.max(first - start, 0), last - start + 1)
        signal?.throwIfAborted()
      }
    } finally {
      // The descriptor must outlive what still reads from it. Whatever that throws, nobody is there to hear it.
      await ahead?.catch(() => undefined)
      lease.release()
    }
  }

  async #lease(): Promise<Lease> {
    try {
      return await this.#source.openFiles.lease(this.#source.path)
    } catch (error) {
      this.#source.onFailure(error)
      throw error
    }
  }

  async #block(lease: Lease, block: number): Promise<Uint8Array> {
    const { start, size, table, onFailure } = this.#source
    const at = block * BLOCK_BYTES
    try {
      const bytes = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, size - at))
      if ((await readFully(lease.handle, bytes, start + at)) < bytes.byteLength) {
        throw new DamageError(`the file ends in block ${block} of the body`)
      }
      verifyBlocks(table, block, bytes)
      return bytes
    } catch (error) {
      onFailure(error)
      throw error
    }
  }
}
