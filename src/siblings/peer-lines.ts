/** What a sibling is told of a stored response beside what viewers are. */
import type { Clock, Instant } from '../rfc/heads.ts'
import type { StoredHead } from '../store/store.ts'
import { AGE, RATE, WHOLE } from './peer-message.ts'
import { Sights } from './sights.ts'

const MANIFESTS: ReadonlySet<string> = new Set(['hls-playlist', 'dash-mpd', 'dash-patch'])

/** What is asked for less often is copied by those who ask for it again, and for no other reason. */
const TOLD_RATE = 1

export class PeerLines {
  readonly #rates: Sights

  constructor(clock: Clock) {
    this.#rates = new Sights(clock)
  }

  /** Names and values in turn. Counts as a sight of it. */
  of({ freshness, key, kind, status }: StoredHead, now: Instant): string[] {
    const lines = [AGE, String(Math.max(0, now - freshness.bornAt))]
    const rate = this.#rates.rateOf(key)
    if (rate >= TOLD_RATE) lines.push(RATE, rate.toFixed(1))
    if (status === 200 && MANIFESTS.has(kind)) lines.push(WHOLE, '1')
    return lines
  }
}
