/** Requests that nobody waits for: sent where the origin has room for them, in turn, and counted as used or wasted. */
import { isFresh } from '../../rfc/freshness.ts'
import type { Clock, Instant, RequestHead } from '../../rfc/heads.ts'
import type { CacheKey, Store, StoredHead } from '../../store/store.ts'
import type { Source } from '../../upstream/source.ts'
import type { Filled } from '../journey.ts'
import { dropCovered, type PurgeScope } from '../purges/purge-scope.ts'
import type { Route } from '../routes.ts'
import { Followers, type Viewer } from './followers.ts'
import { noneAhead, type Tally } from './tally.ts'

/** That wait for their turn. */
const MAX_QUEUED = 256
/** The same on the word of players, which anybody may send: what manifests say has room besides. */
const MAX_QUEUED_HINTS = MAX_QUEUED / 2
/** That were fetched and nobody has asked for. */
const MAX_UNREAD = 4096
/** The same of what came on the word of players: whoever names what nobody asks for is believed no more, nor is anybody. */
const MAX_UNREAD_HINTS = 512
/** How many of these are looked at when another one is sent. */
const LOOKED_AT = 8
/** How long an origin that was slow is left alone, doubled each time. */
const LEAST_PAUSE_MS = 2_000
const LONGEST_PAUSE_MS = 60_000

/** One thing to fetch ahead. */
export interface Errand {
  readonly route: Route
  readonly key: CacheKey
  readonly request: RequestHead
  /** One slice of the body with this head; undefined: what the request asks for. */
  readonly slice?: { readonly head: StoredHead; readonly index: number } | undefined
  /** Whether it is for on the word of a player alone. */
  readonly isHint: boolean
  /** When it is not begun by then, its viewer has been there himself, or has gone elsewhere. */
  readonly until: Instant
  /** An origin that takes longer than this has no time for what nobody waits for. */
  readonly paceMs: number
  /** It brought nothing that a viewer could be given. */
  readonly onVain: () => void
}

/** An errand that is under way. */
export interface Sent {
  /** Undefined: the origin has it no more, or not for everyone. Rejects when it is in no state to answer. */
  readonly head: Promise<Filled | undefined>
  readonly landed: Promise<void>
  /** Whether a viewer waits for its head. */
  readonly isAwaited: () => boolean
}

export interface ErrandContext {
  readonly store: Store
  readonly clock: Clock
  /** Percent of the connections. */
  readonly share: number
  /**
   * Undefined: somebody is on the road for it already, or nobody waits for it on purpose. Once the signal is aborted it is
   * given up, unless a viewer has joined it or it is nearly done.
   */
  readonly send: (errand: Errand, signal: AbortSignal) => Sent | undefined
  /** Where in a stream it belongs, to be counted there as well. */
  readonly tallyOf: (target: string) => Tally
}

export interface PrefetchStats extends Readonly<Tally> {
  readonly refused: number
}

/** What was sent and nobody has asked for. */
interface Unread {
  readonly tally: Tally
  readonly isHint: boolean
  /** Undefined: it is on its way. */
  freshUntil: Instant | undefined
}

export class Errands {
  readonly #context: ErrandContext
  readonly #followers = new Followers()
  readonly #queue = new Map<CacheKey, Errand>()
  readonly #onTheRoad = new Map<CacheKey, { readonly sent: Sent; readonly controller: AbortController }>()
  /** The first is the oldest. */
  readonly #unread = new Map<CacheKey, Unread>()
  #unreadHints = 0
  readonly #underWay = new Map<Source, number>()
  readonly #pauses = new Map<Source, { until: Instant; ms: number }>()
  readonly #total = noneAhead()
  #refused = 0

  constructor(context: ErrandContext) {
    this.#context = context
  }

  /** Whether anything waits for its turn, or is under way. */
  get isBusy(): boolean {
    return this.#queue.size > 0 || this.#onTheRoad.size > 0
  }

