/** What /stats tells; docs/stats.md explains every counter. */

import type { StoreStats } from '../store/store.ts'
import type { OriginState } from '../upstream/origin-group.ts'

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

/** One manifest that viewers ask for. */
export interface StreamStats {
  readonly manifest: string
  readonly protocol: 'hls' | 'dash'
  readonly role: string
  /** Null: this manifest does not say. */
  readonly live: boolean | null
  readonly targetDurationSeconds: number | null
  readonly windowSeconds: number | null
  /** Seconds since the version in use came from the origin. */
  readonly readSecondsAgo: number
}

export interface Stats extends StoreStats {
  readonly node: string
  readonly version: string
  readonly uptimeSeconds: number
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
  /** Connections of viewers open now. */
  readonly viewers: number
  readonly streams: readonly StreamStats[]
  readonly routes: readonly RouteStats[]
  readonly siblings: readonly never[]
}
