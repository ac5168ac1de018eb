/** Blocking reloads on the road, by the playlist that they bring: each has a name of its own, and all are one playlist. */
import type { Wanted } from '../media/directives.ts'
import type { CacheKey } from '../store/store.ts'
import type { Flight } from './flights.ts'

interface Underway {
  readonly key: CacheKey
  readonly wanted: Wanted
  readonly flight: Flight
}

export class HeldFlights {
  readonly #byPlaylist = new Map<CacheKey, Set<Underway>>()

  /** Gone from here when it has landed. */
  add(playlist: CacheKey, key: CacheKey, wanted: Wanted, flight: Flight): void {
    const one = { key, wanted, flight }
    const all = this.#byPlaylist.get(playlist) ?? new Set()
    this.#byPlaylist.set(playlist, all.add(one))
    void flight.landed.then(() => {
      all.delete(one)
      if (all.size === 0 && this.#byPlaylist.get(playlist) === all) this.#byPlaylist.delete(playlist)
    })
  }

  /** The names under which this playlist is on its way. */
  keys(playlist: CacheKey): readonly CacheKey[] {
    return [...(this.#byPlaylist.get(playlist) ?? [])].map(({ key }) => key)
  }

  /** What waits for a part of this segment or of one before it, so that it comes no later than the segment is whole. */
  upTo(playlist: CacheKey, sequence: number): readonly Underway[] {
    return [...(this.#byPlaylist.get(playlist) ?? [])].filter(({ wanted }) => wanted.sequence <= sequence)
  }
}
