/** The judge: what may be done with a request, and having it done. */
import { RelaisError } from '../errors.ts'
import type { CacheStatus, Forwarded } from '../rfc/cache-status.ts'
import { loops } from '../rfc/connection.ts'
import { isFresh, remainingSeconds } from '../rfc/freshness.ts'
import type { Instant, RequestHead } from '../rfc/heads.ts'
import { matches } from '../rfc/vary.ts'
import { GrowingBody } from '../store/growing-body.ts'
import type { CacheKey, StoredResponse } from '../store/store.ts'
import type { UpstreamResponse } from '../upstream/source.ts'
import { decide, mayStandIn, type Verdict } from './decide.ts'
import { fill } from './fill.ts'
import { type Flight, Flights, type Part } from './flights.ts'
import type { FillContext, Filled } from './journey.ts'
import { cacheKey } from './key.ts'
import { Passes } from './passes.ts'
import { isFarAhead } from './range-choice.ts'
import type { Route } from './routes.ts'
import { passedOn } from './upstream-request.ts'

/**
 * How a request was answered; every one is exactly one of these, in the log and in /stats.
 *
 * - `hit`: from store, fresh.
 * - `stale`: from store though no longer fresh: while it is validated, or in place of an origin that failed.
 * - `miss`: the origin was asked for it (a validation that held among them).
 * - `collapsed`: it walked along with another request's fill.
 * - `pass`: the response is not for keeping, or the request not for a cache.
 * - `error`: Relais itself had to say no.
 */
export type Outcome = 'hit' | 'stale' | 'miss' | 'collapsed' | 'pass' | 'error'

export interface StoredAnswer {
  readonly kind: 'stored'
  readonly outcome: Outcome
  readonly stored: StoredResponse
  readonly status: CacheStatus
}

export interface PassedAnswer {
  readonly kind: 'passed'
  readonly outcome: Outcome
  readonly response: UpstreamResponse
  readonly status: CacheStatus
}

export type Answer = StoredAnswer | PassedAnswer

/** How often a request looks again when what it waited for turned out to be for others. */
const MAX_LOOKS = 16

const NEVER = new AbortController().signal

export class Cache {
  readonly #context: FillContext
  readonly #flights = new Flights()
  readonly #passes = new Passes()

  constructor(context: FillContext) {
    this.#context = context
  }

  /** Fills and validations under way. */
  get flights(): number {
    return this.#flights.size
  }

  /** What memory can answer at once, awaiting nothing; undefined: ask `answer`. */
  immediate(route: Route, request: RequestHead): StoredAnswer | undefined {
    const key = cacheKey(route, request.target)
    const stored = this.#context.store.peek(key, request)
    if (stored === undefined) return undefined
    const now = this.#context.clock()
    const verdict = decide(route, request, stored, now)
    if (verdict.kind !== 'serve' && verdict.kind !== 'serve-stale') return undefined
    return this.#served(route, key, request, verdict, now)
  }

