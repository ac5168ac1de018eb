/** The judge: what may be done with a request, and having it done. */
import { RelaisError } from '../errors.ts'
import { loops } from '../rfc/connection.ts'
import { isFresh, remainingSeconds } from '../rfc/freshness.ts'
import type { Instant, RequestHead } from '../rfc/heads.ts'
import { matches } from '../rfc/vary.ts'
import { GrowingBody } from '../store/growing-body.ts'
import type { CacheKey, StoredResponse } from '../store/store.ts'
import type { Answer, PassedAnswer, StoredAnswer } from './answer.ts'
import { decide, mayStandIn, type Verdict } from './decide.ts'
import { fill } from './fill.ts'
import { type Flight, Flights, type Part } from './flights.ts'
import type { CacheContext, FillContext, Filled, Walk } from './journey.ts'
import { cacheKey } from './key.ts'
import { pass } from './pass.ts'
import { Passes } from './passes.ts'
import { isFarAhead } from './range-choice.ts'
import type { Route } from './routes.ts'
import { Slices } from './slices.ts'

export type { Answer, Outcome, PassedAnswer, StoredAnswer } from './answer.ts'

/** How often a request looks again when what it waited for turned out to be for others. */
const MAX_LOOKS = 16

const NEVER = new AbortController().signal

export class Cache {
  readonly #context: FillContext
  readonly #flights = new Flights()
  readonly #passes = new Passes()
  readonly #slices: Slices

  constructor(context: CacheContext) {
    this.#slices = new Slices(context)
    this.#context = { ...context, slices: this.#slices }
  }

  /** Fills and validations under way, each slice one of them. */
  get flights(): number {
    return this.#flights.size + this.#slices.flights
  }

