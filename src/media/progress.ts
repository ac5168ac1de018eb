/** Whether a manifest that came is ahead of the one that is kept: a live stream never goes backwards for a viewer. */
import type { Instant } from '../rfc/heads.ts'
import { edge, wentBackMs } from './dash-edge.ts'
import type { DashFacts, HlsMediaFacts, HlsMultivariantFacts, ManifestFacts } from './facts.ts'

/**
 * - `newer`: it says more, or the same of a window that has moved on.
 * - `same`: nothing that matters here.
 * - `older`: from an origin that lags behind; it must not take the place of the other.
 * - `restarted`: another run of the stream under the same address: what was stored of the one before is void.
 */
export type Progress = 'newer' | 'same' | 'older' | 'restarted'

/** A live playlist that has not moved for as long counts as broken (RFC 8216 section 6.3.4). */
const STALLED_PACES = 1.5
/** Who still says less than a stream said that long ago does not lag behind it: it began anew. */
const GIVEN_UP_PACES = 3

/**
 * @param keptForMs since the kept version last moved. What is behind it is `older` for three target durations at most:
 * nobody has said more for so long, and what does speak is the stream.
 */
export function compare(kept: ManifestFacts, came: ManifestFacts, keptForMs: number): Progress {
  switch (came.role) {
    case 'media':
      return kept.role === 'media' ? compareMedia(kept, came, keptForMs) : 'restarted'
    case 'presentation':
      return kept.role === 'presentation' ? comparePresentations(kept, came, keptForMs) : 'restarted'
    case 'patch':
      return kept.role === 'patch' && kept.publishTime === came.publishTime ? 'same' : 'newer'
    case 'multivariant':
      return kept.role === 'multivariant' ? compareMultivariant(kept, came) : 'restarted'
  }
}

/** Whether a live stream has failed to say anything new for too long; another origin may know more. */
export function isStalled(facts: ManifestFacts, lastMovedAt: Instant, now: Instant): boolean {
  const paceMs = paceOf(facts)
  return paceMs !== undefined && now - lastMovedAt > STALLED_PACES * paceMs
}

/** The time in which it must say something new; undefined: it need not. */
function paceOf(facts: ManifestFacts): number | undefined {
  switch (facts.role) {
    case 'media':
      return facts.live ? facts.targetDurationMs : undefined
    case 'presentation': {
      const { live, minimumUpdatePeriodMs, segmentDurationMs, representations } = facts
      // Numbers go on by the clock; only a timeline has to be written on.
      const isWrittenOn = representations.some(({ template }) => template?.timeline !== undefined)
      if (!live || minimumUpdatePeriodMs === undefined || !isWrittenOn) return undefined
      return Math.max(minimumUpdatePeriodMs, segmentDurationMs ?? 0) || undefined
    }
    case 'multivariant':
    case 'patch':
      return undefined
  }
}

function compareMedia(kept: HlsMediaFacts, came: HlsMediaFacts, keptForMs: number): Progress {
  const overlap = overlapOf(kept, came)
  if (overlap === 'different') return 'restarted'
  // RFC 8216 section 6.2.1: the target duration of a stream does not change. Encoders that make it the longest segment
  // of the window (ffmpeg) change it all the same, and go on with the segments that were there.
  if (overlap === 'none' && kept.targetDurationMs !== came.targetDurationMs) return 'restarted'
  const ahead = edgeOrder(came, kept)
  const isLower = ahead < 0 || (ahead === 0 && came.mediaSequence < kept.mediaSequence)
  if (isLower) return lower(kept, came, overlap, keptForMs)
  if (ahead > 0) {
    return came.discontinuitySequence < kept.discontinuitySequence && overlap === 'none'
      ? 'restarted'
      : 'newer'
  }
  // At the same place the end is news; an origin that has not heard of it lags behind.
  if (kept.live !== came.live) return came.live ? 'older' : 'newer'
  return came.mediaSequence > kept.mediaSequence ? 'newer' : 'same'
}

