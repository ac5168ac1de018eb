/** The judge: what may be done with a request, and having it done. */
import { RelaisError } from '../errors.ts'
import { loops } from '../rfc/connection.ts'
import { isFresh, remainingSeconds } from '../rfc/freshness.ts'
import type { Instant, RequestHead, ResponseHead } from '../rfc/heads.ts'
import { matches } from '../rfc/vary.ts'
import { GrowingBody } from '../store/growing-body.ts'
import type { CacheKey, StoredResponse } from '../store/store.ts'
import { sharedFailure } from '../upstream/declined.ts'
import type { Answer, PassedAnswer, StoredAnswer } from './answer.ts'
import { begun } from './beginning.ts'
import { decide, mayStandIn, type Verdict } from './decide.ts'
import { fill } from './fill.ts'
import { type Flight, Flights, type Part } from './flights.ts'
import { Groups } from './groups.ts'
import { afterHead } from './head-news.ts'
import type { CacheContext, FillContext, Filled, Walk } from './journey.ts'
import { cacheKey } from './key.ts'
import { pass } from './pass.ts'
import { Passes } from './passes.ts'
import { isFarAhead } from './range-choice.ts'
import type { Route } from './routes.ts'
import { Slices } from './slices.ts'
import { Writes } from './writes.ts'
import { writtenKeys } from './written.ts'

export type { Answer, Outcome, PassedAnswer, StoredAnswer } from './answer.ts'

/** How often a request looks again when what it waited for turned out to be for others. */
const MAX_LOOKS = 16
const NEVER = new AbortController().signal

export class Cache {
  readonly #context: FillContext
  readonly #flights = new Flights()
  readonly #passes = new Passes()
  readonly #slices: Slices
  readonly #groups: Groups
  readonly #writes = new Writes()

  constructor(context: CacheContext) {
    this.#slices = new Slices(context)
    this.#context = { ...context, slices: this.#slices }
    this.#groups = new Groups(context.clock())
  }

