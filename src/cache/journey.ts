/** What a fill is told, what it needs, and what comes of it. */
import type { Clock, RequestHead } from '../rfc/heads.ts'
import type { NotStorable } from '../rfc/storability.ts'
import type { CacheKey, Store, StoredResponse } from '../store/store.ts'
import type { UpstreamResponse } from '../upstream/source.ts'
import type { Route } from './routes.ts'
import type { Streams } from './streams.ts'

export interface FillContext {
  readonly store: Store
  readonly streams: Streams
  readonly clock: Clock
  readonly node: string
  /** A body that broke off, or a background validation that failed: for the log, no viewer is told. */
  readonly onTrouble: (what: string, error: unknown, target: string) => void
}

export interface Order {
  readonly route: Route
  readonly key: CacheKey
  readonly request: RequestHead
  /** What is to be validated; undefined: nothing is stored, or it has no validator. */
  readonly stored: StoredResponse | undefined
  /** Whether somebody wants it who does not read it: a viewer that waits for the head, or a validation behind a stale hit. */
  readonly isWanted: () => boolean
}

/**
 * Why a response is not kept.
 *
 * - `kind`: keys and steering manifests are kept only when the origin says so.
 * - `unframed`: only the end of the connection ends it, so that half of it looks like all of it.
 * - `declined`: no store takes it, and it is too large to be shared from memory while it passes.
 * - all others: the law (rfc/storability.ts).
 */
export type NotKept = NotStorable | 'kind' | 'unframed' | 'declined'

/** What may not be stored belongs to the first alone; all else is shared. */
export type Filled =
  | {
      readonly kind: 'stored'
      readonly stored: StoredResponse
      /** The status the origin answered with: 304 when it was a validation that held. */
      readonly fwdStatus: number
      /** Whether it is being kept, or only passed on to those who asked meanwhile. */
      readonly kept: boolean
    }
  | { readonly kind: 'not-storable'; readonly reason: NotKept; readonly response: UpstreamResponse }

/** What a flight does, from the request to the last byte. */
export interface Journey {
  /** Settles when the head is here (for a manifest: all of it). */
  readonly outcome: Promise<Filled>
  /** Settles when nothing more will come. Never rejects. */
  readonly landed: Promise<void>
}
