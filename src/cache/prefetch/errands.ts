/** Requests that nobody waits for: sent where the origin has room for them, in turn, and counted as used or wasted. */
import { dropCovered, type PurgeScope } from '../../purge/purge-scope.ts'
import { isFresh } from '../../rfc/freshness.ts'
import type { Clock, Instant, RequestHead } from '../../rfc/heads.ts'
import type { CacheKey, Store } from '../../store/store.ts'
import type { Source } from '../../upstream/source.ts'
import type { Filled } from '../journey.ts'
import type { Route } from '../routes.ts'

/** That wait for their turn. */
const MAX_QUEUED = 256
/** That were fetched and nobody has asked for. */
const MAX_UNREAD = 4096
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
  /** When it is not begun by then, its viewer has been there himself, or has gone elsewhere. */
  readonly until: Instant
  /** An origin that takes longer than this has no time for what nobody waits for. */
  readonly paceMs: number
  /** It brought nothing that a viewer could be given. */
  readonly onVain: () => void
}

export interface ErrandContext {
  readonly store: Store
  readonly clock: Clock
  /** Percent of the connections. */
  readonly share: number
  /** Undefined: somebody is on the road for it already, or nobody waits for it on purpose. */
  readonly send: (errand: Errand) => { head: Promise<Filled>; landed: Promise<void> } | undefined
}

/** sent = used + wasted + those nobody has asked for yet. */
export interface PrefetchStats {
  readonly sent: number
  readonly used: number
  readonly wasted: number
  readonly refused: number
}

export class Errands {
  readonly #context: ErrandContext
  readonly #queue = new Map<CacheKey, Errand>()
  /** Undefined: not fresh or not known yet, for it is on its way. The first is the oldest. */
  readonly #unread = new Map<CacheKey, Instant | undefined>()
  readonly #underWay = new Map<Source, number>()
  readonly #pauses = new Map<Source, { until: Instant; ms: number }>()
  #sent = 0
  #used = 0
  #wasted = 0
  #refused = 0

  constructor(context: ErrandContext) {
    this.#context = context
  }

  /** Does nothing for what is stored, fresh or not. */
  want(errand: Errand): void {
    if (this.#context.store.has(errand.key)) return
    if (this.#queue.size >= MAX_QUEUED && !this.#queue.has(errand.key)) {
      this.#refused++
      return
    }
    this.#queue.set(errand.key, errand)
    this.#sendSome()
  }

  forget(scope: PurgeScope): void {
    dropCovered(this.#queue, scope)
  }

  /** A viewer asked for it. */
  used(key: CacheKey): void {
    if (this.#unread.delete(key)) this.#used++
  }

  stats(): PrefetchStats {
    this.#countWasted(MAX_UNREAD)
    return { sent: this.#sent, used: this.#used, wasted: this.#wasted, refused: this.#refused }
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
    }
  }

  #send(errand: Errand, underWay: number): void {
    const { key, route } = errand
    const { source } = route
    if (this.#context.store.has(key)) return
    const startedAt = this.#context.clock()
    const flight = this.#context.send(errand)
    if (flight === undefined) return
    this.#sent++
    this.#countWasted(LOOKED_AT)
    this.#unread.set(key, undefined)
    this.#underWay.set(source, underWay + 1)
    let isVain = false
    flight.head.then(
      (filled) => {
        isVain = !this.#arrived(errand, filled)
      },
      () => {
        // Who asks for it will be told himself; here it only says that the origin is in no state for more.
        this.#lost(key)
        this.#pause(source)
      },
    )
    void flight.landed.then(() => {
      const left = (this.#underWay.get(source) ?? 1) - 1
      if (left > 0) this.#underWay.set(source, left)
      else this.#underWay.delete(source)
      const isSlow = this.#context.clock() - startedAt > errand.paceMs
      if (isSlow) this.#pause(source)
      else if (!isVain && (this.#pauses.get(source)?.until ?? 0) <= startedAt) this.#pauses.delete(source)
      this.#sendSome()
    })
  }

  /** False: it is of no use to anyone. */
  #arrived({ key, onVain }: Errand, filled: Filled): boolean {
    const now = this.#context.clock()
    if (filled.kind === 'not-storable') filled.response.cancel()
    const head = filled.kind === 'stored' && filled.kept ? filled.stored.head : undefined
    if (head === undefined || head.status !== 200 || !isFresh(head.freshness, now)) {
      this.#lost(key)
      onVain()
      return false
    }
    if (this.#unread.has(key)) this.#unread.set(key, head.freshness.freshUntil)
    return true
  }

  #lost(key: CacheKey): void {
    if (this.#unread.delete(key)) this.#wasted++
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
    for (const [key, freshUntil] of this.#unread) {
      if (looked++ >= most) break
      if (freshUntil === undefined) continue
      if (now >= freshUntil || !this.#context.store.has(key)) this.#lost(key)
    }
    const [oldest] = this.#unread.keys()
    if (this.#unread.size >= MAX_UNREAD && oldest !== undefined) this.#lost(oldest)
  }
}
