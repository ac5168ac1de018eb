/** How much may be asked of an origin that nobody waits for: as much as it has room for, and nothing for a while when it is slow. */
import type { Instant } from '../../rfc/heads.ts'
import type { Source } from '../../upstream/source.ts'

/** How long an origin that was slow is left alone, doubled each time. */
const LEAST_PAUSE_MS = 2_000
const LONGEST_PAUSE_MS = 60_000

/**
 * On whose word it is asked for. What manifests list speaks for the origin; a player may name what is slow by nature, or does
 * not exist, and that speaks of what players name alone.
 */
export type Word = 'listed' | 'hinted'

interface Standing {
  underWay: number
  pausedUntil: Instant
  /** 0: all is well. */
  pauseMs: number
}

/** Of each route's origins; there are as many as are configured. */
export class Patience {
  readonly #standings: Readonly<Record<Word, Map<Source, Standing>>> = {
    listed: new Map(),
    hinted: new Map(),
  }

  /** `later`: when one of those that are under way has ended. `share`: percent of the connections. */
  turn(source: Source, word: Word, share: number, now: Instant): 'now' | 'later' | 'never' {
    const [listed, hinted] = [this.#of(source, 'listed'), this.#of(source, 'hinted')]
    if (listed.pausedUntil > now || (word === 'hinted' && hinted.pausedUntil > now)) return 'never'
    const spare = source.spare?.(share) ?? 1
    if (spare === 0) return 'never'
    // However long what players name takes, what is listed does not wait for it.
    const underWay = listed.underWay + (word === 'hinted' ? hinted.underWay : 0)
    return underWay > 0 && underWay >= spare ? 'later' : 'now'
  }

  began(source: Source, word: Word): void {
    this.#of(source, word).underWay++
  }

  ended(source: Source, word: Word): void {
    this.#of(source, word).underWay--
  }

  /** It failed, or took longer than it may. */
  pause(source: Source, word: Word, now: Instant): void {
    const standing = this.#of(source, word)
    standing.pauseMs = Math.min(Math.max(standing.pauseMs * 2, LEAST_PAUSE_MS), LONGEST_PAUSE_MS)
    standing.pausedUntil = now + standing.pauseMs
  }

  /** What was asked for at `startedAt` came in time. */
  forgive(source: Source, word: Word, startedAt: Instant): void {
    const standing = this.#of(source, word)
    if (standing.pausedUntil <= startedAt) standing.pauseMs = 0
  }

  #of(source: Source, word: Word): Standing {
    const known = this.#standings[word].get(source)
    if (known !== undefined) return known
    const standing = { underWay: 0, pausedUntil: 0, pauseMs: 0 }
    this.#standings[word].set(source, standing)
    return standing
  }
}
