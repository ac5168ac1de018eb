/** What viewers.ts can be told to do, and what its viewers then have seen. */

/** All ask for one path at once; more join one by one while it still runs. */
export interface Crowd {
  readonly kind: 'crowd'
  readonly port: number
  readonly path: string
  readonly bodyBytes: number
  readonly viewers: number
  readonly late: { readonly viewers: number; readonly afterMs: number; readonly everyMs: number }
}

export interface CrowdSeen {
  /** From the request to the first byte of the body, one number a viewer. */
  readonly firstByteMs: readonly number[]
  readonly lateFirstByteMs: readonly number[]
  /** Viewers whose body was not, byte for byte, what the origin sends. */
  readonly wrongBodies: number
}

/** All ask for one stamped path at once. */
export interface Chunks {
  readonly kind: 'chunks'
  readonly port: number
  readonly path: string
  readonly chunkBytes: number
  readonly chunks: number
  readonly viewers: number
}

export interface ChunksSeen {
  /** From the origin's stamp to a chunk's last byte, one number a chunk and viewer. */
  readonly delayMs: readonly number[]
}

/** A walk through paths that differ, several at a time: `path` and a number each. */
export interface Walk {
  readonly kind: 'walk'
  readonly port: number
  readonly path: string
  readonly bodyBytes: number
  readonly paths: number
  /** The numbers that are walked through, each as often as it stands here; undefined: those from 0 up to `paths`. */
  readonly numbers?: readonly number[]
  readonly viewers: number
  /** So many requests a second, of all of them; undefined: as many as are answered. */
  readonly perSecond?: number
}

export interface WalkSeen {
  readonly wrongBodies: number
  readonly seconds: number
}

/**
 * Each asks for a path of its own that is stored (`path` and a number), and takes nothing; then others take as many more, so
 * that all of it is evicted, and those who stood still take what is left.
 */
export interface Stall {
  readonly kind: 'stall'
  readonly port: number
  readonly path: string
  readonly bodyBytes: number
  readonly viewers: number
}

export interface StallSeen {
  /** Of those who stood still. */
  readonly whole: number
  readonly broken: number
}

/** All ask for one path, say so with a line, and stay connected until they are ended. */
export interface Idle {
  readonly kind: 'idle'
  readonly port: number
  readonly path: string
  readonly viewers: number
}

/** One viewer of a film, who asks for one thing after the other. */
export interface Reads {
  readonly kind: 'reads'
  readonly port: number
  readonly path: string
  readonly size: number
  readonly reads: readonly Read[]
}

export interface Read {
  /** As in a Range field, without its unit: `0-1023`, `4096-`, `-500`; undefined: the whole. */
  readonly range?: string
  /** Leaves after so many bytes, as a player does that seeks. */
  readonly takeBytes?: number
}

export interface ReadsSeen {
  readonly wrongBodies: number
  readonly seconds: number
}

/** Ranges of 1 to `mostBytes` anywhere in a film, the same ones for the same seed. */
export interface Scatter {
  readonly kind: 'scatter'
  readonly port: number
  readonly path: string
  readonly size: number
  readonly ranges: number
  readonly leastBytes: number
  readonly mostBytes: number
  readonly seed: number
  readonly viewers: number
}

export type ScatterSeen = ReadsSeen

/** Several at each of these ports, each asking for one of `paths` numbers after the other, drawn anew each time. */
export interface Stroll {
  readonly kind: 'stroll'
  readonly ports: readonly number[]
  readonly path: string
  readonly paths: number
  /** At each port. */
  readonly viewers: number
  /** Of all together; undefined: as many as are answered. */
  readonly perSecond?: number
  readonly seconds: number
}

export interface StrollSeen {
  readonly requests: number
  readonly failures: number
  /** From a request to the end of its body, of some of them. */
  readonly ms: readonly number[]
}

/** An operator who purges one stamped path after the other (`path` and a number), and viewers of it at each port. */
export interface Purging {
  readonly kind: 'purging'
  readonly ports: readonly number[]
  readonly path: string
  /** When all were purged he begins anew. */
  readonly paths: number
  /** One of so many purges is watched by viewers: their looks and what they fill anew are a load of their own. */
  readonly watched: number
  readonly perSecond: number
  /** So long he purges before anything counts. */
  readonly warmUpSeconds: number
  readonly seconds: number
}

/** Times are milliseconds from the sending of a purge, one number a purge. */
export interface PurgingSeen {
  /** Purges that were sent. */
  readonly perSecond: number
  /** Until the answer that all nodes have it. */
  readonly saidMs: readonly number[]
  /** Of those that are watched, until the last of the ports has given a whole body that left the origin after that. */
  readonly seenMs: readonly number[]
  /** Of older bodies, after it was said that all have the purge. */
  readonly servedAfter: number
  /** Purges of which it was not said, or that nobody took. */
  readonly failures: number
  /** The share of the time in which each processor was, by its number. */
  readonly busy: readonly number[]
}

/** Each of so many stamped paths is asked for twice at each port. */
export interface Tasting {
  readonly kind: 'tasting'
  readonly ports: readonly number[]
  readonly path: string
  readonly paths: number
}

export type Plan = Crowd | Chunks | Walk | Stall | Idle | Reads | Scatter | Stroll | Purging | Tasting