/** A lower place in a stream: an origin that is behind, or one that began anew, under the same names perhaps. */
function lower(
  kept: HlsMediaFacts,
  came: HlsMediaFacts,
  overlap: 'same' | 'none',
  keptForMs: number,
): Progress {
  const [before, after] = [kept.programDateTimeMs, came.programDateTimeMs]
  // Less far and yet later by the clock on the wall.
  if (before !== undefined && after !== undefined && after > before) return 'restarted'
  // Both counts began again, and an origin so far behind would have been given up.
  const isAnew = came.discontinuitySequence < kept.discontinuitySequence && came.mediaSequence < came.segments
  if (isAnew && overlap === 'none') return 'restarted'
  return keptForMs > GIVEN_UP_PACES * kept.targetDurationMs ? 'restarted' : 'older'
}

/** Whether segments of one number are the same in both. Hosts and queries differ from origin to origin. */
function overlapOf(kept: HlsMediaFacts, came: HlsMediaFacts): 'same' | 'different' | 'none' {
  const bySequence = new Map(kept.tail.map((segment) => [segment.sequence, segment]))
  let overlap: 'different' | 'none' = 'none'
  for (const segment of came.tail) {
    const other = bySequence.get(segment.sequence)
    if (other === undefined) continue
    // A range in one file tells runs apart no better than its file does.
    if (isSamePath(pathOf(other.address), pathOf(segment.address))) return 'same'
    overlap = 'different'
  }
  return overlap
}

/** Positive: `a` goes further than `b`. */
export function edgeOrder(a: HlsMediaFacts, b: HlsMediaFacts): number {
  return a.lastSequence - b.lastSequence || a.openParts.length - b.openParts.length
}

function comparePresentations(kept: DashFacts, came: DashFacts, keptForMs: number): Progress {
  if (kept.availabilityStartAt !== came.availabilityStartAt && kept.live && came.live) return 'restarted'
  if (kept.id !== came.id) return 'restarted'
  if (kept.publishedAt !== undefined && came.publishedAt !== undefined) {
    const ahead = came.publishedAt - kept.publishedAt
    if (ahead > 0) return publishedLater(kept, came, keptForMs)
    if (ahead < 0) return 'older'
  }
  const ahead = came.periods.length > 0 ? comparePeriods(kept, came) || edge(came) - edge(kept) : 0
  if (ahead !== 0) return ahead > 0 ? 'newer' : 'older'
  if (kept.live !== came.live) return came.live ? 'older' : 'newer'
  return 'same'
}

/**
 * Of a stream whose start of availability stays, only its timelines tell that it began anew. Each origin publishes by its
 * own clock: one that is a few segments behind lags, and less than one segment is a correction.
 */
function publishedLater(kept: DashFacts, came: DashFacts, keptForMs: number): Progress {
  const backMs = kept.live && came.live ? wentBackMs(kept, came) : 0
  const segmentMs = kept.segmentDurationMs ?? 0
  if (backMs === 0 || backMs < segmentMs) return 'newer'
  const isGivenUp = keptForMs > GIVEN_UP_PACES * (paceOf(kept) ?? segmentMs)
  return backMs > GIVEN_UP_PACES * segmentMs || isGivenUp ? 'restarted' : 'older'
}

/** By the start of the last Period; 0 where one does not say. */
function comparePeriods(kept: DashFacts, came: DashFacts): number {
  return (came.periods.at(-1)?.startMs ?? 0) - (kept.periods.at(-1)?.startMs ?? 0)
}

function compareMultivariant(kept: HlsMultivariantFacts, came: HlsMultivariantFacts): Progress {
  const written = (facts: HlsMultivariantFacts): string =>
    JSON.stringify(facts.renditions.map(({ kind, address, bandwidth }) => [kind, address, bandwidth]))
  return written(kept) === written(came) ? 'same' : 'newer'
}

/** One origin writes whole paths, and another what is relative to the same playlist. */
function isSamePath(one: string, other: string): boolean {
  if (one.startsWith('/') === other.startsWith('/')) return one === other
  return one.startsWith('/') ? one.endsWith(`/${other}`) : other.endsWith(`/${one}`)
}

function pathOf(address: string): string {
  const question = address.indexOf('?')
  const path = question === -1 ? address : address.slice(0, question)
  return path.replace(/^(?:[a-z]+:)?\/\/[^/]*/i, '')
}
