/** The facts of the fixture title, as scripts/write-manifests.mjs measured them. */

export interface Rates {
  /** Bits per second of the largest segment, and of all. */
  readonly peak: number
  readonly average: number
}

export interface Track extends Rates {
  readonly name: string
  readonly codecs: string
  /** Ticks per second of `durations` and of the timestamps in the segments. */
  readonly timescale: number
  /** Of each segment of one loop; they add up to the whole loop exactly. */
  readonly durations: readonly number[]
}

export interface VideoTrack extends Track {
  readonly width: number
  readonly height: number
  /** The same pictures as MPEG-TS, sound included. */
  readonly ts: Rates
}

export interface Title {
  /** Nominal; a segment of sound may be a frame longer or shorter. */
  readonly segmentSeconds: number
  /** Segments in one loop. */
  readonly segments: number
  readonly video: readonly VideoTrack[]
  readonly audio: Track
}

/** The start of segment `number` of an endless loop over the track, in ticks since number 0 began. */
export function startTicks(title: Title, track: Track, number: number): number {
  const { loop, index } = placeOf(title, number)
  const before = track.durations.slice(0, index).reduce((sum, duration) => sum + duration, 0)
  return loopTicks(title, track) * loop + before
}

/** The length of one loop in ticks; the same time for every track. */
export function loopTicks(title: Title, track: Track): number {
  return title.segmentSeconds * title.segments * track.timescale
}

/** Which segment of the title stands at `number` of the endless loop. */
export function placeOf(title: Title, number: number): { loop: number; index: number } {
  return { loop: Math.floor(number / title.segments), index: number % title.segments }
}

export function durationTicks(title: Title, track: Track, number: number): number {
  const duration = track.durations[placeOf(title, number).index]
  if (duration === undefined) throw new RangeError(`Segment numbers are integers from 0; this is ${number}.`)
  return duration
}
