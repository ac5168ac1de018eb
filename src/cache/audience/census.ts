/** Counts those who watch: what was asked of each manifest, its renditions included, and by how many. */
import type { Forwarded } from '../../rfc/cache-status.ts'
import type { Instant } from '../../rfc/heads.ts'
import type { Outcome } from '../answer.ts'
import { noneAhead, type Tally } from '../prefetch/tally.ts'
import type { Seat } from './seat.ts'
import type { Session } from './sessions.ts'
import { lineOf, noneForwarded, type Spot } from './spot.ts'

/** A stream has one; more are a player's jest. */
const MAX_CONTENTS = 8

/** Of one manifest and all that it lists. */
export interface AudienceStats {
  /** Who asked for something within three segments: sessions of CMCD, and connections that spoke of none. */
  readonly viewers: number
  /** Renditions that somebody watches. */
  readonly renditionsWatched: number
  readonly requests: Readonly<Record<Outcome, number>> & { readonly total: number }
  /** What was answered without asking the origin; null: nothing was asked for. */
  readonly hitRatio: number | null
  readonly forwarded: Readonly<Record<Forwarded, number>>
  readonly bytesToViewers: number
  /** What was fetched ahead of its viewers: sent = used + wasted + those nobody has asked for yet. */
  readonly prefetch: Readonly<Tally>
  readonly cmcd: {
    readonly sessions: number
    /** What they say that they play (`cid`), at most MAX_CONTENTS, those of most sessions first. */
    readonly contents: readonly string[]
    readonly bufferMinMs: number | null
    readonly bufferMedianMs: number | null
    readonly stalls: number
    readonly startups: number
    readonly startupMedianMs: number | null
    readonly bitrateMedianKbps: number | null
    readonly throughputMedianKbps: number | null
  }
}

class Count {
  readonly outcomes: Record<Outcome, number> = { hit: 0, stale: 0, miss: 0, collapsed: 0, pass: 0, error: 0 }
  readonly forwarded = noneForwarded()
  readonly renditions = new Set<Spot>()
  readonly sessions: Session[] = []
  readonly ahead = noneAhead()
  connections = 0
  bytes = 0
  stalls = 0
  startups = 0

  add(spot: Spot): void {
    for (const outcome of keysOf(this.outcomes)) this.outcomes[outcome] += spot.counts[outcome]
    for (const word of keysOf(this.forwarded)) this.forwarded[word] += spot.forwarded[word]
    this.bytes += spot.bytes
    this.stalls += spot.stalls
    this.startups += spot.startups
    for (const word of keysOf(this.ahead)) this.ahead[word] += spot.ahead[word]
  }

  stats(): AudienceStats {
    const { hit, stale, miss, collapsed, pass, error } = this.outcomes
    const total = hit + stale + miss + collapsed + pass + error
    const buffers = known(this.sessions.map(({ bufferMs }) => bufferMs))
    return {
      viewers: this.connections + this.sessions.length,
      renditionsWatched: this.renditions.size,
      requests: { total, ...this.outcomes },
      hitRatio: total === 0 ? null : Math.round(((hit + stale + collapsed) / total) * 10_000) / 10_000,
      forwarded: this.forwarded,
      bytesToViewers: this.bytes,
      prefetch: this.ahead,
      cmcd: {
        sessions: this.sessions.length,
        contents: contentsOf(this.sessions),
        bufferMinMs: buffers[0] ?? null,
        bufferMedianMs: medianOf(buffers),
        stalls: this.stalls,
        startups: this.startups,
        startupMedianMs: medianOf(known(this.sessions.map(({ startupMs }) => startupMs))),
        bitrateMedianKbps: medianOf(known(this.sessions.map(({ bitrateKbps }) => bitrateKbps))),
        throughputMedianKbps: medianOf(known(this.sessions.map(({ throughputKbps }) => throughputKbps))),
      },
    }
  }
}

/** Of a manifest that nobody has asked anything of since it was forgotten to make room. */
export const NO_AUDIENCE: AudienceStats = new Count().stats()

/** By the name of the spot; those of renditions of an MPD are among them. */
export function countAudience(
  spots: readonly Spot[],
  seats: readonly Seat[],
  sessions: readonly Session[],
  now: Instant,
): ReadonlyMap<string, AudienceStats> {
  const counts = new Map<Spot, Count>()
  const of = (spot: Spot): Count => {
    const count = counts.get(spot) ?? new Count()
    counts.set(spot, count)
    return count
  }
  for (const spot of spots) for (const above of lineOf(spot)) of(above).add(spot)
  const watching = (seat: Seat): ReadonlySet<Spot> => {
    const within = new Set<Spot>()
    for (const spot of seat.watched(now)) {
      for (const above of lineOf(spot)) {
        if (above !== spot) of(above).renditions.add(spot)
        within.add(above)
      }
    }
    return within
  }
  for (const seat of seats) for (const spot of watching(seat)) of(spot).connections++
  for (const session of sessions) for (const spot of watching(session.seat)) of(spot).sessions.push(session)
  return new Map([...counts].map(([spot, count]) => [spot.name, count.stats()]))
}

function contentsOf(sessions: readonly Session[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const { content } of sessions)
    if (content !== undefined) counts.set(content, (counts.get(content) ?? 0) + 1)
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .slice(0, MAX_CONTENTS)
    .map(([content]) => content)
}

function known(values: readonly (number | undefined)[]): readonly number[] {
  return values.filter((value) => value !== undefined).sort((one, other) => one - other)
}

/** The lower of the two in the middle. */
function medianOf(sorted: readonly number[]): number | null {
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null
}

function keysOf<Key extends string>(record: Readonly<Record<Key, unknown>>): readonly Key[] {
  // A record of its own, made with these keys and no others.
  return Object.keys(record) as Key[]
}
