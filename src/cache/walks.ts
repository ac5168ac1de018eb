/** Those on the road to upstream, and walking along with them. */
import { isFresh, remainingSeconds } from '../rfc/freshness.ts'
import type { Instant, RequestHead } from '../rfc/heads.ts'
import { matches } from '../rfc/vary.ts'
import { GrowingBody } from '../store/growing-body.ts'
import type { CacheKey, StoredHead, StoredResponse } from '../store/store.ts'
import { sharedFailure } from '../upstream/declined.ts'
import type { Answer } from './answer.ts'
import {
  type CutThrough,
  type CutThroughContext,
  CutThroughs,
  type Departure,
  type Taker,
} from './cut-through.ts'
import { fill } from './fill.ts'
import { type Flight, Flights, type Part } from './flights.ts'
import type { Groups } from './groups.ts'
import { HeldFlights } from './held-flights.ts'
import type { FillContext, Filled, HeldFill, Order, Walk } from './journey.ts'
import { pass } from './pass.ts'
import { Passes } from './passes.ts'
import type { Sent } from './prefetch/errands.ts'
import { covers, type PurgeScope } from './purges/purge-scope.ts'
import { isFarAhead } from './range-choice.ts'
import type { Route } from './routes.ts'
import { standIn } from './stand-in.ts'
import { urgencyOf } from './upstream-request.ts'

/** How a flight sets out. */
export interface Setting {
  /** Nobody waits for it. */
  readonly isBehind?: boolean
  /** Nor has anybody asked for it: it is asked for without credentials. */
  readonly isAhead?: boolean
  /** Nobody who waits, but somebody who will ask for it, as long as this says so. */
  readonly isExpected?: () => boolean
  /** The origin holds it until there is something to say. */
  readonly held?: HeldFill | undefined
  /** It has set out already. */
  readonly departure?: Departure
}

/** What takes longer to come than this is, but for those who read it by then, for nobody: it may have no end. */
const AHEAD_MS = 60_000
const NEVER = new AbortController().signal

export class Walks {
  readonly #context: FillContext
  readonly #groups: Groups
  readonly #flights = new Flights()
  readonly #held = new HeldFlights()
  readonly #cutThroughs: CutThroughs
  readonly passes = new Passes()

