/** One place that is watched: a manifest, or one rendition of an MPD, with all that was asked of it. */
import type { Forwarded } from '../../rfc/cache-status.ts'
import type { Outcome } from '../answer.ts'
import { noneAhead, type Tally } from '../prefetch/tally.ts'

/** Of a manifest that does not tell the length of its segments. */
const DEFAULT_PACE_MS = 6_000
/** Who asks for nothing in so many segments has stopped watching. */
const PACES = 3
/** Players of short segments ask for several at once, and then rest. */
const MIN_WINDOW_MS = 5_000

export class Spot {
  /** Path of a manifest; with a rendition the id of that behind it. Unique. */
  readonly name: string
  readonly counts: Record<Outcome, number> = { hit: 0, stale: 0, miss: 0, collapsed: 0, pass: 0, error: 0 }
  readonly forwarded: Record<Forwarded, number> = noneForwarded()
  bytes = 0
  /** CMCD: reports of a stall, and beginnings, searches and recoveries. */
  stalls = 0
  startups = 0
  /** Fetched ahead of its viewers. */
  readonly ahead: Tally = noneAhead()
  /** Who asked within it watches still. */
  windowMs = PACES * DEFAULT_PACE_MS
  /** What lists it; undefined: nothing that is known. */
  parent: Spot | undefined
  /** Let go, to make room: what belongs here is to be found anew. */
  isGone = false

  constructor(name: string, parent?: Spot) {
    this.name = name
    this.parent = parent
  }

  keepPace(paceMs: number | undefined): void {
    this.windowMs = Math.max(MIN_WINDOW_MS, PACES * (paceMs ?? DEFAULT_PACE_MS))
  }
}

/** The spot and all it is listed in, itself first; a circle of multivariant playlists that list each other ends. */
export function lineOf(spot: Spot): readonly Spot[] {
  const line: Spot[] = []
  for (let at: Spot | undefined = spot; at !== undefined && !line.includes(at); at = at.parent) line.push(at)
  return line
}

export function noneForwarded(): Record<Forwarded, number> {
  return {
    bypass: 0,
    method: 0,
    'uri-miss': 0,
    'vary-miss': 0,
    miss: 0,
    request: 0,
    stale: 0,
    partial: 0,
  }
}
