/** Parts that a playlist hints at are asked for ahead, so that the origin sends them the moment they are made. */
import { LRUCache } from 'lru-cache'
import type { HlsMediaFacts } from '../media/facts.ts'
import { placeOf } from '../media/place.ts'
import { omitFields } from '../rfc/connection.ts'
import type { Fields, Instant, RequestHead } from '../rfc/heads.ts'
import type { CacheKey } from '../store/store.ts'
import { heldHeadTimeoutMs } from './held-fill.ts'
import type { FillContext, Filled, HeldFill } from './journey.ts'
import { cacheKey } from './key.ts'
import type { Route } from './routes.ts'
import type { News } from './streams.ts'
import type { Walks } from './walks.ts'

const MAX_PLAYLISTS = 10_000
/** A player reloads at every part; who has not for so many target durations is gone. */
const WATCHED_TARGET_DURATIONS = 3
/** An origin whose parts may not be kept would send each of them once more. */
const DECLINED_MS = 60_000
/** A playlist may hint at a part and at an init segment. */
const MAX_HINTS = 2

const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'range', 'if-range'])

const NO_PLAYLIST = { plainKey: undefined, wanted: undefined }

interface Watched {
  /** Of the last who reloaded: what is asked for ahead is asked as they would. */
  readonly fields: Fields
  readonly at: Instant
}

/** By the key of the playlist without directives. */
export class Hints {
  readonly #context: FillContext
  readonly #walks: Walks
  readonly #watched = new LRUCache<CacheKey, Watched>({ max: MAX_PLAYLISTS })
  readonly #declinedUntil = new LRUCache<CacheKey, Instant>({ max: MAX_PLAYLISTS })
  /** What is on its way, by the address as it is written in the playlist. */
  readonly #underWay = new Map<CacheKey, Map<string, AbortController>>()

  constructor(context: FillContext, walks: Walks) {
    this.#context = context
    this.#walks = walks
  }

  /** Somebody reloads this playlist in low latency. */
  watched(playlist: CacheKey, { fields }: RequestHead, at: Instant): void {
    // Not the whole request, which holds the connection of a viewer who may have left.
    this.#watched.set(playlist, { fields, at })
  }

  /** Whether somebody has done so lately. */
  isWatched(playlist: CacheKey, { targetDurationMs }: HlsMediaFacts, now: Instant): boolean {
    const watched = this.#watched.get(playlist)
    return watched !== undefined && now - watched.at <= WATCHED_TARGET_DURATIONS * targetDurationMs
  }

  /** A version came; never throws. */
  learn({ stream }: News, playlist: CacheKey, facts: HlsMediaFacts): void {
    this.#letGo(playlist, facts)
    const watched = this.#watched.get(playlist)
    const now = this.#context.clock()
    if (!facts.live || watched === undefined || !this.isWatched(playlist, facts, now)) return
    if ((this.#declinedUntil.get(playlist) ?? 0) > now) return
    // Who needs credentials is not asked in their name.
    const { fields } = watched
    if (fields['authorization'] !== undefined) return
    const held = { headTimeoutMs: heldHeadTimeoutMs(facts.targetDurationMs), ...NO_PLAYLIST }
    for (const { address } of facts.hints.slice(0, MAX_HINTS)) {
      const place = placeOf(stream.manifest, address)
      const own = place?.kind === 'here' ? this.#context.routeOf(place.target) : undefined
      if (place?.kind !== 'here' || own === undefined) continue
      const request = { method: 'GET', target: place.target, fields: omitFields(fields, CREDENTIALS) }
      this.#fetch(own, playlist, address, request, held)
    }
  }

  #fetch(route: Route, playlist: CacheKey, address: string, request: RequestHead, held: HeldFill): void {
    const key = cacheKey(route, request.target)
    if (this.#walks.has(key) || this.#context.store.peek(key, request) !== undefined) return
    const controller = new AbortController()
    const underWay = this.#underWay.get(playlist) ?? new Map<string, AbortController>()
    this.#underWay.set(playlist, underWay.set(address, controller))
    const flight = this.#walks.start(route, key, request, undefined, { isBehind: true, isAhead: true, held })
    flight
      .wait('leader', controller.signal)
      .then(
        (filled) => this.#filled(playlist, filled),
        (error: unknown) => {
          if (controller.signal.aborted) return
          this.#context.onTrouble('a hinted part did not come', error, request.target)
        },
      )
      .finally(() => {
        underWay.delete(address)
        if (underWay.size === 0 && this.#underWay.get(playlist) === underWay) this.#underWay.delete(playlist)
      })
  }

  #filled(playlist: CacheKey, filled: Filled): void {
    if (filled.kind === 'stored') return
    filled.response.cancel()
    if (filled.reason !== 'status' && filled.reason !== 'ahead')
      this.#declinedUntil.set(playlist, this.#context.clock() + DECLINED_MS)
  }

  /** What is neither hinted at any more nor has become part of the stream will never come; who waits for it waits on. */
  #letGo(playlist: CacheKey, facts: HlsMediaFacts): void {
    const underWay = this.#underWay.get(playlist)
    if (underWay === undefined) return
    const listed = new Set([...facts.hints, ...facts.openParts].map(({ address }) => address))
    for (const { address, map, parts } of facts.tail) {
      listed.add(address)
      if (map !== undefined) listed.add(map.address)
      for (const part of parts) listed.add(part.address)
    }
    for (const [address, controller] of underWay) {
      if (!listed.has(address)) controller.abort(new Error('the playlist does not hint at it any more'))
    }
  }
}
