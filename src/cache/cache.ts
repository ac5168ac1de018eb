/** The judge: what may be done with a request, and having it done. */
import { RelaisError } from '../errors.ts'
import { loops } from '../rfc/connection.ts'
import { remainingSeconds } from '../rfc/freshness.ts'
import type { Instant, RequestHead, ResponseHead } from '../rfc/heads.ts'
import type { CacheKey, StoredResponse } from '../store/store.ts'
import type { Answer, PassedAnswer, StoredAnswer } from './answer.ts'
import { begun } from './beginning.ts'
import { Codings } from './codings.ts'
import { decide, type Verdict } from './decide.ts'
import { Groups } from './groups.ts'
import { afterHead } from './head-news.ts'
import type { CacheContext, FillContext, HeldFill } from './journey.ts'
import { cacheKey } from './key.ts'
import { LiveGuard } from './live-guard.ts'
import { pass } from './pass.ts'
import { Prefetch } from './prefetch/prefetch.ts'
import { Reloads } from './reloads.ts'
import type { Route } from './routes.ts'
import { Slices } from './slices.ts'
import { passOr } from './stand-in.ts'
import { Walks } from './walks.ts'
import { Writes } from './writes.ts'
import { writtenKeys } from './written.ts'

export type { Answer, Outcome, PassedAnswer, StoredAnswer } from './answer.ts'

/** How often a request looks again when what it waited for turned out to be for others. */
const MAX_LOOKS = 16

export class Cache {
  readonly #context: FillContext
  readonly #slices: Slices
  readonly #groups: Groups
  readonly #walks: Walks
  readonly #reloads: Reloads
  readonly #codings = new Codings()
  readonly #writes = new Writes()
  /** Ahead of the viewers. */
  readonly prefetch: Prefetch

