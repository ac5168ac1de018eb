/** The bytes of a body that arrives, in blocks of our own: what is held is what is counted, and it goes block by block. */
import { isFitted } from './chunks.ts'

/** Blocks are no larger, so that one is let go soon after it was sent, and one write carries much. */
const MAX_BLOCK_BYTES = 1024 * 1024
/** The first block of a body of unknown length; each further one is twice as large. */
const MIN_BLOCK_BYTES = 16 * 1024
/** Smaller ones are gathered in blocks, so that these do not become too many to be looked through. */
const LEAST_ADOPTED_BYTES = 4 * 1024
/** Of what only passes, for what is gathered between chunks that become blocks themselves. */
const PASSING_BLOCK_BYTES = 64 * 1024

interface Block {
  readonly first: number
  readonly bytes: Uint8Array
}

/**
 * Bytes are copied once: a chunk from a socket would keep alive the whole buffer it was read into. What only passes is held no
 * longer than it takes, and chunks of it that keep nothing else alive are blocks as they came.
 */
export class Blocks {
  readonly #isPassing: boolean
  #blocks: Block[] = []
  #received = 0
  /** Bytes of the last block that are filled. */
  #used = 0

  constructor(isPassing: boolean) {
    this.#isPassing = isPassing
  }

  /** Bytes that have come so far. */
  get received(): number {
    return this.#received
  }

  /** The first byte that is still here; `received` when there is none. */
  get firstHeld(): number {
    return this.#blocks[0]?.first ?? this.#received
  }

  /** All that is here. */
  get filled(): readonly Uint8Array[] {
    return this.#blocks.map((block, index) => this.#filled(block, index))
  }

  /** Takes the next bytes, of `declared` in all if that is known. Answers where they lie now: they stay there, unchanged. */
  append(chunk: Uint8Array, declared: number | undefined): readonly Uint8Array[] {
    if (this.#adopts(chunk)) return [chunk]
    const pieces: Uint8Array[] = []
    let rest = chunk
    while (rest.byteLength > 0) {
      let block = this.#blocks.at(-1)
      if (block === undefined || this.#used === block.bytes.byteLength) block = this.#newBlock(declared)
      const taken = rest.subarray(0, block.bytes.byteLength - this.#used)
      block.bytes.set(taken, this.#used)
      pieces.push(block.bytes.subarray(this.#used, this.#used + taken.byteLength))
      this.#used += taken.byteLength
      this.#received += taken.byteLength
      rest = rest.subarray(taken.byteLength)
    }
    return pieces
  }

  /** What is held from `at` on, to the end of its block, or to `last`. */
  piece(at: number, last: number): Uint8Array {
    // Nearly every reader reads at the tip, so the search begins there.
    let index = this.#blocks.length - 1
    while (index > 0 && (this.#blocks[index]?.first ?? 0) > at) index--
    const block = this.#blocks[index]
    if (block === undefined) throw new Error(`no byte is held, and byte ${at} was asked for`)
    const filled = this.#filled(block, index)
    return filled.subarray(at - block.first, Math.min(filled.byteLength, last - block.first + 1))
  }

  /** Lets go of the blocks that end before byte `wanted`, never of the last one. */
  dropBefore(wanted: number): void {
    while (this.#blocks.length > 1 && (this.#blocks[1]?.first ?? 0) <= wanted) this.#blocks.shift()
  }

  dropAll(): void {
    this.#blocks = []
  }

  #filled(block: Block, index: number): Uint8Array {
    return index === this.#blocks.length - 1 && this.#used < block.bytes.byteLength
      ? block.bytes.subarray(0, this.#used)
      : block.bytes
  }

  /** False: it is to be copied. Else it has become a block as it is. */
  #adopts(bytes: Uint8Array): boolean {
    const isFull = this.#used === (this.#blocks.at(-1)?.bytes.byteLength ?? 0)
    if (!this.#isPassing || !isFull || bytes.byteLength < LEAST_ADOPTED_BYTES || !isFitted(bytes))
      return false
    this.#blocks.push({ first: this.#received, bytes })
    this.#used = bytes.byteLength
    this.#received += bytes.byteLength
    return true
  }

  #newBlock(declared: number | undefined): Block {
    const before = this.#blocks.at(-1)?.bytes.byteLength ?? MIN_BLOCK_BYTES / 2
    const missing = declared === undefined ? before * 2 : declared - this.#received
    // A source that sends more than it declared is refused by the road; a block of nothing must not be made of it.
    const most = this.#isPassing ? PASSING_BLOCK_BYTES : MAX_BLOCK_BYTES
    const bytes = new Uint8Array(new ArrayBuffer(Math.min(Math.max(missing, MIN_BLOCK_BYTES / 16), most)))
    const block = { first: this.#received, bytes }
    this.#blocks.push(block)
    this.#used = 0
    return block
  }
}