  /** Fills and validations, each slice one of them, and the viewers who wait for the head of one. */
  get underWay(): { readonly fills: number; readonly waiting: number } {
    return { fills: this.#flights.size + this.#slices.flights, waiting: this.#flights.waiting }
  }

  /** What memory can answer at once, awaiting nothing; undefined: ask `answer`. */
  immediate(route: Route, request: RequestHead): StoredAnswer | undefined {
    const key = cacheKey(route, request.target)
    const found = this.#context.store.peek(key, request)
    if (found === undefined || this.#writes.isUntrue(found.head)) return undefined
    const held = found.head.sliced === undefined ? found : this.#slices.held(found, request)
    if (held === undefined) return undefined
    const stored = this.#groups.judged(held)
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
    let collapsed: false | undefined
    for (let look = 1; ; look++) {
      const found = await this.#context.store.get(key, request)
      const isThere = found !== undefined && !this.#writes.isUntrue(found.head)
      const stored = isThere ? this.#judged(route, request, found) : undefined
      const now = this.#context.clock()
      const verdict = decide(route, request, stored, now)
      switch (verdict.kind) {
        case 'serve':
        case 'serve-stale': {
          if (look > MAX_LOOKS) return pass(this.#context.node, route, request, signal, 'bypass', collapsed)
          const served = this.#served(route, key, request, verdict, now)
          const answer = await begun(this.#slices, this.#context.node, route, request, served, signal)
          if (answer !== undefined) return answer
          break
        }
        case 'pass': {
          // The head that a running fill is about to bring answers HEAD as well.
          const running = request.method === 'HEAD' ? this.#running(key, request) : undefined
          const walk = { route, key, request, fwd: verdict.fwd, fallback: undefined, signal, collapsed }
          const answer = running === undefined ? undefined : await this.#walk(walk, running, 'follower')
          if (running !== undefined) collapsed = false
          if (answer !== undefined) return answer
          const passed = await pass(this.#context.node, route, request, signal, verdict.fwd, collapsed)
          if (request.method === 'HEAD' && stored !== undefined) await this.#learn(route, stored, passed)
          return passed
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
          if (running === undefined && found === undefined && this.#context.store.peek(key, request)) continue
          const flight = running ?? this.#start(route, key, request, toValidate)
          const walk = { route, key, request, fwd, fallback, signal, collapsed }
          const walked = await this.#walk(walk, flight, running === undefined ? 'leader' : 'follower')
          const answer =
            walked?.kind === 'stored'
              ? await begun(this.#slices, this.#context.node, route, request, walked, signal)
              : walked
          if (answer !== undefined) return answer
          if (running !== undefined) collapsed = false
        }
      }
    }
  }

  /**
   * A write was answered by the origin: what is stored of its target, of what the answer names, and of the groups it
   * names is no longer true (RFC 9111 section 4.4, RFC 9875 section 3). `routes` are all there are.
   */
  async written(routes: readonly Route[], route: Route, target: string, answer: ResponseHead): Promise<void> {
    this.#groups.invalidate(route.base, answer.fields, this.#context.clock())
    await Promise.all(writtenKeys(routes, route, target, answer).map((key) => this.#invalidate(key)))
  }

  async #invalidate(key: CacheKey): Promise<void> {
    const { clock, store } = this.#context
    // A fill under way may bring what was true before the write: nobody joins it, and it does not stay.
    const gone = this.#flights.detach(key).map(({ landed }) => landed.then(() => store.delete(key)))
    this.#writes.overtook(key, clock(), gone)
    const stored = await store.get(key, { method: 'GET', target: '/', fields: {} })
    await store.delete(key)
    if (stored !== undefined) await this.#slices.forget(stored.head)
  }

  /** The answer to a HEAD tells of what is stored as well (RFC 9111 section 4.3.5). */
  async #learn(route: Route, stored: StoredResponse, { response }: PassedAnswer): Promise<void> {
    const news = afterHead(stored, response.head, route.cookies)
    if (news !== undefined) await this.#context.store.refresh(news)
  }

  /** What was found, as it may be read and as far as it is true. */
  #judged(route: Route, request: RequestHead, found: StoredResponse): StoredResponse {
    const { sliced } = found.head
    return this.#groups.judged(sliced === undefined ? found : this.#slices.attach(route, request, found))
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
    if (verdict.why === 'stale-while-revalidate') this.#validateBehind(route, key, request, stored)
    return { kind: 'stored', outcome: 'stale', stored, status: { hit: true, ttl, detail: verdict.why } }
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
    const failure = stale === undefined && part === 'follower' ? sharedFailure(response) : undefined
    if (failure !== undefined) throw failure
    if (part === 'follower') return stale
    // Asked for whole it is worth nothing to one who wants a part, and asked for in part to nobody. From here on
    // this viewer alone keeps it and sets its pace, for which he may have to wait his turn (`toOne`).
    const isOfUse = isAsked && request.fields['range'] === undefined
    if (stale !== undefined || !isOfUse || response.toOne?.() === false) {
      response.cancel()
      return stale ?? pass(this.#context.node, route, request, signal, 'bypass', walk.collapsed)
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
      this.#passes.remember(walk.key, withdrawn, this.#context.clock())
      // Of a film there is nothing left to be read.
      if (part === 'follower' || filled.stored.head.sliced !== undefined) return undefined
    }
    if (!matches(filled.stored.head.variant, request)) return undefined
    const stored = this.#slices.attach(route, request, filled.stored)
    if (part === 'follower' && this.#groups.isInvalid(stored.head)) return undefined
    if (isFarAhead(stored, request))
      return pass(this.#context.node, route, request, signal, 'partial', walk.collapsed)
    if (withdrawn === undefined) this.#passes.forget(walk.key)
    const ttl = remainingSeconds(stored.head.freshness, this.#context.clock())
    const collapsed = part === 'follower' ? true : walk.collapsed
    const status = { hit: false, fwd, fwdStatus, ttl, stored: kept, collapsed, detail: withdrawn }
    if (part === 'follower') return { kind: 'stored', outcome: 'collapsed', stored, status }
    return { kind: 'stored', outcome: 'miss', stored, status, unshared }
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
    if (this.#groups.isInvalid(stored.head)) return false
    return !freshness.mustValidate && isFresh(freshness, this.#context.clock())
  }
}
