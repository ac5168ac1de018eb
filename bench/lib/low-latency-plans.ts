/** What low-latency-viewers.ts can be told to do, and what its viewers then have seen. */

/** Viewers of one LL-HLS rendition: each reloads its playlist with the next part's directives, and fetches each part. */
export interface LowLatencyHls {
  readonly kind: 'll-hls'
  /** A media playlist of the demo's stream with parts as files, on loopback: `http://127.0.0.1:9000/ll/parts/360p.m3u8`. */
  readonly url: string
  readonly viewers: number
  /** So many parts each viewer sees. */
  readonly parts: number
  /**
   * `announced`: a part is asked for when the playlist has it, as hls.js does; `hinted`: while the playlist that will have
   * it is still held, as the draft wants (EXT-X-PRELOAD-HINT) and Shaka does.
   */
  readonly fetches: 'announced' | 'hinted'
  readonly wantsDelta: boolean
  readonly timeoutMs: number
}

/** Viewers of one LL-DASH representation: each asks for every segment before its first chunk is made. */
export interface LowLatencyDash {
  readonly kind: 'll-dash'
  /** The folder of a representation, on loopback: `http://127.0.0.1:9000/ll/dash/360p/`. */
  readonly url: string
  readonly viewers: number
  readonly segments: number
  readonly timeoutMs: number
}

export type LowLatencyPlan = LowLatencyHls | LowLatencyDash

export interface LowLatencySeen {
  /** From the instant at which a part or chunk is made to its last byte, one number a part and viewer. */
  readonly delayMs: readonly number[]
  /** The same for the first playlist that lists a part; none for DASH. */
  readonly playlistDelayMs: readonly number[]
  /** The targets that were asked for, each once: what the origin was asked for them is another's to tell. */
  readonly targets: readonly string[]
  /** How much of the time the process of the viewers was busy, from 0 to 1: near 1 it measures itself. */
  readonly busyShare: number
  /** Why viewers had to stop; empty when all saw everything. */
  readonly failures: readonly string[]
}
