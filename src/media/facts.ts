/** What a manifest says of its stream, as far as a cache wants to know it. */

/** All durations in milliseconds. */
export type ManifestFacts = HlsMultivariantFacts | HlsMediaFacts | DashFacts | DashPatchFacts

/** Lists renditions. Whether they are live only their own playlists say. */
export interface HlsMultivariantFacts {
  readonly protocol: 'hls'
  readonly role: 'multivariant'
  readonly variants: number
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
      const none = { targetDurationMs: undefined, partTargetMs: undefined }
      return { ...none, live, windowMs, segmentDurationMs, minimumUpdatePeriodMs }
    }
    case 'multivariant':
    case 'patch':
      return undefined
  }
}

export function isBad(read: ManifestFacts | BadManifest): read is BadManifest {
  return 'bad' in read
}
