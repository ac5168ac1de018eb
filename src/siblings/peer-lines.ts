/** What a sibling is told of a stored response beside what viewers are. */
import type { Clock, Instant } from '../rfc/heads.ts'
import type { StoredHead } from '../store/store.ts'
import { AGE, RATE, RING, STORED, WHOLE } from './peer-message.ts'
import { ALGORITHM } from './rendezvous.ts'
import type { Roster } from './roster.ts'
import { Sights } from './sights.ts'

const MANIFESTS: ReadonlySet<string> = new Set(['hls-playlist', 'dash-mpd', 'dash-patch'])

export class PeerLines {
  readonly #roster: Roster
  readonly #rates: Sights

  constructor(roster: Roster, clock: Clock) {
    this.#roster = roster
    this.#rates = new Sights(clock)
  }

  /** Names and values in turn. Counts as a sight of it. */
  of({ freshness, storedAt, key, kind, status }: StoredHead, now: Instant): string[] {
    const lines = [
      RING,
      `${ALGORITHM} ${this.#roster.digest()}`,
      AGE,
      String(Math.max(0, now - freshness.bornAt)),
      STORED,
      String(storedAt),
      RATE,
      this.#rates.rateOf(key).toFixed(1),
    ]
    if (status === 200 && MANIFESTS.has(kind)) lines.push(WHOLE, '1')
    return lines
  }
}
