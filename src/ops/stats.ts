/** What /stats tells; docs/stats.md explains every counter. */

import type { CmcdStats } from '../cache/audience/sessions.ts'
import type { PrefetchStats } from '../cache/prefetch/errands.ts'
import type { JobStats } from '../cache/prefetch/jobs.ts'
import type { PurgeStats } from '../cache/purges/applied.ts'
import type { Refusal } from '../siblings/peer-message.ts'
import type { SiblingCounts } from '../siblings/sibling.ts'
import type { SiblingStats as Neighbour } from '../siblings/sibling-stats.ts'
import type { StoreStats } from '../store/store.ts'
import type { OriginState } from '../upstream/origin-group.ts'
import type { ProcessStats } from './process-stats.ts'
import type { StreamStats } from './stream-stats.ts'

/** Each request is exactly one of these: `total` is their sum. */
export interface RequestStats {
  readonly total: number
  readonly hit: number
  readonly stale: number
  readonly miss: number
  readonly collapsed: number
  readonly pass: number
  readonly error: number
}

export interface RouteStats {
  readonly prefix: string
  readonly requests: RequestStats
  readonly bytesToViewers: number
  readonly cuts: number
  readonly origins: readonly OriginState[]
}

/** One sibling, and what it was asked and gave. */
export interface SiblingStats extends Neighbour, SiblingCounts {}

export interface PeerStats {
  readonly requests: number
  readonly hits: number
  readonly bytes: number
  readonly refused: Readonly<Record<Refusal, number>>
  readonly outOfStep: number
}

export interface Stats extends StoreStats {
  readonly node: string
  readonly version: string
  readonly uptimeSeconds: number
  readonly process: ProcessStats
  readonly requests: RequestStats
  /** Answers that broke off before they were whole. */
  readonly cuts: number
  readonly bytes: {
    readonly toViewers: number
    readonly fromOrigin: number
    readonly fromSiblings: number
  }
  readonly origin: { readonly requests: number; readonly errors: number }
  /** Fills and validations under way. */
  readonly fills: number
  /** Viewers who wait for the head of one of them. */
  readonly waiting: number
  readonly prefetch: PrefetchStats
  /** What is fetched on order. */
  readonly jobs: JobStats
  readonly purges: PurgeStats
  /** Connections of viewers open now. */
  readonly viewers: number
  /** What players say of themselves. */
  readonly cmcd: CmcdStats
  readonly streams: readonly StreamStats[]
  readonly routes: readonly RouteStats[]
  /** The other nodes of the cluster; none of a node that is alone. */
  readonly siblings: readonly SiblingStats[]
  /** What siblings asked of this node; null: it is alone. */
  readonly peers: PeerStats | null
}
