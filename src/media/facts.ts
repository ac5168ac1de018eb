/** What a manifest says of its stream, as far as a cache wants to know it. */
import type { DashRepresentation } from './dash-facts.ts'
import type {
  HlsPart,
  HlsRendition,
  HlsSegment,
  PreloadHint,
  RenditionReport,
  ServerControl,
} from './hls-facts.ts'
import type { Listing } from './listing.ts'

/** All durations in milliseconds. */
export type ManifestFacts = HlsMultivariantFacts | HlsMediaFacts | DashFacts | DashPatchFacts

/** Lists renditions. Whether they are live only their own playlists say. */
export interface HlsMultivariantFacts {
  readonly protocol: 'hls'
  readonly role: 'multivariant'
  readonly variants: number
  /** All that have a playlist of their own, in the order of the playlist; at most MAX_RENDITIONS. */
  readonly renditions: readonly HlsRendition[]
  /** EXT-X-CONTENT-STEERING:SERVER-URI. */
  readonly steering: string | undefined
}

export interface HlsMediaFacts {
  readonly protocol: 'hls'
  readonly role: 'media'
  /** More will come: neither EXT-X-ENDLIST nor EXT-X-PLAYLIST-TYPE:VOD. */
  readonly live: boolean
  /** EXT-X-PLAYLIST-TYPE; undefined when the playlist does not say, as sliding ones do not. */
  readonly type: 'vod' | 'event' | undefined
  readonly targetDurationMs: number
  /** Undefined: not low-latency. */
  readonly partTargetMs: number | undefined
  /** All listed segments together, those of EXT-X-SKIP at the target duration. */
  readonly windowMs: number
  /** The longest listed segment; undefined when none is listed. */
  readonly segmentDurationMs: number | undefined
  /** EXT-X-MEDIA-SEQUENCE; beyond 2^53 the nearest number. */
  readonly mediaSequence: number
  /** Listed segments, without those skipped. */
  readonly segments: number
  /** EXT-X-SKIP: how many segments a delta update left out; 0 for a full playlist. */
  readonly skippedSegments: number
  readonly canBlockReload: boolean
  /** EXT-X-VERSION; 1 when the playlist does not say. */
  readonly version: number
  readonly discontinuitySequence: number
  /** Media sequence number of the last whole segment; one less than mediaSequence when there is none. */
  readonly lastSequence: number
  /** The last whole segments, at most TAIL_SEGMENTS of them. */
  readonly tail: readonly HlsSegment[]
  /** The parts of the segment after them, which is not whole yet. */
  readonly openParts: readonly HlsPart[]
  readonly hints: readonly PreloadHint[]
  readonly reports: readonly RenditionReport[]
  readonly control: ServerControl
  /** X-ASSET-LIST of the last date ranges that have one; at most MAX_ASSET_LISTS. */
  readonly assetLists: readonly string[]
  /** When the last whole segment begins, by EXT-X-PROGRAM-DATE-TIME, in ms since the epoch. */
  readonly programDateTimeMs: number | undefined
  /** All whole segments, without gaps and those skipped. */
  readonly listing: Listing
}

export interface DashFacts {
  readonly protocol: 'dash'
  readonly role: 'presentation'
  /** MPD@type is dynamic. */
  readonly live: boolean
  /** 0: no MPD is valid for longer than its transfer. Undefined: this MPD will never be updated. */
  readonly minimumUpdatePeriodMs: number | undefined
  /** MPD@timeShiftBufferDepth while live (undefined: everything stays), else MPD@mediaPresentationDuration. */
  readonly windowMs: number | undefined
  /** The longest segment of any SegmentTemplate or SegmentTimeline, else MPD@maxSegmentDuration. */
  readonly segmentDurationMs: number | undefined
  /** The wire's own. */
  readonly publishTime: string | undefined
  /** UTCTiming@value of the schemes over HTTP: clocks, which no cache may answer for. */
  readonly clocks: readonly string[]
  /** MPD@id. */
  readonly id: string | undefined
  /** MPD@publishTime, in ms since the epoch; undefined when absent or no instant. */
  readonly publishedAt: number | undefined
  /** MPD@availabilityStartTime, in ms since the epoch: another one is another run of the encoder. */
  readonly availabilityStartAt: number | undefined
  readonly periods: readonly DashPeriod[]
  /** MPD/Location: where updates are asked for, instead of where this MPD came from. */
  readonly location: string | undefined
  /** MPD/PatchLocation, the first: where the way from this version to a newer one is asked for. */
  readonly patchLocation: string | undefined
  /** MPD/ContentSteering, the first. */
  readonly steering: string | undefined
  /** Those of the last Period that is described, at most MAX_REPRESENTATIONS. */
  readonly representations: readonly DashRepresentation[]
}

export interface DashPeriod {
  readonly id: string | undefined
  /** After the start of the presentation. Undefined: it says none, and the Periods before do not tell. */
  readonly startMs: number | undefined
}

/** A patch says little of its stream; the MPD it belongs to does. */
export interface DashPatchFacts {
  readonly protocol: 'dash'
  readonly role: 'patch'
  readonly publishTime: string | undefined
}

/** Not a manifest, or one that must not be kept: what was expected and what came. */
export interface BadManifest {
  readonly bad: string
}

/** What is known of a stream, for the things in it that do not say it themselves. */
export interface StreamTiming {
  readonly live: boolean
  readonly targetDurationMs: number | undefined
  /** Of a part of HLS or a chunk of DASH; undefined: not low-latency. */
  readonly partTargetMs: number | undefined
  readonly windowMs: number | undefined
  readonly segmentDurationMs: number | undefined
  readonly minimumUpdatePeriodMs: number | undefined
}

/** Undefined: this manifest says nothing of the time of its stream. */
export function timingOf(facts: ManifestFacts): StreamTiming | undefined {
  switch (facts.role) {
    case 'media': {
      const { live, targetDurationMs, partTargetMs, windowMs, segmentDurationMs } = facts
      return {
        live,
        targetDurationMs,
        partTargetMs,
        windowMs,
        segmentDurationMs,
        minimumUpdatePeriodMs: undefined,
      }
    }
    case 'presentation': {
      const { live, windowMs, segmentDurationMs, minimumUpdatePeriodMs } = facts
      const partTargetMs = chunkDurationMs(facts)
      const targetDurationMs = undefined
      return { live, targetDurationMs, partTargetMs, windowMs, segmentDurationMs, minimumUpdatePeriodMs }
    }
    case 'multivariant':
    case 'patch':
      return undefined
  }
}

/** DASH-IF low latency: a segment may be asked for when its first chunk is made. Undefined: none of them is cut. */
function chunkDurationMs({ representations, segmentDurationMs }: DashFacts): number | undefined {
  if (segmentDurationMs === undefined) return undefined
  const chunks = representations
    .filter(({ availabilityTimeComplete }) => !availabilityTimeComplete)
    .map(({ availabilityTimeOffsetMs }) => segmentDurationMs - availabilityTimeOffsetMs)
    .filter((ms) => ms > 0)
  return chunks.length === 0 ? undefined : Math.min(...chunks)
}

export function isBad<Read extends object>(read: Read | BadManifest): read is BadManifest {
  return 'bad' in read
}
