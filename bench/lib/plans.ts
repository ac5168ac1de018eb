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
  readonly viewers: number
}

export interface WalkSeen {
  readonly wrongBodies: number
  readonly seconds: number
}

/** All ask for one path, say so with a line, and stay connected until they are ended. */
export interface Idle {
  readonly kind: 'idle'
  readonly port: number
  readonly path: string
  readonly viewers: number
}

export type Plan = Crowd | Chunks | Walk | Idle
