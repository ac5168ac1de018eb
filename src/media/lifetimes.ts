/** How long a thing of each kind is kept when its origin does not say. */
import type { SilentLifetime } from '../rfc/freshness.ts'
import { type ManifestFacts, type StreamTiming, timingOf } from './facts.ts'
import { isManifest, type MediaKind } from './kind.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** When a live stream says nothing of its pace: the target duration that Apple's authoring specification asks for. */
const USUAL_SEGMENT = 6 * SECOND

/** What claims to be slower is not believed, for a live stream would be kept for hours. */
const SLOWEST = 10 * MINUTE

const NEVER: SilentLifetime = lifetime(0)
/** The origin's usual answer while a name may still become a segment: longer, and everybody's player stalls. */
const MISSING_AT_THE_EDGE = SECOND

type Row<Value> = Readonly<Record<MediaKind, Value>>

/** Of the things of a live stream. Nothing stays fresh for longer than the stream takes to say something new. */
const LIVE: Row<(stream: StreamTiming) => SilentLifetime> = {
  // RFC 8216 section 6.3.4: a client asks again after half a target duration, and gives a stream up after one and a half.
  'hls-playlist': (stream) => lifetime(paceOf(stream) / 2, { staleIfErrorMs: paceOf(stream) }),
  'dash-mpd': (stream) =>
    lifetime(mpdLifetimeMs(stream), {
      staleIfErrorMs: stream.segmentDurationMs === undefined ? 0 : paceOf(stream),
    }),
  'dash-patch': (stream) => lifetime(mpdLifetimeMs(stream)),
  'dash-fragment': (stream) => lifetime(mpdLifetimeMs(stream)),
  segment: liveSegment,
  text: liveSegment,
  // An encoder that is started anew writes another init under the same name.
  init: (stream) => lifetime(6 * paceOf(stream), { staleIfErrorMs: HOUR }),
  // A file that segments are ranges of; while the stream is live it grows.
  progressive: (stream) => lifetime(paceOf(stream) / 2, { staleIfErrorMs: paceOf(stream) }),
  key: () => NEVER,
  steering: () => NEVER,
  'asset-list': () => NEVER,
  other: () => NEVER,
}

/** Of the things of a stream that has ended: they do not change, and eviction decides how long they stay. */
const ENDED: Row<SilentLifetime> = {
  'hls-playlist': lifetime(HOUR, { staleIfErrorMs: DAY }),
  'dash-mpd': lifetime(5 * MINUTE, { staleIfErrorMs: DAY }),
  'dash-patch': lifetime(SECOND / 2),
  'dash-fragment': lifetime(5 * MINUTE, { staleIfErrorMs: DAY }),
  segment: lifetime(30 * DAY, { staleIfErrorMs: 30 * DAY }),
  text: lifetime(30 * DAY, { staleIfErrorMs: 30 * DAY }),
  init: lifetime(30 * DAY, { staleIfErrorMs: 30 * DAY }),
  progressive: lifetime(30 * DAY, { staleIfErrorMs: 30 * DAY }),
  key: NEVER,
  steering: NEVER,
  'asset-list': NEVER,
  other: NEVER,
}

/** Of things whose stream no manifest has told of: it may be live, and its names may come round again. */
const UNKNOWN: Row<SilentLifetime> = {
  // A manifest that could not be read.
  'hls-playlist': NEVER,
  'dash-mpd': NEVER,
  'dash-patch': lifetime(SECOND / 2),
  'dash-fragment': lifetime(SECOND / 2),
  segment: lifetime(HOUR, { staleIfErrorMs: HOUR }),
  text: lifetime(HOUR, { staleIfErrorMs: HOUR }),
  init: lifetime(HOUR, { staleIfErrorMs: HOUR }),
  progressive: lifetime(HOUR, { staleIfErrorMs: HOUR }),
  key: NEVER,
  steering: NEVER,
  'asset-list': NEVER,
  other: NEVER,
}

/** EXT-X-ENDLIST without a type: a live stream that has just ended, and may be replaced by its recording. */
const JUST_ENDED = lifetime(MINUTE, { staleIfErrorMs: DAY })
const MULTIVARIANT_LIVE = lifetime(10 * SECOND, { staleWhileRevalidateMs: 10 * SECOND, staleIfErrorMs: HOUR })
const MULTIVARIANT_ENDED = lifetime(5 * MINUTE, { staleIfErrorMs: DAY })
/** Live, and yet this MPD promises not to be updated. */
const NEVER_UPDATED = MINUTE

