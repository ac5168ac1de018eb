/** What viewers do with the bytes that come: compare them, or read when they were sent. */
import { pattern, STAMP_BYTES } from './pattern.ts'
import type { Watcher } from './viewer.ts'

/** Compares every byte with what the origin sends, which is cheaper and says more than a hash. */
export class Check implements Watcher {
  firstByteMs = Number.NaN
  readonly #startedAt = performance.now()
  readonly #expected: Buffer
  #received = 0
  #isRight = true

  constructor(bodyBytes: number) {
    this.#expected = pattern(bodyBytes)
  }

  get isRight(): boolean {
    return this.#isRight && this.#received === this.#expected.byteLength
  }

  onBody(bytes: Buffer, at: number): void {
    if (at === 0) this.firstByteMs = performance.now() - this.#startedAt
    const end = at + bytes.byteLength
    this.#isRight &&= end <= this.#expected.byteLength && bytes.compare(this.#expected, at, end) === 0
    this.#received += bytes.byteLength
  }
}

/** Reads each chunk's stamp and notes how long ago it was written when the chunk's last byte is here. */
export class StampReader implements Watcher {
  readonly #chunkBytes: number
  readonly #delayMs: number[]
  readonly #stamp = Buffer.alloc(STAMP_BYTES)

  constructor(chunkBytes: number, delayMs: number[]) {
    this.#chunkBytes = chunkBytes
    this.#delayMs = delayMs
  }

  onBody(bytes: Buffer, at: number): void {
    const now = process.hrtime.bigint()
    for (let from = 0; from < bytes.byteLength; ) {
      const place = (at + from) % this.#chunkBytes
      const to = Math.min(bytes.byteLength, from + this.#chunkBytes - place)
      if (place < STAMP_BYTES) bytes.copy(this.#stamp, place, from, Math.min(to, from + STAMP_BYTES - place))
      if (place + to - from === this.#chunkBytes) {
        this.#delayMs.push(Number(now - this.#stamp.readBigUInt64LE()) / 1e6)
      }
      from = to
    }
  }
}
