/** When each part of an endless low-latency stream is made: the one rule that playlists, MPDs and media share. */
import type { Instant } from '../../rfc/heads.ts'

/** CMAF chunks in a segment. An HLS part is one of them, and so is a burst of LL-DASH. */
export const PARTS_PER_SEGMENT = 5

/** The parts made until an instant. */
export interface Edge {
  /** The segment in production: all before it are complete, and of it `parts` are made, at least 0 and never all. */
  readonly number: number
  readonly parts: number
}

/** A part by the number of its segment and its place in there, from 0. */
export interface PartPlace {
  readonly number: number
  readonly part: number
}

export function edgeAt(madeUntil: Instant, segmentMs: number): Edge {
  const number = Math.floor(madeUntil / segmentMs)
  const parts = Math.floor(((madeUntil - number * segmentMs) * PARTS_PER_SEGMENT) / segmentMs)
  return { number, parts }
}

/** When a part is made and may leave: the instant at which its last picture has been shown. */
export function partMadeAt({ number, part }: PartPlace, segmentMs: number): Instant {
  return number * segmentMs + ((part + 1) * segmentMs) / PARTS_PER_SEGMENT
}

/** The part that was made last. */
export function lastPart({ number, parts }: Edge): PartPlace {
  return parts > 0 ? { number, part: parts - 1 } : { number: number - 1, part: PARTS_PER_SEGMENT - 1 }
}

/** How many parts after `from` the part `to` comes; negative when it comes before. */
export function partsBetween(from: PartPlace, to: PartPlace): number {
  return (to.number - from.number) * PARTS_PER_SEGMENT + to.part - from.part
}