  /** `onAnswered`: a viewer is given something that is no longer on the road when it comes. */
  constructor(context: FillContext, groups: Groups, onAnswered: CutThroughContext['onAnswered']) {
    this.#context = context
    this.#groups = groups
    this.#cutThroughs = new CutThroughs({
      fill: context,
      onAnswered,
      start: (route, key, request, departure) => this.start(route, key, request, undefined, { departure }),
    })
  }

  /** Fills and validations under way. */
  get size(): number {
    return this.#flights.size + this.#cutThroughs.size
  }

  /** Viewers who wait for the head of one. */
  get waiting(): number {
    return this.#flights.waiting + this.#cutThroughs.waiting
  }

  /** Whether anybody is on the road for this key. */
  has(key: CacheKey): boolean {
    return this.#flights.has(key) || this.#cutThroughs.has(key)
  }

  /** Has one viewer's answer pass through; undefined: it is to be answered like every other request. */
  cutThrough(route: Route, key: CacheKey, request: RequestHead, taker: Taker): CutThrough | undefined {
    if (this.has(key) || this.passes.has(key, request, this.#context.clock())) return undefined
    return this.#cutThroughs.begin(route, key, request, taker)
  }

  /**
   * From now on nobody joins the flights to what is stored under this key that set out before; they go on for those who
   * are with them.
   */
  detach(key: CacheKey, before: Instant): readonly Flight[] {
    this.#cutThroughs.handOver(key)
    return [key, ...this.#held.keys(key)].flatMap((one) => this.#flights.detach(one, before))
  }

  /** A blocking reload of this playlist on its way that waits for no more than this segment, and for at most so many siblings. */
  reloading(playlist: CacheKey, sequence: number, mostHops = Number.POSITIVE_INFINITY): Flight | undefined {
    const joinable = this.#held.upTo(playlist, sequence).find(({ key, flight }) => {
      return flight.isPending && flight.hops <= mostHops && this.#flights.of(key).includes(flight)
    })
    return joinable?.flight
  }

  /** What this key is of is there: that it is missing is from now on said to those alone who asked before. */
  listed(key: CacheKey): readonly Flight[] {
    this.#cutThroughs.handOver(key)
    const flights = this.#flights.of(key)
    for (const flight of flights) flight.listed()
    return flights
  }

  /** The same for all keys that are covered. */
  detachCovered(scope: PurgeScope): void {
    this.#cutThroughs.handOverAll()
    for (const key of this.#flights.keys()) if (covers(scope, key, [])) this.#flights.detach(key)
  }

  /** Waits for a flight's head. Undefined: look again, for it brought nothing that fits. */
  async walk(walk: Walk, flight: Flight, part: Part): Promise<Answer | undefined> {
    const { route, key, request, fwd, fallback, signal } = walk
    let filled: Filled
    try {
      filled = await flight.wait(part, signal, () => urgencyOf(request))
    } catch (error) {
      const stale = signal.aborted ? undefined : standIn(this.#context, fallback, request)
      if (stale !== undefined) return stale
      throw error
    }
    if (filled.kind === 'stored') {
      return part === 'leader' || flight.believes(filled.stored)
        ? this.#shared(walk, filled, part)
        : undefined
    }
    const { response, reason, isAsked } = filled
    // Those who waited look again, and one of them asks for all in his own name.
    if (reason === 'ahead') return undefined
    const { status } = response.head
    const stale = status >= 500 ? standIn(this.#context, fallback, request) : undefined
    const isNotNow = status >= 500 || status === 429
    // As long as something stands in nobody queues in vain; nor do those whom the origin lets wait, and they are many.
    if (stale === undefined && !(walk.isHeld === true && isNotNow))
      this.passes.remember(key, reason, this.#context.clock())
    const failure =
      stale === undefined && part === 'follower' ? sharedFailure(response, walk.isHeld) : undefined
    if (failure !== undefined) throw failure
    if (part === 'follower') return stale
    // Asked for whole it is worth nothing to one who wants a part, and asked for in part to nobody. From here on
    // this viewer alone keeps it and sets its pace, for which he may have to wait his turn (`toOne`).
    const isOfUse = isAsked && request.fields['range'] === undefined
    if (stale !== undefined || !isOfUse || response.toOne?.() === false) {
      response.cancel()
      return stale ?? pass(this.#context, route, request, signal, 'bypass', walk.collapsed)
    }
    signal.addEventListener('abort', response.cancel, { once: true })
    return {
      kind: 'passed',
      outcome: 'pass',
      response,
      status: { hit: false, fwd, fwdStatus: status, collapsed: walk.collapsed, detail: reason },
    }
  }

  #shared(walk: Walk, filled: Filled & { kind: 'stored' }, part: Part): Answer | Promise<Answer> | undefined {
    const { route, request, fwd, signal } = walk
    const { fwdStatus, kept, unshared, withdrawn } = filled
    if (withdrawn !== undefined) {
      this.passes.remember(walk.key, withdrawn, this.#context.clock())
      // Of a film there is nothing left to be read.
      if (part === 'follower' || filled.stored.head.sliced !== undefined) return undefined
    }
    if (!matches(filled.stored.head.variant, request)) return undefined
    const stored = this.#context.slices.attach(route, request, filled.stored)
    if (part === 'follower' && !this.#isStillTrue(stored.head)) return undefined
    if (isFarAhead(stored, request))
      return pass(this.#context, route, request, signal, 'partial', walk.collapsed)
    if (withdrawn === undefined) this.passes.forget(walk.key)
    const ttl = remainingSeconds(stored.head.freshness, this.#context.clock())
    const collapsed = part === 'follower' ? true : walk.collapsed
    const status = { hit: false, fwd, fwdStatus, ttl, stored: kept, collapsed, detail: withdrawn }
    if (part === 'follower') return { kind: 'stored', outcome: 'collapsed', stored, status }
    return { kind: 'stored', outcome: 'miss', stored, status, unshared }
  }

  /** A flight that a request which comes now may join; see Flights.find. */
  running(key: CacheKey, request: RequestHead, mostHops?: number): Flight | undefined {
    this.#cutThroughs.handOver(key)
    return this.#flights.find(key, request, (stored) => this.#mayJoin(stored), mostHops)
  }

  /** One whose head is here, and whose body comes from no sibling. */
  coming(key: CacheKey, request: RequestHead): Flight | undefined {
    const flight = this.running(key, request, 0)
    return flight?.isPending === false ? flight : undefined
  }

  /** Sets out. */
  start(
    route: Route,
    key: CacheKey,
    request: RequestHead,
    stored: StoredResponse | undefined,
    { isBehind = false, isAhead = false, isExpected, held, departure }: Setting = {},
  ): Flight {
    let flight: Flight | undefined
    const isWanted = (): boolean =>
      isBehind || isExpected?.() === true || flight === undefined || flight.isAwaited
    const { clock, fence } = this.#context
    const { mark = fence.depart(), setOutAt = clock(), ride } = departure ?? {}
    const order = { route, key, request, stored, mark, isWanted, held, isAhead, ride }
    flight = this.#flights.start(
      key,
      (signal, urged) => fill(this.#context, { ...order, urged }, signal),
      setOutAt,
    )
    void flight.landed.then(() => fence.arrive(mark))
    const { plainKey, wanted } = held ?? {}
    if (plainKey !== undefined && wanted !== undefined) this.#held.add(plainKey, key, wanted, flight)
    return flight
  }

  /** One validation at a time; who comes meanwhile is served what is stored (RFC 5861 section 3). */
  validateBehind(route: Route, key: CacheKey, request: RequestHead, stored: StoredResponse): void {
    if (this.has(key)) return
    const flight = this.start(route, key, request, stored, { isBehind: true })
    flight.wait('leader', NEVER).then(
      (filled) => {
        if (filled.kind === 'not-storable') filled.response.cancel()
      },
      (error: unknown) => this.#context.onTrouble('a validation failed', error, request.target),
    )
  }

  /** Sets out for what nobody asked for yet; undefined: somebody is under way, or it is for one viewer each. */
  ahead(order: Pick<Order, 'route' | 'key' | 'request'>, signal: AbortSignal): Sent | undefined {
    const { route, key, request } = order
    if (this.has(key) || this.passes.has(key, request, this.#context.clock())) return undefined
    const until = this.#context.clock() + AHEAD_MS
    const isExpected = (): boolean => !signal.aborted && this.#context.clock() < until
    const flight = this.start(route, key, request, undefined, { isAhead: true, isExpected })
    // One of those who wait is this.
    const isAwaited = (): boolean => flight.waiting > 1
    return { head: flight.wait('leader', signal), landed: flight.landed, isAwaited }
  }

  /** Nothing that came to pass since it was asked for speaks against it. */
  #isStillTrue(head: StoredHead): boolean {
    return !this.#groups.isInvalid(head) && this.#context.fence.isGood(head)
  }

  /** A body that still grows is joined while it is fresh and can be read from its first byte on. */
  #mayJoin(stored: StoredResponse): boolean {
    const { freshness } = stored.head
    if (stored.body instanceof GrowingBody && !stored.body.isJoinable) return false
    if (!this.#isStillTrue(stored.head)) return false
    return !freshness.mustValidate && isFresh(freshness, this.#context.clock())
  }
}
