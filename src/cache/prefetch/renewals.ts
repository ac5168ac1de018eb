/** When a live manifest that viewers ask for is asked for anew though it is fresh, so that no viewer has to wait for it. */
import { LRUCache } from 'lru-cache'
import type { ManifestFacts } from '../../media/facts.ts'
import type { Freshness } from '../../rfc/freshness.ts'
import type { Instant } from '../../rfc/heads.ts'
import type { News } from '../streams.ts'

const MAX_MANIFESTS = 10_000
/** The last share of its time in which it is asked for anew behind a hit, */
const LATE = 1 / 4
/** and when the next segment is due: whoever hears of that first waits for the segment, too. */
const DUE = 2 / 3
/** It is heard of with some delay, and so is expected too late, if anything. In its lengths. */
const EXPECTED = 0.9
const GIVEN_UP = 2

interface Motion {
  readonly movedAt: Instant
  readonly paceMs: number
}

export class Renewals {
  /** By the manifest's path: when it told of something new. */
  readonly #motions = new LRUCache<string, Motion>({ max: MAX_MANIFESTS })

  learn({ stream, before }: News, paceMs: number): void {
    const { manifest, facts, readAt } = stream
    if (before === undefined || positionOf(before.facts) !== positionOf(facts))
      this.#motions.set(manifest, { movedAt: readAt, paceMs })
  }

  isDue(manifest: string, { bornAt, freshUntil }: Freshness, now: Instant): boolean {
    if (now >= freshUntil) return false
    const motion = this.#motions.get(manifest)
    const paces = motion === undefined ? 0 : (now - motion.movedAt) / motion.paceMs
    // What is two segments late has stopped, and comes no sooner for being asked for more often.
    const share = paces >= EXPECTED && paces < GIVEN_UP ? DUE : LATE
    return freshUntil - now <= (freshUntil - bornAt) * share
  }
}

function positionOf(facts: ManifestFacts): number | undefined {
  if (facts.role === 'media') return facts.lastSequence
  return facts.role === 'presentation' ? facts.publishedAt : undefined
}
