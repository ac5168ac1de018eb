/** What an MPD says of one representation: enough to name its segments. */

/** Of the last Period; real ladders have twenty. */
export const MAX_REPRESENTATIONS = 500
/** Of one SegmentTimeline; of a longer one the last are kept, where a live stream is watched. */
export const MAX_RUNS = 2000
/** Of all timelines together; past that of each the last few are kept. */
export const MAX_RUNS_IN_ALL = 20_000

/** Segments of one length, one after the other: an S element. All in the ticks of a timescale. */
export interface Run {
  readonly start: bigint
  readonly duration: bigint
  /** At least 1. Undefined: until the Period ends (`S@r` of -1). */
  readonly count: number | undefined
}

export interface Timeline {
  readonly runs: readonly Run[]
  /** Segments listed before those in `runs`. */
  readonly before: number
  /** All that are listed; one for a run without an end. */
  readonly count: number
}

export interface SegmentTemplate {
  readonly media: string
  readonly initialization: string | undefined
  /** Ticks a second. */
  readonly timescale: number
  readonly startNumber: number
  /** In ticks; undefined with a timeline. */
  readonly duration: number | undefined
  /** In ticks. */
  readonly presentationTimeOffset: number
  readonly timeline: Timeline | undefined
}

export interface DashRepresentation {
  readonly id: string
  readonly bandwidth: number | undefined
  readonly codecs: string | undefined
  /** Of the picture; its own or that of its adaptation set. */
  readonly height: number | undefined
  /** @mimeType, or what there is of it: @contentType. */
  readonly type: string | undefined
  /** BaseURLs from MPD to Representation, the first of each level; each resolves against the one before. */
  readonly bases: readonly string[]
  /** Undefined: one file (SegmentBase), or a list of addresses, which this says nothing of. */
  readonly template: SegmentTemplate | undefined
  /** How long before its end a segment may be asked for, summed over all levels; Infinity: at any time. */
  readonly availabilityTimeOffsetMs: number
  /** False: a segment may be asked for while it is made (low latency). */
  readonly availabilityTimeComplete: boolean
}
