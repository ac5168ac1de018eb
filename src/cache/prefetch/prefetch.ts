/** Ahead of the viewers: what they will ask for next is fetched before they do. */
import { LRUCache } from 'lru-cache'
import type { NextObject } from '../../media/cmcd.ts'
import { readCmsdStatic } from '../../media/cmsd.ts'
import { type ManifestFacts, timingOf } from '../../media/facts.ts'
import { kindOf, type MediaKind } from '../../media/kind.ts'
import { placeOf } from '../../media/place.ts'
import { type Upcoming, upcomingDash, upcomingLive } from '../../media/upcoming.ts'
import { type Clock, type Fields, fieldValue, type Instant, type RequestHead } from '../../rfc/heads.ts'
import type { RangeSpec } from '../../rfc/range.ts'
import type { CacheKey, Store, StoredHead } from '../../store/store.ts'
import type { CacheContext } from '../journey.ts'
import type { PurgeScope } from '../purges/purge-scope.ts'
import type { Route } from '../routes.ts'
import { type News, pathOf, type Streams } from '../streams.ts'
import { withoutCmcd } from '../upstream-request.ts'
import { Arrivals } from './arrivals.ts'
import { believed } from './believed.ts'
import { type ErrandContext, Errands, type PrefetchStats } from './errands.ts'
import { fieldsOfNobody } from './fields-of-nobody.ts'
import { placeWithin, viewerOf } from './followers.ts'
import { goalsOf, plainRange } from './goals.ts'
import type { PrefetchOptions } from './options.ts'
import { Renditions } from './renditions.ts'
import { mayBeDue, Renewals } from './renewals.ts'
import { Seen, type Sight } from './seen.ts'

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

/** What viewers play; of what they read besides nothing follows. */
const PLAYED: ReadonlySet<string> = new Set<MediaKind>(['segment', 'text', 'init', 'progressive'])

export interface PrefetchContext extends Pick<CacheContext, 'routeOf' | 'tallyOf'> {
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
  readonly sight: Sight
}

/** As in what is upcoming, where players say it of themselves: they know ranges that count from the end. */
type Ahead = Omit<Upcoming, 'range'> & { readonly range: RangeSpec | undefined }

/** On whose word things are fetched ahead, and what holds for them. */
interface Word {
  readonly fields: Fields
  readonly paceMs: number
  /** What nothing more is fetched ahead of for a while, when one of them turns out to be of no use. */
  readonly manifest: string
  readonly isHint: boolean
  /** Whether a file of which nothing is stored is begun for the sake of a range of it. */
  readonly mayBegin: boolean
}

export class Prefetch {
  readonly #context: PrefetchContext
  readonly #isOn: boolean
  readonly #renditions: Renditions
  readonly #errands: Errands
  readonly #seen = new Seen()
  readonly #renewals = new Renewals()
  readonly #arrivals: Arrivals
  /** By manifest. */
  readonly #vainUntil = new LRUCache<string, Instant>({ max: MAX_VAIN })
  readonly #asked: Asked[] = []

