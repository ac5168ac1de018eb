/** What low-latency viewers do with the bytes that come: keep a playlist, or see where a chunk ends. */
import type { Watcher } from './viewer.ts'

/** Keeps the body, for bodies that are read afterwards. */
export class Keep implements Watcher {
  readonly #pieces: Buffer[] = []

  onBody(bytes: Buffer): void {
    // They are valid during the call alone.
    this.#pieces.push(Buffer.from(bytes))
  }

  get text(): string {
    return Buffer.concat(this.#pieces).toString('latin1')
  }
}

/** Only counts. */
export class Count implements Watcher {
  bytes = 0

  onBody(bytes: Buffer): void {
    this.bytes += bytes.byteLength
  }
}

/** Follows the boxes of an fMP4 segment as it comes, and tells the end of each chunk: that of its `mdat`. */
export class ChunkEnds implements Watcher {
  readonly #onChunk: (index: number) => void
  readonly #head = Buffer.alloc(8)
  #headBytes = 0
  #boxLeft = 0
  #isMedia = false
  #chunks = 0

  constructor(onChunk: (index: number) => void) {
    this.#onChunk = onChunk
  }

  /** How many chunks have come whole. */
  get chunks(): number {
    return this.#chunks
  }

  onBody(bytes: Buffer): void {
    for (let at = 0; at < bytes.byteLength; ) {
      if (this.#boxLeft === 0) at += this.#readHead(bytes, at)
      const taken = Math.min(this.#boxLeft, bytes.byteLength - at)
      if (taken === 0) continue
      at += taken
      this.#boxLeft -= taken
      if (this.#boxLeft === 0 && this.#isMedia) this.#onChunk(this.#chunks++)
    }
  }

  /** How many bytes of the head were there; the box begins when all eight are. */
  #readHead(bytes: Buffer, at: number): number {
    const taken = bytes.copy(this.#head, this.#headBytes, at, at + 8 - this.#headBytes)
    this.#headBytes += taken
    if (this.#headBytes < 8) return taken
    const size = this.#head.readUInt32BE()
    if (size < 8) throw new RangeError(`A box of ${size} bytes came: this is no fMP4.`)
    this.#headBytes = 0
    this.#boxLeft = size - 8
    this.#isMedia = this.#head.toString('latin1', 4) === 'mdat'
    return taken
  }
}
