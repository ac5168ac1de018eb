/** What /stats tells of one stream: what its manifest says, how far behind it is, and who watches it. */
import { type AudienceStats, NO_AUDIENCE } from '../cache/audience/census.ts'
import type { KnownStream } from '../cache/streams.ts'
import { type ManifestFacts, timingOf } from '../media/facts.ts'
import type { Instant } from '../rfc/heads.ts'

/** One manifest that viewers ask for. */
export interface StreamStats extends AudienceStats {
  readonly manifest: string
  readonly protocol: 'hls' | 'dash'
  readonly role: string
  /** Null: this manifest does not say. */
  readonly kind: 'on-demand' | 'live' | 'low-latency' | null
  /** Null: this manifest does not say. */
  readonly live: boolean | null
  readonly targetDurationSeconds: number | null
  readonly windowSeconds: number | null
  /** Grows when the stream begins anew under the same address. */
  readonly generation: number
  /** Seconds since the version in use came from the origin. */
  readonly readSecondsAgo: number
  /** EXT-X-MEDIA-SEQUENCE of the last whole segment; null: this manifest has none. */
  readonly lastSequence: number | null
  /** How far ours may lie behind the origin's, as far as can be told without asking; null: it is not live. */
  readonly behindSeconds: number | null
}

export function describeStream(
  { manifest, facts, readAt, newestAt, generation }: KnownStream,
  audience: AudienceStats | undefined,
  now: Instant,
): StreamStats {
  const targetDurationMs = 'targetDurationMs' in facts ? facts.targetDurationMs : undefined
  const windowMs = 'windowMs' in facts ? facts.windowMs : undefined
  const seconds = (since: Instant): number => Math.max(0, now - since) / 1000
  const paceMs = paceOf(facts)
  return {
    manifest,
    protocol: facts.protocol,
    role: facts.role,
    kind: kindOf(facts),
    live: 'live' in facts ? facts.live : null,
    targetDurationSeconds: targetDurationMs === undefined ? null : targetDurationMs / 1000,
    windowSeconds: windowMs === undefined ? null : windowMs / 1000,
    generation,
    readSecondsAgo: Math.floor(seconds(readAt)),
    lastSequence:
      facts.role === 'media' && facts.lastSequence >= facts.mediaSequence ? facts.lastSequence : null,
    behindSeconds: paceMs === undefined ? null : Math.max(0, seconds(newestAt) - paceMs / 1000),
    ...(audience ?? NO_AUDIENCE),
  }
}

function kindOf(facts: ManifestFacts): StreamStats['kind'] {
  const timing = timingOf(facts)
  if (timing === undefined) return null
  if (!timing.live) return 'on-demand'
  return timing.partTargetMs === undefined ? 'live' : 'low-latency'
}

/** In which the origin says something new; undefined: it will not. */
function paceOf(facts: ManifestFacts): number | undefined {
  if (facts.role === 'media') return facts.live ? (facts.partTargetMs ?? facts.targetDurationMs) : undefined
  if (facts.role !== 'presentation' || !facts.live) return undefined
  const { minimumUpdatePeriodMs, segmentDurationMs } = facts
  return minimumUpdatePeriodMs === undefined
    ? undefined
    : Math.max(minimumUpdatePeriodMs, segmentDurationMs ?? 0)
}
