/** What comes of a request: an answer from store, or one that is passed on, and what both are counted as. */
import type { CacheStatus } from '../rfc/cache-status.ts'
import type { Fields, ReceivedHead } from '../rfc/heads.ts'
import type { StoredResponse } from '../store/store.ts'
import type { UpstreamResponse } from '../upstream/source.ts'

/**
 * How a request was answered; every one is exactly one of these, in the log and in /stats.
 *
 * - `hit`: from store, fresh.
 * - `stale`: from store though no longer fresh: while it is validated, or in place of an origin that failed.
 * - `miss`: the origin was asked for it (a validation that held among them).
 * - `collapsed`: it walked along with another request's fill.
 * - `pass`: the response is not for keeping, or the request not for a cache.
 * - `error`: Relais itself had to say no.
 */
export type Outcome = 'hit' | 'stale' | 'miss' | 'collapsed' | 'pass' | 'error'

export interface StoredAnswer {
  readonly kind: 'stored'
  readonly outcome: Outcome
  readonly stored: StoredResponse
  readonly status: CacheStatus
  /** Fields that came for this viewer alone and are not stored. */
  readonly unshared?: Fields | undefined
}

export interface PassedAnswer {
  readonly kind: 'passed'
  readonly outcome: Outcome
  readonly response: UpstreamResponse
  /** What the origin said, where the viewer is told less of it; absent: the head of the response. */
  readonly told?: ReceivedHead
  readonly status: CacheStatus
}

export type Answer = StoredAnswer | PassedAnswer
