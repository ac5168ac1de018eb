/** A segment while it is made: its parts one after the other, and what a range of it can mean so far. */
import type { Instant } from '../../rfc/heads.ts'
import type { Track } from '../title.ts'
import type { ChunkedTitle } from './chunked-title.ts'
import { edgeAt, PARTS_PER_SEGMENT, partMadeAt } from './part-clock.ts'

/** RFC 8673 section 2.2: the last byte that a viewer names who wants what is still to come. */
export const NEVER_LAST_BYTE = 2 ** 53 - 1

/** What a viewer of a growing segment is to get; all offsets in bytes, `last` inclusive. */
export type GrowingRange =
  /** From a byte on, as it comes, to the end. */
  | { readonly kind: 'follow'; readonly first: number; readonly isPartial: boolean }
  /** As far as it is made when the byte `until` is, and not beyond `last`. */
  | { readonly kind: 'piece'; readonly first: number; readonly last: number; readonly until: number }
  /** It takes the whole segment to know. */
  | { readonly kind: 'whole' }

export class GrowingSegment {
  readonly number: number
  readonly #chunked: ChunkedTitle
  readonly #track: Track

  constructor(chunked: ChunkedTitle, track: Track, number: number) {
    this.number = number
    this.#chunked = chunked
    this.#track = track
  }

  get size(): number {
    return this.#chunked.segmentBytes(this.#track, this.number)
  }

  get completeAt(): Instant {
    return this.madeAt(PARTS_PER_SEGMENT - 1)
  }

  madeAt(part: number): Instant {
    return partMadeAt({ number: this.number, part }, this.#segmentMs)
  }

  /** How many of its bytes are made. */
  sizeAt(madeUntil: Instant): number {
    const edge = edgeAt(madeUntil, this.#segmentMs)
    if (edge.number > this.number) return this.size
    return edge.number === this.number ? this.#offset(edge.parts) : 0
  }

  /** The part in which the byte lies; the last part for a byte beyond the end. */
  partOf(byte: number): number {
    let part = 0
    while (part < PARTS_PER_SEGMENT - 1 && this.#offset(part + 1) <= byte) part += 1
    return part
  }

  /** The bytes of one part from `first` of the segment on; empty when all of the part lies before it. */
  bytesFrom(first: number, part: number): Uint8Array {
    const bytes = this.#chunked.chunk(this.#track, { number: this.number, part })
    return bytes.subarray(Math.max(0, first - this.#offset(part)))
  }

  whole(): Uint8Array {
    return this.#chunked.segment(this.#track, this.number)
  }

  #offset(part: number): number {
    return part === PARTS_PER_SEGMENT
      ? this.size
      : this.#chunked.placeOf(this.#track, { number: this.number, part }).offset
  }

  get #segmentMs(): number {
    return this.#chunked.title.segmentSeconds * 1000
  }
}

/** Of a Range field; undefined, several ranges and nonsense follow from the first byte on, as without one. */
export function growingRange(range: string | undefined): GrowingRange {
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(range ?? '')
  const [, from = '', to = ''] = match ?? []
  if (from === '') return to === '' ? { kind: 'follow', first: 0, isPartial: false } : { kind: 'whole' }
  const first = Number(from)
  const last = to === '' ? NEVER_LAST_BYTE : Number(to)
  if (last < first) return { kind: 'follow', first: 0, isPartial: false }
  if (to === '') return { kind: 'piece', first, last, until: first }
  if (last >= NEVER_LAST_BYTE) return { kind: 'follow', first, isPartial: true }
  return { kind: 'piece', first, last, until: last }
}
