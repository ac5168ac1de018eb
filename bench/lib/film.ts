/** A film of any length whose bytes follow from their position, so that nobody has to hold it to send or to check it. */
import type { Watcher } from './viewer.ts'

export const MIB = 2 ** 20

/** Both ends inclusive. */
export interface Span {
  readonly first: number
  readonly last: number
}

const BLOCK_BYTES = 64 * 1024
const MARK_BYTES = 4
const BLOCK = Buffer.alloc(BLOCK_BYTES)
for (let at = 0; at < BLOCK_BYTES; at++) BLOCK[at] = (at * 31 + (at >> 7) * 17) & 0xff

/** The film from `at` to the end of its block, or to `last`. Each block is marked, so that none can stand in another's place. */
export function filmPiece(at: number, last: number): Buffer {
  const from = at % BLOCK_BYTES
  const to = Math.min(BLOCK_BYTES, from + last - at + 1)
  const bytes = Buffer.from(BLOCK)
  bytes.writeUInt32BE(Math.floor(at / BLOCK_BYTES), 0)
  return bytes.subarray(from, to)
}

/** Compares what comes with the film from `first` on, without making it again. */
export class FilmCheck implements Watcher {
  received = 0
  isRight = true
  readonly #first: number
  readonly #mark = Buffer.alloc(MARK_BYTES)

  constructor(first: number) {
    this.#first = first
  }

  onBody(bytes: Buffer, at: number): void {
    this.received += bytes.byteLength
    for (let taken = 0; taken < bytes.byteLength; ) {
      const place = this.#first + at + taken
      const from = place % BLOCK_BYTES
      const expected = from < MARK_BYTES ? this.#markOf(place) : BLOCK
      const to = Math.min(from < MARK_BYTES ? MARK_BYTES : BLOCK_BYTES, from + bytes.byteLength - taken)
      this.isRight &&= bytes.compare(expected, from, to, taken, taken + to - from) === 0
      taken += to - from
    }
  }

  #markOf(place: number): Buffer {
    this.#mark.writeUInt32BE(Math.floor(place / BLOCK_BYTES), 0)
    return this.#mark
  }
}

/** The bytes of all spans together, each counted once. */
export function coveredBytes(spans: readonly Span[]): number {
  let covered = 0
  let end = 0
  for (const { first, last } of spans.toSorted((one, other) => one.first - other.first)) {
    covered += Math.max(0, last + 1 - Math.max(first, end))
    end = Math.max(end, last + 1)
  }
  return covered
}

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