  constructor(context: PrefetchContext) {
    const { store, streams, clock, options, send, tallyOf } = context
    this.#context = context
    this.#isOn = options.segments > 0
    this.#renditions = new Renditions(streams)
    this.#arrivals = new Arrivals(clock)
    this.#errands = new Errands({ store, clock, share: options.share, send, tallyOf })
    if (this.#isOn) streams.onNews((news) => this.#onNews(news))
  }

  stats(): PrefetchStats {
    return this.#errands.stats()
  }

  /** A viewer came to what is stored by this key. */
  used(key: CacheKey): void {
    this.#errands.used(key)
  }

  /** What waits for its turn and was purged is not fetched unless it is wanted anew. */
  forget(scope: PurgeScope): void {
    this.#errands.forget(scope)
  }

  /** A viewer was given something stored. Costs a look into a map; what follows from it is done in a later turn. */
  asked(route: Route, request: RequestHead, head: StoredHead, now: Instant): void {
    if (!this.#isOn || request.method !== 'GET') return
    // What a sibling's viewers will ask for next it fetches itself, of whom it belongs to.
    // A playlist may list what by its looks is nothing that is played.
    if (route.home !== undefined || !PLAYED.has(head.kind)) {
      this.#errands.used(head.key)
      return
    }
    const known = this.#seen.lately(head, request, now)
    if (known !== undefined) {
      // Others stand where he does: what is on its way for them is for him, too, and what was for him no more.
      const { rendition, place, keys } = known
      if (this.#errands.isBusy && rendition !== undefined)
        this.#errands.follow(viewerOf(request), rendition, place, keys)
      return
    }
    this.#errands.used(head.key)
    const sight = this.#seen.note(head, request, now)
    if (this.#asked.length >= MAX_ASKED) return
    if (this.#asked.push({ route, request, head, sight }) === 1) setImmediate(() => this.#lookAhead())
  }

  /** Whether a live manifest that a viewer is given fresh is to be asked for anew behind his back. */
  isDue(route: Route, target: string, head: StoredHead, now: Instant): boolean {
    const { isLive, freshness, askedAt, storedAt } = head
    // A sibling that renews a manifest asks for it.
    if (isLive !== true || !this.#isOn || route.home !== undefined || !mayBeDue(freshness, now)) return false
    if ((route.source.spare?.(this.#context.options.share) ?? 1) === 0) return false
    return this.#renewals.isDue(pathOf(target), freshness, askedAt ?? storedAt, now)
  }

  /** Settles when a version of a manifest that has just come may be shown, soon and in any case. Undefined: at once. */
  arrivalOf(target: string): Promise<void> | undefined {
    return this.#arrivals.of(pathOf(target))
  }

  /**
   * A player said what it will ask for next (CMCD `nor`), relative to what it asked for. Of it as much is believed as
   * would be fetched ahead without: media, by the route of the request itself, and ranges of what is held in slices.
   */
  hint(request: RequestHead, next: readonly NextObject[]): void {
    const route = this.#context.routeOf(request.target)
    if (!this.#isOn || route === undefined || request.method !== 'GET') return
    const keys = this.#hinted(route, request, believed(request.target, next))
    const rendition = this.#renditions.nameOf(request.target)
    this.#errands.add(viewerOf(request), rendition, placeWithin(request), keys)
  }

  /** What stands in hints and may be asked for, is; addresses that lead elsewhere are nobody's. */
  #hinted(route: Route, { target, fields }: RequestHead, next: readonly NextObject[]): readonly CacheKey[] {
    const upcoming = next.slice(0, this.#context.options.segments).flatMap(({ address, range }): Ahead[] => {
      const place = placeOf(target, address)
      if (place?.kind !== 'here' || this.#context.routeOf(place.target) !== route) return []
      return PLAYED.has(kindOf(place.target)) ? [{ place, what: 'segment', range }] : []
    })
    const manifest = pathOf(target)
    const from = { fields, paceMs: USUAL_PACE_MS, manifest, isHint: true, mayBegin: false }
    return this.#want(upcoming, from)
  }

  #lookAhead(): void {
    for (const one of this.#asked.splice(0, IN_ONE_TURN)) this.#after(one)
    if (this.#asked.length > 0) setImmediate(() => this.#lookAhead())
  }

  #after({ route, request, head, sight }: Asked): void {
    const named = readCmsdStatic(fieldValue(head.fields, 'cmsd-static'))?.nor
    const hinted = named === undefined ? [] : this.#hinted(route, request, [named])
    const listed = this.#listed(route, request, head) ?? this.#further(request, head)
    const rendition = this.#renditions.nameOf(request.target)
    const place = placeWithin(request)
    // What he asked for is on its way as well, perhaps.
    const keys = [head.key, ...hinted, ...listed]
    this.#seen.learn(sight, rendition, place, keys)
    this.#errands.follow(viewerOf(request), rendition, place, keys)
  }

  /** What manifests list after it; undefined: none that is known lists it. */
  #listed(route: Route, request: RequestHead, head: StoredHead): readonly CacheKey[] | undefined {
    const { clock, options } = this.#context
    const { target, fields } = request
    const now = clock()
    const range = plainRange(request)
    // As the playlist has it, without what the player says of itself; then with a token that the playlist has as well.
    const plain = route.prefix + head.key.slice(route.base.length)
    for (const name of plain === target ? [target] : [plain, target]) {
      const next = this.#renditions.after({ target: name, range }, options.segments, now)
      if (next === undefined) continue
      const { manifest, facts, upcoming } = next
      this.#renditions.watch(manifest, { target: name, fields, at: now })
      const isOver = 'live' in facts && !facts.live
      return this.#want(upcoming, {
        fields,
        paceMs: paceOf(facts),
        manifest,
        isHint: false,
        // What is still being written at the origin would be taken for all that there is.
        mayBegin: isOver,
      })
    }
    return undefined
  }

  /** Of one file in ranges that nothing lists (DASH with an index in the file): as much again as was asked for. */
  #further(request: RequestHead, head: StoredHead): readonly CacheKey[] {
    const range = plainRange(request)
    const place = placeOf(withoutCmcd(request.target), '')
    if (head.sliced === undefined || range === undefined || place === undefined) return []
    const length = (range.last - range.first + 1) * this.#context.options.segments
    const further = { first: range.last + 1, last: range.last + length }
    const { target, fields } = request
    const from = { fields, paceMs: USUAL_PACE_MS, manifest: pathOf(target), isHint: false, mayBegin: false }
    return this.#want([{ place, what: 'segment', range: further }], from)
  }

  /** What a new version of a live manifest lists, of the renditions that are being watched. */
  #onNews(news: News): void {
    const { target, stream, before, isRecalled } = news
    const { manifest, facts, readAt } = stream
    this.#renditions.learn(manifest, facts)
    if (isRecalled) return
    const paceMs = paceOf(facts)
    this.#renewals.learn(news, paceMs)
    const since = readAt - WATCHED_PACES * paceMs
    const watched = this.#renditions.watchedSince(manifest, since)
    const wanted = (upcoming: readonly Upcoming[], fields: Fields): void => {
      const from = { fields, paceMs, manifest, isHint: false, mayBegin: false }
      const keys = this.#want(upcoming, from)
      this.#errands.forMany(keys)
      const landing = this.#errands.landing(keys)
      if (landing !== undefined) this.#arrivals.expect(manifest, landing, paceMs)
    }
    if (facts.role === 'media' && facts.live) {
      // Whoever asks for a playlist again and again plays it; who asks once looks what there is.
      const isPolled = before !== undefined && before.readAt >= since
      if (!isPolled && watched.length === 0) return
      const known = before?.facts.role === 'media' ? before.facts : undefined
      wanted(upcomingLive(known, facts, target), watched[0]?.fields ?? {})
    }
    if (facts.role === 'presentation' && facts.live) {
      const { segments } = this.#context.options
      for (const { target: last, fields } of watched)
        wanted(upcomingDash(facts, manifest, last, segments, readAt), fields)
    }
  }

  /** What is promised and not there yet is not for here, nor what lies elsewhere. Answers the keys of all that was wanted. */
  #want(upcoming: readonly Ahead[], from: Word): readonly CacheKey[] {
    const { clock, store, routeOf } = this.#context
    const { manifest, paceMs, isHint, mayBegin } = from
    const now = clock()
    if ((this.#vainUntil.get(manifest) ?? 0) > now) return []
    const onVain = (): void => {
      this.#vainUntil.set(manifest, clock() + VAIN_MS)
    }
    const fields = fieldsOfNobody(from.fields)
    const keys = new Set<CacheKey>()
    for (const { place, what, range } of upcoming) {
      if (place.kind !== 'here' || (what !== 'segment' && what !== 'init')) continue
      const { target } = place
      const route = routeOf(target)
      if (route === undefined) continue
      for (const goal of goalsOf(store, route, { method: 'GET', target, fields }, range, mayBegin)) {
        // Two ranges of a file that is yet to be begun: it is begun with the first.
        if (keys.has(goal.key)) continue
        keys.add(goal.key)
        this.#errands.want({ ...goal, isHint, until: now + paceMs, paceMs, onVain })
      }
    }
    return [...keys]
  }
}

function paceOf(facts: ManifestFacts): number {
  const timing = timingOf(facts)
  return timing?.segmentDurationMs ?? timing?.targetDurationMs ?? USUAL_PACE_MS
}