  /**
   * Answers from store, or from upstream. Rejects with a RelaisError where there is no answer, with the signal's reason
   * when the viewer leaves, and with anything else only through a fault of ours: then the plain proxy can still try.
   */
  async answer(route: Route, request: RequestHead, signal: AbortSignal): Promise<Answer> {
    if (loops(request.fields, this.#context.node)) throw new RelaisError('LOOP')
    const key = cacheKey(route, request.target)
    for (let look = 1; ; look++) {
      const stored = await this.#context.store.get(key, request)
      const now = this.#context.clock()
      const verdict = decide(route, request, stored, now)
      switch (verdict.kind) {
        case 'serve':
        case 'serve-stale':
          return this.#served(route, key, request, verdict, now)
        case 'pass': {
          // The head that a running fill is about to bring answers HEAD as well.
          const running = request.method === 'HEAD' ? this.#running(key, request) : undefined
          const walk = { route, key, request, fwd: verdict.fwd, fallback: undefined, signal }
          const answer = running === undefined ? undefined : await this.#walk(walk, running, 'follower')
          return answer ?? this.#pass(route, request, signal, verdict.fwd)
        }
        case 'refuse':
          throw new RelaisError('ONLY_IF_CACHED')
        case 'validate':
        case 'fill': {
          const { fwd } = verdict
          const fallback = verdict.kind === 'validate' ? verdict.stored : verdict.stale
          if (look > MAX_LOOKS || this.#passes.has(key, request, now))
            return this.#passOr(fallback, route, request, signal)
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
          const walk = { route, key, request, fwd, fallback, signal }
          const answer = await this.#walk(walk, flight, running === undefined ? 'leader' : 'follower')
          if (answer !== undefined) return answer
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
    await this.#context.store.delete(key)
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

  /** Waits for a flight's head. Undefined: look again, for it brought nothing that fits. */
  async #walk(walk: Walk, flight: Flight, part: Part): Promise<Answer | undefined> {
    const { route, key, request, fwd, fallback, signal } = walk
    let filled: Filled
    try {
      filled = await flight.wait(part, signal)
    } catch (error) {
      const stale = signal.aborted ? undefined : this.#inPlace(fallback)
      if (stale !== undefined) return stale
      throw error
    }
    if (filled.kind === 'stored') return this.#shared(walk, filled, part)
    const { response, reason } = filled
    const { status } = response.head
    const stale = status >= 500 ? this.#inPlace(fallback) : undefined
    // As long as something stands in nobody queues in vain.
    if (stale === undefined) this.#passes.remember(key, reason, this.#context.clock())
    if (part === 'follower') return stale
    // It was asked for whole, and whole it is worth nothing to one who wants a part.
    if (stale !== undefined || request.fields['range'] !== undefined) {
      response.cancel()
      return stale ?? this.#pass(route, request, signal, 'bypass')
    }
    // It was asked for on the flight's behalf, but from here on this viewer alone keeps it.
    signal.addEventListener('abort', response.cancel, { once: true })
    return {
      kind: 'passed',
      outcome: 'pass',
      response,
      status: { hit: false, fwd, fwdStatus: status, detail: reason },
    }
  }

  #shared(walk: Walk, filled: Filled & { kind: 'stored' }, part: Part): Answer | Promise<Answer> | undefined {
    const { route, request, fwd, signal } = walk
    const { stored, fwdStatus, kept } = filled
    if (!matches(stored.head.variant, request)) return undefined
    if (isFarAhead(stored, request)) return this.#pass(route, request, signal, 'partial')
    this.#passes.forget(walk.key)
    const ttl = remainingSeconds(stored.head.freshness, this.#context.clock())
    const status = {
      hit: false,
      fwd,
      fwdStatus,
      ttl,
      stored: kept,
      collapsed: part === 'follower' ? true : undefined,
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

  async #pass(
    route: Route,
    request: RequestHead,
    signal: AbortSignal,
    fwd: Forwarded,
  ): Promise<PassedAnswer> {
    const response = await route.source.fetch(passedOn(route, request, this.#context.node), signal)
    const status = { hit: false, fwd, fwdStatus: response.head.status }
    return { kind: 'passed', outcome: 'pass', response, status }
  }

  /** Passes, unless the origin fails and something may stand in. */
  async #passOr(
    fallback: StoredResponse | undefined,
    route: Route,
    request: RequestHead,
    signal: AbortSignal,
  ): Promise<Answer> {
    let answer: PassedAnswer
    try {
      answer = await this.#pass(route, request, signal, 'bypass')
    } catch (error) {
      const stale = signal.aborted ? undefined : this.#inPlace(fallback)
      if (stale === undefined) throw error
      return stale
    }
    const stale = answer.response.head.status >= 500 ? this.#inPlace(fallback) : undefined
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

  #inPlace(stored: StoredResponse | undefined): StoredAnswer | undefined {
    const now = this.#context.clock()
    if (stored === undefined || !mayStandIn(stored, now)) return undefined
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

/** One viewer's part in a flight. */
interface Walk {
  readonly route: Route
  readonly key: CacheKey
  readonly request: RequestHead
  readonly fwd: Forwarded
  /** What may stand in when the origin fails. */
  readonly fallback: StoredResponse | undefined
  readonly signal: AbortSignal
}