  constructor(context: CacheContext) {
    this.#slices = new Slices(context)
    const guard = new LiveGuard(context, (key) => this.#forget(key))
    this.#context = { ...context, slices: this.#slices, guard }
    this.#groups = new Groups(context.clock())
    this.#walks = new Walks(this.#context, this.#groups)
    this.#reloads = new Reloads(this.#context, this.#groups, this.#walks, this.#served.bind(this))
    this.prefetch = new Prefetch({
      ...context,
      options: context.prefetching,
      send: (errand) => this.#walks.ahead(errand),
    })
  }

  /** Fills and validations, each slice one of them, and the viewers who wait for the head of one. */
  get underWay(): { readonly fills: number; readonly waiting: number } {
    return { fills: this.#walks.size + this.#slices.flights, waiting: this.#walks.waiting }
  }

  /** What memory can answer at once, awaiting nothing; undefined: ask `answer`. */
  immediate(route: Route, request: RequestHead): StoredAnswer | undefined {
    if (this.#reloads.isReload(request)) {
      const reloaded = this.#reloads.immediate(route, request)
      if (route.home !== undefined) return reloaded
      const stored = reloaded === undefined ? undefined : this.#codings.atOnce(reloaded.stored, request)
      return reloaded === undefined || stored === undefined ? undefined : { ...reloaded, stored }
    }
    const key = cacheKey(route, request.target)
    const found = this.#context.store.peek(key, request)
    if (found === undefined || this.#writes.isUntrue(found.head)) return undefined
    const held = found.head.sliced === undefined ? found : this.#slices.held(found, request)
    if (held === undefined) return undefined
    const stored = this.#groups.judged(held)
    const now = this.#context.clock()
    const verdict = decide(route, request, stored, now)
    if (verdict.kind !== 'serve' && verdict.kind !== 'serve-stale') return undefined
    // Siblings take texts as they are, and compress them themselves.
    const coded = route.home === undefined ? this.#codings.atOnce(stored, request) : stored
    if (coded === undefined) return undefined
    const answer = this.#served(route, key, request, verdict, now)
    return coded === stored ? answer : { ...answer, stored: coded }
  }

  /**
   * Answers from store, or from upstream. Rejects with a RelaisError where there is no answer, with the signal's reason
   * when the viewer leaves, and with anything else only through a fault of ours: then the plain proxy can still try.
   * `held`: the origin is expected to hold the request.
   */
  async answer(route: Route, request: RequestHead, signal: AbortSignal, held?: HeldFill): Promise<Answer> {
    if (loops(request.fields, this.#context.node)) throw new RelaisError('LOOP')
    const answer = this.#reloads.isReload(request)
      ? await this.#reloads.answer(route, request, signal, (plain) => this.#answer(route, plain, signal))
      : await this.#answer(route, request, signal, held)
    if (answer.kind === 'passed' || route.home !== undefined) return answer
    return { ...answer, stored: await this.#codings.coded(answer.stored, request) }
  }

  async #answer(route: Route, request: RequestHead, signal: AbortSignal, held?: HeldFill): Promise<Answer> {
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
          if (look > MAX_LOOKS) return pass(this.#context, route, request, signal, 'bypass', collapsed)
          const served = this.#served(route, key, request, verdict, now)
          const answer = await begun(this.#slices, this.#context, route, request, served, signal)
          if (answer !== undefined) return answer
          break
        }
        case 'pass': {
          // The head that a running fill is about to bring answers HEAD as well.
          const running =
            request.method === 'HEAD' ? this.#walks.running(key, request, route.mostHops) : undefined
          const walk = { route, key, request, fwd: verdict.fwd, fallback: undefined, signal, collapsed }
          const answer = running === undefined ? undefined : await this.#walks.walk(walk, running, 'follower')
          if (running !== undefined) collapsed = false
          if (answer !== undefined) return answer
          const passed = await pass(this.#context, route, request, signal, verdict.fwd, collapsed)
          if (request.method === 'HEAD' && stored !== undefined) await this.#learn(route, stored, passed)
          return passed
        }
        case 'refuse':
          throw new RelaisError('ONLY_IF_CACHED')
        case 'validate':
        case 'fill': {
          const { fwd } = verdict
          const fallback = verdict.kind === 'validate' ? verdict.stored : verdict.stale
          if (look > MAX_LOOKS || this.#walks.passes.has(key, request, now))
            return passOr(this.#context, fallback, route, request, signal, collapsed)
          const toValidate = verdict.kind === 'validate' ? verdict.stored : undefined
          const running = this.#walks.running(key, request, route.mostHops)
          // A schedule that must not fill twice:
          //   1. This one looks into the store, where nothing lies.
          //   2. Another's fill commits and lands.
          //   3. This one finds no flight to walk with.
          // So it looks again where that costs nothing.
          if (running === undefined && found === undefined && this.#context.store.peek(key, request)) continue
          const flight = running ?? this.#walks.start(route, key, request, toValidate, { held })
          const walk = { route, key, request, fwd, fallback, signal, collapsed }
          const walked = await this.#walks.walk(walk, flight, running === undefined ? 'leader' : 'follower')
          if (walked?.kind === 'stored') this.prefetch.asked(route, request, walked.stored.head, now)
          const answer =
            walked?.kind === 'stored'
              ? await begun(this.#slices, this.#context, route, request, walked, signal)
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

  /** All that was asked for before then is validated before it is used again. */
  distrust(at: Instant): void {
    this.#groups.distrust(at)
  }

  /** What is stored is gone at once, and what is on its way does not stay. */
  #forget(key: CacheKey): void {
    for (const flight of this.#walks.detach(key)) {
      void flight.landed.then(() => this.#context.store.delete(key))
    }
    const stored = this.#context.store.peek(key, { method: 'GET', target: '/', fields: {} })
    void this.#context.store.delete(key)
    if (stored !== undefined) void this.#slices.forget(stored.head)
  }

  async #invalidate(key: CacheKey): Promise<void> {
    const { clock, store } = this.#context
    // A fill under way may bring what was true before the write: nobody joins it, and it does not stay.
    const gone = this.#walks.detach(key).map(({ landed }) => landed.then(() => store.delete(key)))
    this.#writes.overtook(key, clock(), gone)
    const stored = await store.get(key, { method: 'GET', target: '/', fields: {} })
    await store.delete(key)
    if (stored !== undefined) await this.#slices.forget(stored.head)
  }

  /** The answer to a HEAD tells of what is stored as well (RFC 9111 section 4.3.5). */
  async #learn(route: Route, stored: StoredResponse, { response, told }: PassedAnswer): Promise<void> {
    const news = afterHead(stored, told ?? response.head, route.cookies)
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
    this.prefetch.asked(route, request, stored.head, now)
    const ttl = remainingSeconds(stored.head.freshness, now)
    if (verdict.kind === 'serve')
      return { kind: 'stored', outcome: 'hit', stored, status: { hit: true, ttl } }
    if (verdict.why === 'stale-while-revalidate') this.#walks.validateBehind(route, key, request, stored)
    return { kind: 'stored', outcome: 'stale', stored, status: { hit: true, ttl, detail: verdict.why } }
  }
}
