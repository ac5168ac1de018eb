/** Ahead of the viewers: what they will ask for next is fetched before they do. */
import { LRUCache } from 'lru-cache'
import { readCmsdStatic } from '../../media/cmsd.ts'
import { type ManifestFacts, timingOf } from '../../media/facts.ts'
import { placeOf } from '../../media/place.ts'
import { type Upcoming, upcomingDash, upcomingLive } from '../../media/upcoming.ts'
import { omitFields } from '../../rfc/connection.ts'
import { type Clock, type Fields, fieldValue, type Instant, type RequestHead } from '../../rfc/heads.ts'
import type { CacheKey, Store, StoredHead } from '../../store/store.ts'
import { cacheKey } from '../key.ts'
import type { Route } from '../routes.ts'
import type { News, Streams } from '../streams.ts'
import { type ErrandContext, Errands, type PrefetchStats } from './errands.ts'
import type { PrefetchOptions } from './options.ts'
import { Renditions } from './renditions.ts'

/** One segment is asked for by a city; once in so long it is asked what comes after it. */
const REPEAT_MS = 5_000
/** Segments that wait to be looked into; more are not looked into. */
const MAX_ASKED = 256
/** In one turn of the loop: each may mean that long playlists are searched. */
const IN_ONE_TURN = 4
/** A rendition whose player has asked for nothing for so many paces is not watched any more. */
const WATCHED_PACES = 3
/** When a stream says nothing of its pace. */
const USUAL_PACE_MS = 6_000
/** How long nothing more is fetched ahead of a rendition whose segments may not be kept. */
const VAIN_MS = 60_000
const MAX_VAIN = 1_000

/** What speaks for one viewer alone: nothing is asked for on his word that he did not ask for. */
const OF_ONE_VIEWER: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'cache-control',
  'pragma',
])

export interface PrefetchContext {
  readonly store: Store
  readonly streams: Streams
  readonly clock: Clock
  readonly options: PrefetchOptions
  readonly send: ErrandContext['send']
}

interface Asked {
  readonly route: Route
  readonly request: RequestHead
  readonly head: StoredHead
}

export class Prefetch {
  readonly #context: PrefetchContext
  readonly #isOn: boolean
  readonly #renditions: Renditions
  readonly #errands: Errands
  readonly #seenAt = new WeakMap<StoredHead, Instant>()
  /** By manifest. */
  readonly #vainUntil = new LRUCache<string, Instant>({ max: MAX_VAIN })
  readonly #asked: Asked[] = []

  constructor(context: PrefetchContext) {
    const { store, streams, clock, options, send } = context
    this.#context = context
    this.#isOn = options.segments > 0
    this.#renditions = new Renditions(streams)
    this.#errands = new Errands({ store, clock, share: options.share, send })
    if (this.#isOn) streams.onNews((news) => this.#onNews(news))
  }

  stats(): PrefetchStats {
    return this.#errands.stats()
  }

  /** A viewer was given something stored. Costs a look into a map; what follows from it is done in a later turn. */
  asked(route: Route, request: RequestHead, head: StoredHead, now: Instant): void {
    // What a sibling's viewers will ask for next it fetches itself, of whom it belongs to.
    if (route.home !== undefined) return
    if (!this.#isOn || (head.kind !== 'segment' && head.kind !== 'text' && head.kind !== 'init')) return
    const seenAt = this.#seenAt.get(head)
    if (seenAt !== undefined && now - seenAt < REPEAT_MS) return
    this.#seenAt.set(head, now)
    if (this.#asked.length >= MAX_ASKED || request.method !== 'GET') return
    if (this.#asked.push({ route, request, head }) === 1) setImmediate(() => this.#lookAhead())
  }

  /**
   * A player said what it will ask for next (CMCD `nor`), relative to what it asks for now. Addresses that lead elsewhere
   * are nobody's, and ranges are not fetched ahead.
   */
  hint(route: Route, request: RequestHead, address: string): void {
    if (!this.#isOn) return
    const place = placeOf(request.target, address)
    if (place !== undefined) {
      this.#want(
        route,
        [{ place, what: 'segment', range: undefined }],
        request.fields,
        USUAL_PACE_MS,
        request.target,
      )
    }
  }

  #lookAhead(): void {
    for (const one of this.#asked.splice(0, IN_ONE_TURN)) this.#after(one)
    if (this.#asked.length > 0) setImmediate(() => this.#lookAhead())
  }

  #after({ route, request, head }: Asked): void {
    const { clock, options } = this.#context
    const { target, fields } = request
    const now = clock()
    this.#errands.used(head.key)
    const named = readCmsdStatic(fieldValue(head.fields, 'cmsd-static'))?.nor
    if (named !== undefined && named.range === undefined) this.hint(route, request, named.address)
    // As the playlist has it, without what the player says of itself; then with a token that the playlist has as well.
    const plain = route.prefix + head.key.slice(route.base.length)
    for (const name of plain === target ? [target] : [plain, target]) {
      const next = this.#renditions.after(name, options.segments, now)
      if (next === undefined) continue
      const { manifest, facts, upcoming } = next
      this.#renditions.watch(manifest, { target: name, fields, at: now })
      this.#want(route, upcoming, fields, paceOf(facts), manifest)
      return
    }
  }

  /** What a new version of a live manifest lists, of the renditions that are being watched. */
  #onNews({ route, target, stream, before }: News): void {
    const { manifest, facts, readAt } = stream
    this.#renditions.learn(manifest, facts)
    const paceMs = paceOf(facts)
    const since = readAt - WATCHED_PACES * paceMs
    const watched = this.#renditions.watchedSince(manifest, since)
    if (facts.role === 'media' && facts.live) {
      // Whoever asks for a playlist again and again plays it; who asks once looks what there is.
      const isPolled = before !== undefined && before.readAt >= since
      if (!isPolled && watched.length === 0) return
      const known = before?.facts.role === 'media' ? before.facts : undefined
      this.#want(route, upcomingLive(known, facts, target), watched[0]?.fields ?? {}, paceMs, manifest)
    }
    if (facts.role === 'presentation' && facts.live) {
      const { segments } = this.#context.options
      for (const { target: last, fields } of watched)
        this.#want(route, upcomingDash(facts, manifest, last, segments, readAt), fields, paceMs, manifest)
    }
  }

  /** What is promised and not there yet is not for here, nor a part of a file, nor what lies elsewhere. */
  #want(route: Route, upcoming: readonly Upcoming[], asked: Fields, paceMs: number, manifest: string): void {
    const now = this.#context.clock()
    if ((this.#vainUntil.get(manifest) ?? 0) > now) return
    const onVain = (): void => {
      this.#vainUntil.set(manifest, this.#context.clock() + VAIN_MS)
    }
    const fields = omitFields(asked, OF_ONE_VIEWER)
    for (const { place, what, range } of upcoming) {
      if (place.kind !== 'here' || range !== undefined || (what !== 'segment' && what !== 'init')) continue
      const { target } = place
      if (!target.startsWith(route.prefix)) continue
      const key: CacheKey = cacheKey(route, target)
      const request = { method: 'GET', target, fields }
      this.#errands.want({ route, key, request, until: now + paceMs, paceMs, onVain })
    }
  }
}

function paceOf(facts: ManifestFacts): number {
  const timing = timingOf(facts)
  return timing?.segmentDurationMs ?? timing?.targetDurationMs ?? USUAL_PACE_MS
}