  /** What memory can answer at once, awaiting nothing; undefined: ask `answer`. */
  immediate(route: Route, request: RequestHead): StoredAnswer | undefined {
    const key = cacheKey(route, request.target)
    const found = this.#context.store.peek(key, request)
    if (found === undefined) return undefined
    const stored = found.head.sliced === undefined ? found : this.#slices.attach(route, request, found)
    const now = this.#context.clock()
    const verdict = decide(route, request, stored, now)
    if (verdict.kind !== 'serve' && verdict.kind !== 'serve-stale') return undefined
    if (!this.#slices.areInMemory(stored, request)) return undefined
    return this.#served(route, key, request, verdict, now)
  }

  /**
   * Answers from store, or from upstream. Rejects with a RelaisError where there is no answer, with the signal's reason
   * when the viewer leaves, and with anything else only through a fault of ours: then the plain proxy can still try.
   */
  async answer(route: Route, request: RequestHead, signal: AbortSignal): Promise<Answer> {
    if (loops(request.fields, this.#context.node)) throw new RelaisError('LOOP')
    const key = cacheKey(route, request.target)
    let collapsed: false | undefined
    for (let look = 1; ; look++) {
      const found = await this.#context.store.get(key, request)
      const stored = found === undefined ? undefined : this.#slices.attach(route, request, found)
      const now = this.#context.clock()
      const verdict = decide(route, request, stored, now)
      switch (verdict.kind) {
        case 'serve':
        case 'serve-stale': {
          if (look > MAX_LOOKS) return pass(this.#context.node, route, request, signal, 'bypass', collapsed)
          const served = this.#served(route, key, request, verdict, now)
          const answer = await this.#begun(route, request, served, signal)
          if (answer !== undefined) return answer
          break
        }
        case 'pass': {
          // The head that a running fill is about to bring answers HEAD as well.
          const running = request.method === 'HEAD' ? this.#running(key, request) : undefined
          const walk = { route, key, request, fwd: verdict.fwd, fallback: undefined, signal, collapsed }
          const answer = running === undefined ? undefined : await this.#walk(walk, running, 'follower')
          if (running !== undefined) collapsed = false
          return answer ?? pass(this.#context.node, route, request, signal, verdict.fwd, collapsed)
        }
        case 'refuse':
          throw new RelaisError('ONLY_IF_CACHED')
        case 'validate':
        case 'fill': {
          const { fwd } = verdict
          const fallback = verdict.kind === 'validate' ? verdict.stored : verdict.stale
          if (look > MAX_LOOKS || this.#passes.has(key, request, now))
            return this.#passOr(fallback, route, request, signal, collapsed)
          const toValidate = verdict.kind === 'validate' ? verdict.stored : undefined
          const running = this.#running(key, request)
          // A schedule that must not fill twice:
          //   1. This one looks into the store, where nothing lies.
          //   2. Another's fill commits and lands.
          //   3. This one finds no flight to walk with.
          // So it looks again where that costs nothing.
          if (running === undefined && stored === undefined && this.#context.store.peek(key, request))
            continue
          const flight = running ?? this.#start(route, key, request, toValidate)
          const walk = { route, key, request, fwd, fallback, signal, collapsed }
          const walked = await this.#walk(walk, flight, running === undefined ? 'leader' : 'follower')
          const answer =
            walked?.kind === 'stored' ? await this.#begun(route, request, walked, signal) : walked
          if (answer !== undefined) return answer
          if (running !== undefined) collapsed = false
        }
      }
    }
  }

  /** A write went through to the origin: what is stored of its target is no longer true (RFC 9111 section 4.4). */
  async invalidate(route: Route, target: string): Promise<void> {
    const key = cacheKey(route, target)
    // A fill under way may bring what was true before the write: nobody joins it, and it does not stay.
    for (const flight of this.#flights.detach(key)) {
      void flight.landed.then(() => this.#context.store.delete(key))
    }
    const stored = await this.#context.store.get(key, { method: 'GET', target, fields: {} })
    await this.#context.store.delete(key)
    if (stored !== undefined) await this.#slices.forget(stored.head)
  }

  #served(
    route: Route,
    key: CacheKey,
    request: RequestHead,
    verdict: Verdict & { kind: 'serve' | 'serve-stale' },
    now: Instant,
  ): StoredAnswer {
    const { stored } = verdict
    const ttl = remainingSeconds(stored.head.freshness, now)
    if (verdict.kind === 'serve')
      return { kind: 'stored', outcome: 'hit', stored, status: { hit: true, ttl } }
    this.#validateBehind(route, key, request, stored)
    return {
      kind: 'stored',
      outcome: 'stale',
      stored,
      status: { hit: true, ttl, detail: 'stale-while-revalidate' },
    }
  }

  /** Of a sliced body the first bytes wanted are had before the head leaves. Undefined: look again. */
  async #begun(
    route: Route,
    request: RequestHead,
    answer: StoredAnswer,
    signal: AbortSignal,
  ): Promise<Answer | undefined> {
    if (answer.stored.head.sliced === undefined) return answer
    const readiness = await this.#slices.prepare(route, request, answer.stored, signal)
    switch (readiness.kind) {
      case 'here':
        return answer
      case 'asked': {
        if (!answer.status.hit) return answer
        const { isCollapsed, fwdStatus, kept } = readiness
        const { ttl } = answer.status
        const collapsed = isCollapsed ? true : undefined
        const status = { hit: false, fwd: 'partial', fwdStatus, ttl, stored: kept, collapsed } as const
        return { ...answer, outcome: isCollapsed ? 'collapsed' : 'miss', status }
      }
      case 'forgotten':
        return undefined
      case 'refused':
        return pass(this.#context.node, route, request, signal, 'partial')
    }
  }

  /** Waits for a flight's head. Undefined: look again, for it brought nothing that fits. */
  async #walk(walk: Walk, flight: Flight, part: Part): Promise<Answer | undefined> {
    const { route, key, request, fwd, fallback, signal } = walk
    let filled: Filled
    try {
      filled = await flight.wait(part, signal)
    } catch (error) {
      const stale = signal.aborted ? undefined : this.#inPlace(fallback, request)
      if (stale !== undefined) return stale
      throw error
    }
    if (filled.kind === 'stored') return this.#shared(walk, filled, part)
    const { response, reason, isAsked } = filled
    const { status } = response.head
    const stale = status >= 500 ? this.#inPlace(fallback, request) : undefined
    // As long as something stands in nobody queues in vain.
    if (stale === undefined) this.#passes.remember(key, reason, this.#context.clock())
    if (part === 'follower') return stale
    // Asked for whole it is worth nothing to one who wants a part, and asked for in part to nobody.
    if (stale !== undefined || !isAsked || request.fields['range'] !== undefined) {
      response.cancel()
      return stale ?? pass(this.#context.node, route, request, signal, 'bypass', walk.collapsed)
    }
    // It was asked for on the flight's behalf, but from here on this viewer alone keeps it.
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
    const { fwdStatus, kept } = filled
    if (!matches(filled.stored.head.variant, request)) return undefined
    const stored = this.#slices.attach(route, request, filled.stored)
    if (isFarAhead(stored, request))
      return pass(this.#context.node, route, request, signal, 'partial', walk.collapsed)
    this.#passes.forget(walk.key)
    const ttl = remainingSeconds(stored.head.freshness, this.#context.clock())
    const status = {
      hit: false,
      fwd,
      fwdStatus,
      ttl,
      stored: kept,
      collapsed: part === 'follower' ? true : walk.collapsed,
    }
    return { kind: 'stored', outcome: part === 'follower' ? 'collapsed' : 'miss', stored, status }
  }

  #running(key: CacheKey, request: RequestHead): Flight | undefined {
    return this.#flights.find(key, request, (stored) => this.#mayJoin(stored))
  }

  #start(
    route: Route,
    key: CacheKey,
    request: RequestHead,
    stored: StoredResponse | undefined,
    isBehind = false,
  ): Flight {
    let flight: Flight | undefined
    const isWanted = (): boolean => isBehind || flight === undefined || flight.isAwaited
    const order = { route, key, request, stored, isWanted }
    flight = this.#flights.start(key, (signal) => fill(this.#context, order, signal))
    return flight
  }

  /** Passes, unless the origin fails and something may stand in. */
  async #passOr(
    fallback: StoredResponse | undefined,
    route: Route,
    request: RequestHead,
    signal: AbortSignal,
    collapsed: false | undefined,
  ): Promise<Answer> {
    let answer: PassedAnswer
    try {
      answer = await pass(this.#context.node, route, request, signal, 'bypass', collapsed)
    } catch (error) {
      const stale = signal.aborted ? undefined : this.#inPlace(fallback, request)
      if (stale === undefined) throw error
      return stale
    }
    const stale = answer.response.head.status >= 500 ? this.#inPlace(fallback, request) : undefined
    if (stale !== undefined) answer.response.cancel()
    return stale ?? answer
  }

  /** One validation at a time; who comes meanwhile is served what is stored (RFC 5861 section 3). */
  #validateBehind(route: Route, key: CacheKey, request: RequestHead, stored: StoredResponse): void {
    if (this.#flights.has(key)) return
    const flight = this.#start(route, key, request, stored, true)
    flight.wait('leader', NEVER).then(
      (filled) => {
        if (filled.kind === 'not-storable') filled.response.cancel()
      },
      (error: unknown) => this.#context.onTrouble('a validation failed', error, request.target),
    )
  }

  /** What is sliced stands in only where all that is wanted of it is stored. */
  #inPlace(stored: StoredResponse | undefined, request: RequestHead): StoredAnswer | undefined {
    const now = this.#context.clock()
    if (stored === undefined || !mayStandIn(stored, now)) return undefined
    if (!this.#slices.areStored(stored, request)) return undefined
    const ttl = remainingSeconds(stored.head.freshness, now)
    return { kind: 'stored', outcome: 'stale', stored, status: { hit: true, ttl, detail: 'stale-if-error' } }
  }

  /** A body that still grows is joined while it is fresh and can be read from its first byte on. */
  #mayJoin(stored: StoredResponse): boolean {
    const { freshness } = stored.head
    if (stored.body instanceof GrowingBody && !stored.body.isJoinable) return false
    return !freshness.mustValidate && isFresh(freshness, this.#context.clock())
  }
}