  /** Does nothing for what is stored, fresh or not. */
  want(errand: Errand): void {
    const { key, isHint } = errand
    if (this.#context.store.has(key) || this.#onTheRoad.has(key)) return
    if (isHint && this.#unreadHints >= MAX_UNREAD_HINTS) this.#countWasted(LOOKED_AT)
    const isFull = this.#queue.size >= (isHint ? MAX_QUEUED_HINTS : MAX_QUEUED) && !this.#queue.has(key)
    if (isFull || (isHint && this.#unreadHints >= MAX_UNREAD_HINTS)) {
      this.#refused++
      return
    }
    this.#queue.set(key, errand)
    this.#sendSome()
  }

  /** These are for all who watch. */
  forMany(keys: readonly CacheKey[]): void {
    for (const key of this.#pending(keys)) this.#followers.forMany(key)
  }

  /** What comes next for a viewer, beside what is known of that; undefined: nobody knows who he is. */
  add(viewer: Viewer | undefined, rendition: string, place: string, keys: readonly CacheKey[]): void {
    if (viewer === undefined) this.forMany(keys)
    else this.#followers.add(viewer, rendition, place, this.#pending(keys))
  }

  /** The same in place of what came after other places: what nobody comes to any more is for nobody. */
  follow(viewer: Viewer | undefined, rendition: string, place: string, keys: readonly CacheKey[]): void {
    if (viewer === undefined) {
      this.forMany(keys)
      return
    }
    for (const key of this.#followers.follow(viewer, rendition, place, this.#pending(keys))) {
      if (this.#queue.delete(key)) this.#refused++
      const road = this.#onTheRoad.get(key)
      if (road !== undefined && !road.sent.isAwaited())
        road.controller.abort(new Error('its viewer has gone elsewhere'))
    }
  }

  /** None of what is covered is begun. */
  forget(scope: PurgeScope): void {
    for (const key of dropCovered(this.#queue, scope)) this.#followers.done(key)
  }

  /** Settles when those of them that are under way have come, or will not; never rejects. Undefined: none is. */
  landing(keys: readonly CacheKey[]): Promise<unknown> | undefined {
    const landing = keys.flatMap((key) => this.#onTheRoad.get(key)?.sent.landed ?? [])
    return landing.length === 0 ? undefined : Promise.all(landing)
  }

  /** A viewer asked for it. */
  used(key: CacheKey): void {
    const unread = this.#unread.size === 0 ? undefined : this.#unread.get(key)
    if (unread === undefined) return
    this.#forget(key, unread)
    this.#total.used++
    unread.tally.used++
  }

  stats(): PrefetchStats {
    this.#countWasted(MAX_UNREAD)
    return { ...this.#total, refused: this.#refused }
  }

  #pending(keys: readonly CacheKey[]): readonly CacheKey[] {
    return keys.filter((key) => this.#queue.has(key) || this.#onTheRoad.has(key))
  }

  #sendSome(): void {
    for (const [key, errand] of this.#queue) {
      const { source } = errand.route
      const underWay = this.#underWay.get(source) ?? 0
      const now = this.#context.clock()
      const isPaused = (this.#pauses.get(source)?.until ?? 0) > now
      const spare = isPaused || now > errand.until ? 0 : (source.spare?.(this.#context.share) ?? 1)
      // Its turn comes when one of those that are under way has landed.
      if (underWay > 0 && spare > 0 && underWay >= spare) continue
      this.#queue.delete(key)
      if (spare > 0) this.#send(errand, underWay)
      else this.#refused++
      if (!this.#onTheRoad.has(key)) this.#followers.done(key)
    }
  }

  #send(errand: Errand, underWay: number): void {
    const { key, route, request } = errand
    const { source } = route
    if (this.#context.store.has(key)) return
    const startedAt = this.#context.clock()
    const controller = new AbortController()
    const sent = this.#context.send(errand, controller.signal)
    if (sent === undefined) return
    this.#onTheRoad.set(key, { sent, controller })
    const { isHint } = errand
    const unread: Unread = { tally: this.#context.tallyOf(request.target), isHint, freshUntil: undefined }
    this.#total.sent++
    unread.tally.sent++
    this.#countWasted(LOOKED_AT)
    this.#remember(key, unread)
    this.#underWay.set(source, underWay + 1)
    let freshUntil: Instant | undefined
    let hasFailed = false
    const came = sent.head.then(
      (filled) => {
        freshUntil = this.#arrived(errand, filled)
      },
      () => {
        hasFailed = true
        this.#lost(key, unread)
        // Who asks for it will be told himself; here it only says that the origin is in no state for more.
        if (!controller.signal.aborted) this.#pause(source)
      },
    )
    void Promise.all([came, sent.landed]).then(() => {
      this.#onTheRoad.delete(key)
      this.#followers.done(key)
      if (freshUntil === undefined) this.#lost(key, unread)
      else unread.freshUntil = freshUntil
      const left = (this.#underWay.get(source) ?? 1) - 1
      if (left > 0) this.#underWay.set(source, left)
      else this.#underWay.delete(source)
      if (!controller.signal.aborted) {
        const isSlow = this.#context.clock() - startedAt > errand.paceMs
        const isWell = !hasFailed && freshUntil !== undefined
        if (isSlow) this.#pause(source)
        else if (isWell && (this.#pauses.get(source)?.until ?? 0) <= startedAt) this.#pauses.delete(source)
      }
      this.#sendSome()
    })
  }

  /** How long it is fresh; undefined: it is of no use to anyone. */
  #arrived({ onVain }: Errand, filled: Filled | undefined): Instant | undefined {
    if (filled?.kind === 'not-storable') filled.response.cancel()
    const head = filled?.kind === 'stored' && filled.kept ? filled.stored.head : undefined
    const isThere = head?.status === 200 || head?.status === 206
    if (head !== undefined && isThere && isFresh(head.freshness, this.#context.clock()))
      return head.freshness.freshUntil
    onVain()
    return undefined
  }

  #lost(key: CacheKey, unread: Unread): void {
    if (this.#unread.get(key) !== unread) return
    this.#forget(key, unread)
    this.#total.wasted++
    unread.tally.wasted++
  }

  #remember(key: CacheKey, unread: Unread): void {
    const before = this.#unread.get(key)
    // Evicted before anyone asked, and fetched again.
    if (before !== undefined) this.#lost(key, before)
    this.#unread.set(key, unread)
    if (unread.isHint) this.#unreadHints++
  }

  #forget(key: CacheKey, { isHint }: Unread): void {
    this.#unread.delete(key)
    if (isHint) this.#unreadHints--
  }

  #pause(source: Source): void {
    const before = this.#pauses.get(source)?.ms ?? LEAST_PAUSE_MS / 2
    const ms = Math.min(before * 2, LONGEST_PAUSE_MS)
    this.#pauses.set(source, { until: this.#context.clock() + ms, ms })
  }

  /** Of the oldest ones. What is stale or gone unread was fetched for nobody. */
  #countWasted(most: number): void {
    const now = this.#context.clock()
    let looked = 0
    for (const [key, unread] of this.#unread) {
      if (looked++ >= most) break
      const { freshUntil } = unread
      if (freshUntil !== undefined && (now >= freshUntil || !this.#context.store.has(key)))
        this.#lost(key, unread)
    }
    const [oldest] = this.#unread
    if (this.#unread.size >= MAX_UNREAD && oldest !== undefined) this.#lost(...oldest)
  }
}
