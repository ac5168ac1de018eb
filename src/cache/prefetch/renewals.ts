/** When a live manifest that viewers ask for is asked for anew though it is fresh, so that no viewer has to wait for it. */
import { LRUCache } from 'lru-cache'
import type { ManifestFacts } from '../../media/facts.ts'
import type { Freshness } from '../../rfc/freshness.ts'
import type { Instant } from '../../rfc/heads.ts'
import type { News } from '../streams.ts'

const MAX_MANIFESTS = 10_000
/** The last share of its time in which it is asked for anew behind a hit, */
const LATE = 1 / 4
/** and when the next segment is due. */
const DUE = 2 / 3
/** It is heard of with some delay, and so is expected too late, if anything. In its lengths. */
const EXPECTED = 0.9
const GIVEN_UP = 2
/** In target durations. A player asks no more often for what has not moved (RFC 8216 section 6.3.4), nor is the origin asked. */
const LEAST_GAP = 1 / 2

interface Motion {
  readonly movedAt: Instant
  readonly paceMs: number
  readonly leastGapMs: number
  /** When it was last found due. */
  dueAt: Instant
}

export class Renewals {
  /** By the manifest's path: when it told of something new. */
  readonly #motions = new LRUCache<string, Motion>({ max: MAX_MANIFESTS })

  /** `paceMs`: the time in which the manifest says something new. */
  learn({ stream, before }: News, paceMs: number): void {
    const { manifest, facts, readAt } = stream
    const known = this.#motions.get(manifest)
    const isNew = before === undefined || positionOf(before.facts) !== positionOf(facts)
    if (known !== undefined && !isNew) return
    const leastGapMs = LEAST_GAP * (facts.role === 'media' ? facts.targetDurationMs : paceMs)
    this.#motions.set(manifest, { movedAt: readAt, paceMs, leastGapMs, dueAt: known?.dueAt ?? 0 })
  }

  /** True once in half a target duration at most: whoever asks has it renewed. `askedAt`: when what is stored was asked for. */
  isDue(manifest: string, { bornAt, freshUntil }: Freshness, askedAt: Instant, now: Instant): boolean {
    if (now >= freshUntil) return false
    const motion = this.#motions.get(manifest)
    if (motion === undefined) return false
    const { movedAt, paceMs, leastGapMs, dueAt } = motion
    if (now - Math.max(askedAt, dueAt) < leastGapMs) return false
    const paces = (now - movedAt) / paceMs
    // What is two segments late has stopped, and comes no sooner for being asked for more often.
    const share = paces >= EXPECTED && paces < GIVEN_UP ? DUE : LATE
    if (freshUntil - now > (freshUntil - bornAt) * share) return false
    motion.dueAt = now
    return true
  }
}

/** Whether it can be due at all: costs nothing, and most hits come before. */
export function mayBeDue({ bornAt, freshUntil }: Freshness, now: Instant): boolean {
  return now < freshUntil && freshUntil - now <= (freshUntil - bornAt) * DUE
}

function positionOf(facts: ManifestFacts): number | undefined {
  if (facts.role === 'media') return facts.lastSequence
  return facts.role === 'presentation' ? facts.publishedAt : undefined
}
