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

export type Plan = Crowd | Chunks | Walk | Stall | Idle | Reads | Scatter