/** How long a 404 or 410 holds. A stream no manifest has told of is taken for live. */
const MISSING: Row<{ readonly atTheEdge: number; readonly ended: number }> = {
  'hls-playlist': { atTheEdge: 2 * SECOND, ended: 10 * SECOND },
  'dash-mpd': { atTheEdge: MISSING_AT_THE_EDGE, ended: 10 * SECOND },
  'dash-patch': { atTheEdge: MISSING_AT_THE_EDGE, ended: MISSING_AT_THE_EDGE },
  'dash-fragment': { atTheEdge: MISSING_AT_THE_EDGE, ended: 10 * SECOND },
  segment: { atTheEdge: MISSING_AT_THE_EDGE, ended: 10 * SECOND },
  text: { atTheEdge: MISSING_AT_THE_EDGE, ended: 10 * SECOND },
  init: { atTheEdge: MISSING_AT_THE_EDGE, ended: 10 * SECOND },
  progressive: { atTheEdge: MISSING_AT_THE_EDGE, ended: 10 * SECOND },
  key: { atTheEdge: 0, ended: 0 },
  steering: { atTheEdge: 0, ended: 0 },
  'asset-list': { atTheEdge: 0, ended: 0 },
  other: { atTheEdge: 0, ended: 0 },
}

export interface LifetimeFacts {
  /** Of the response itself, when it is a manifest that could be read. */
  readonly manifest?: ManifestFacts | undefined
  /** What a manifest has told of the stream that the response belongs to. */
  readonly stream?: StreamTiming | undefined
}

/** Zero: not kept unless the origin says so. What the origin says explicitly always wins over this. */
export function silentLifetime(kind: MediaKind, facts: LifetimeFacts, status: number): SilentLifetime {
  switch (status) {
    case 200:
    case 203:
    case 206:
      return lifetimeOf(kind, facts)
    case 301:
    case 308:
      return kind === 'key' || kind === 'steering' || kind === 'asset-list' ? NEVER : lifetime(HOUR)
    case 404:
    case 410:
      return lifetime(missingMs(kind, facts.stream))
    default:
      return NEVER
  }
}

/**
 * `always`: room is made for what everybody is about to ask for, the live edge and the manifests.
 * `when-wanted`: it must not push out what is asked for more often.
 */
export function admissionOf(
  kind: MediaKind,
  facts: Pick<LifetimeFacts, 'manifest' | 'stream'>,
): 'always' | 'when-wanted' {
  if (isManifest(kind)) return 'always'
  return facts.stream?.live === true ? 'always' : 'when-wanted'
}

function lifetimeOf(kind: MediaKind, facts: LifetimeFacts): SilentLifetime {
  const { manifest } = facts
  if (manifest?.role === 'multivariant')
    return facts.stream?.live === false ? MULTIVARIANT_ENDED : MULTIVARIANT_LIVE
  // A manifest that could not be read is not kept, whatever is known of its stream.
  if (manifest === undefined && (kind === 'hls-playlist' || kind === 'dash-mpd')) return UNKNOWN[kind]
  const stream = (manifest === undefined ? undefined : timingOf(manifest)) ?? facts.stream
  if (stream === undefined) return UNKNOWN[kind]
  if (!stream.live) return manifest?.role === 'media' && manifest.type !== 'vod' ? JUST_ENDED : ENDED[kind]
  return LIVE[kind](stream)
}

/** RFC 8216 section 6.2.2: a segment stays available for its own length and that of the playlist it was last in. */
function liveSegment(stream: StreamTiming): SilentLifetime {
  const { windowMs, segmentDurationMs } = stream
  // Without a window everything stays listed, yet names may be used again when the encoder is started anew.
  const listedMs = windowMs === undefined ? 10 * MINUTE : windowMs + (segmentDurationMs ?? paceOf(stream))
  const freshMs = Math.min(Math.max(listedMs, 6 * paceOf(stream)), HOUR)
  return lifetime(freshMs, { staleIfErrorMs: HOUR - freshMs })
}

/** DASH-IF: an MPD is valid for the minimum update period from its request on, and each cache eats into that. */
function mpdLifetimeMs(stream: StreamTiming): number {
  const { minimumUpdatePeriodMs, segmentDurationMs } = stream
  if (minimumUpdatePeriodMs === undefined) return NEVER_UPDATED
  const paceMs = Math.min(minimumUpdatePeriodMs, segmentDurationMs ?? minimumUpdatePeriodMs)
  return Math.min(Math.max(paceMs / 2, SECOND / 2), 5 * SECOND)
}

function missingMs(kind: MediaKind, stream: StreamTiming | undefined): number {
  const { atTheEdge, ended } = MISSING[kind]
  if (stream?.live === false) return ended
  // A part or a chunk comes sooner than a second, and so must the next look for it.
  return Math.min(
    atTheEdge,
    stream?.partTargetMs ?? atTheEdge,
    stream === undefined ? atTheEdge : paceOf(stream),
  )
}

/** The time in which a live stream says something new. */
function paceOf(stream: StreamTiming): number {
  const { targetDurationMs, segmentDurationMs, minimumUpdatePeriodMs } = stream
  return Math.min(targetDurationMs ?? segmentDurationMs ?? minimumUpdatePeriodMs ?? USUAL_SEGMENT, SLOWEST)
}

function lifetime(freshMs: number, stale: Partial<SilentLifetime> = {}): SilentLifetime {
  return { staleWhileRevalidateMs: 0, staleIfErrorMs: 0, ...stale, freshMs: Math.round(freshMs) }
}
