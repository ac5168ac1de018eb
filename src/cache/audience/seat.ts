/** One who watches, a connection or a session of CMCD, and what it asked for last. */
import type { Instant } from '../../rfc/heads.ts'
import type { Spot } from './spot.ts'

/** Picture, sound, subtitles, and the playlist above them. */
const PLACES = 4

export class Seat {
  readonly #spots: (Spot | undefined)[] = []
  readonly #askedAt: Instant[] = []

  /** Takes note; of more than four spots the one that was left alone longest is forgotten. */
  touch(spot: Spot, now: Instant): void {
    let oldest = 0
    for (let index = 0; index < this.#spots.length; index++) {
      if (this.#spots[index] === spot) {
        this.#askedAt[index] = now
        return
      }
      if ((this.#askedAt[index] ?? 0) < (this.#askedAt[oldest] ?? 0)) oldest = index
    }
    const index = this.#spots.length < PLACES ? this.#spots.length : oldest
    this.#spots[index] = spot
    this.#askedAt[index] = now
  }

  /** What it watches now. */
  watched(now: Instant): readonly Spot[] {
    return this.#spots.filter(
      (spot, index): spot is Spot =>
        spot !== undefined && !spot.isGone && now - (this.#askedAt[index] ?? 0) <= spot.windowMs,
    )
  }
}
