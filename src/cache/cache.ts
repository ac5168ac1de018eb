/** The judge: what may be done with a request, and having it done. */
import { RelaisError } from '../errors.ts'
import { loops } from '../rfc/connection.ts'
import { remainingSeconds } from '../rfc/freshness.ts'
import type { Instant, RequestHead, ResponseHead } from '../rfc/heads.ts'
import { NoNotes } from '../store/notes.ts'
import type { CacheKey, StoredHead, StoredResponse } from '../store/store.ts'
import type { Answer, PassedAnswer, StoredAnswer } from './answer.ts'
import { begun } from './beginning.ts'
import { Codings } from './codings.ts'
import type { CutThrough, Taker } from './cut-through.ts'
import { decide, type Verdict } from './decide.ts'
import { Forgetting } from './forgetting.ts'
import { Groups } from './groups.ts'
import { afterHead } from './head-news.ts'
import type { CacheContext, FencedContext, FillContext, HeldFill } from './journey.ts'
import { cacheKey } from './key.ts'
import { LiveGuard } from './live-guard.ts'
import { NamedDocuments } from './named-documents.ts'
import { pass } from './pass.ts'
import { Jobs } from './prefetch/jobs.ts'
import { Prefetch } from './prefetch/prefetch.ts'
import { FencedStore } from './purges/fenced-store.ts'
import { Purges } from './purges/purges.ts'
import { Recollection } from './recollection.ts'
import { isReload } from './reload.ts'
import { Reloads } from './reloads.ts'
import type { Route } from './routes.ts'
import { Slices } from './slices.ts'
import { passOr } from './stand-in.ts'
import { Walks } from './walks.ts'
import { writtenKeys } from './written.ts'

export type { Answer, Outcome, PassedAnswer, StoredAnswer } from './answer.ts'
export type { CutThrough, PassingAnswer, Taker } from './cut-through.ts'

/** How often a request looks again when what it waited for turned out to be for others. */
const MAX_LOOKS = 16

export class Cache {
  readonly #context: FillContext
  readonly #slices: Slices
  readonly #groups: Groups
  readonly #walks: Walks
  readonly #reloads: Reloads
  readonly #codings = new Codings()
  readonly #forgetting: Forgetting
  readonly #recollection: Recollection
  /** Ahead of the viewers. */
  readonly prefetch: Prefetch
  /** On order, ahead of all viewers. */
  readonly jobs: Jobs
  /** On order of those who run the node, or of others in its cluster. */
  readonly purges: Purges

  constructor(context: CacheContext) {
    const { notes = new NoNotes() } = context
    const forgetSlices = (head: StoredHead): Promise<void> => this.#slices.forget(head)
    this.purges = new Purges({ ...context, notes, forgetSlices })
    const store = new FencedStore(context.store, this.purges.rules, this.purges.looks)
    const fenced: FencedContext = { ...context, store, fence: this.purges }
    this.#slices = new Slices(fenced, (key) => this.prefetch.used(key))
    const guard = new LiveGuard(fenced, {
      before: (key, at) => this.#forgetting.before(key, at),
      missing: (key) => this.#forgetting.missing(key),
    })
    const named = new NamedDocuments(context.streams)
    const arrivalOf = (target: string): Promise<void> | undefined => this.prefetch.arrivalOf(target)
    this.#context = { ...fenced, slices: this.#slices, guard, named, arrivalOf }
    this.#groups = new Groups(context.clock())
    this.#walks = new Walks(this.#context, this.#groups, (route, request, head, now) =>
      this.prefetch.asked(route, request, head, now),
    )
    this.#forgetting = new Forgetting(this.#context, this.#walks)
    this.#recollection = new Recollection(fenced, guard)
    this.#reloads = new Reloads({
      context: this.#context,
      groups: this.#groups,
      walks: this.#walks,
      forgetting: this.#forgetting,
      recollection: this.#recollection,
      serve: this.#served.bind(this),
    })
    this.prefetch = new Prefetch({
      ...fenced,
      options: context.prefetching,
      send: (errand, signal) => {
        const { route, request, slice } = errand
        return slice === undefined
          ? this.#walks.ahead(errand, signal)
          : this.#slices.ahead({ route, request, head: slice.head }, slice.index, signal)
      },
    })
    this.jobs = new Jobs({
      ...{ ...context, share: context.prefetching.share },
      answer: (route, request, signal) => this.answer(route, request, signal),
    })
    this.purges.onScope((scope, isSoft) => {
      this.#walks.detachCovered(scope)
      if (isSoft) return
      guard.forgetCovered(scope)
      this.#reloads.forgetCovered(scope)
      this.prefetch.forget(scope)
    })
  }

  /** Fills and validations, each slice one of them, and the viewers who wait for the head of one. */
  get underWay(): { readonly fills: number; readonly waiting: number } {
    return { fills: this.#walks.size + this.#slices.flights, waiting: this.#walks.waiting }
  }

  /** What memory can answer at once, awaiting nothing; undefined: ask `answer`. */
  immediate(route: Route, request: RequestHead): StoredAnswer | undefined {
    if (isReload(request)) {
      const reloaded = this.#reloads.immediate(route, request)
      if (route.home !== undefined) return reloaded
      const stored = reloaded === undefined ? undefined : this.#codings.atOnce(reloaded.stored, request)
      return reloaded === undefined || stored === undefined ? undefined : { ...reloaded, stored }
    }
    const key = cacheKey(route, request.target)
    const found = this.#context.store.peek(key, request)
    if (found === undefined || this.#forgetting.isUntrue(found.head)) return undefined
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
   * Has what lies at a sibling, and is not to be kept here, pass to the one viewer who asks for it; to be asked where there is
   * nothing `immediate`. Undefined: nothing was done, ask `answer`.
   */
  cutThrough(route: Route, request: RequestHead, taker: Taker): CutThrough | undefined {
    const key = cacheKey(route, request.target)
    if (isReload(request) || this.#context.store.has(key)) return undefined
    return this.#walks.cutThrough(route, key, request, taker)
  }

  /**
   * Answers from store, or from upstream. Rejects with a RelaisError where there is no answer, with the signal's reason
   * when the viewer leaves, and with anything else only through a fault of ours: then the plain proxy can still try.
   * `held`: the origin is expected to hold the request. `before`: what it began with, when it was handed over.
   */
  async answer(
    route: Route,
    request: RequestHead,
    signal: AbortSignal,
    held?: HeldFill,
    before?: CutThrough,
  ): Promise<Answer> {
    if (loops(request.fields, this.#context.node)) throw new RelaisError('LOOP')
    const answer = isReload(request)
      ? await this.#reloads.answer(route, request, signal, (plain) => this.#answer(route, plain, signal))
      : await this.#answer(route, request, signal, held, before)
    if (answer.kind === 'passed' || route.home !== undefined) return answer
    return { ...answer, stored: await this.#codings.coded(answer.stored, request) }
  }

  async #answer(
    route: Route,
    request: RequestHead,
    signal: AbortSignal,
    held?: HeldFill,
    before?: CutThrough,
  ): Promise<Answer> {
    const key = cacheKey(route, request.target)
    let collapsed: false | undefined
    for (let look = 1; ; look++) {
      const found = await this.#recollection.get(route, key, request)
      const isThere = found !== undefined && !this.#forgetting.isUntrue(found.head)
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
        case 'refuse': {
          // Of siblings: what comes from the origin is here as soon as its head is.
          const coming = route.home === undefined ? undefined : this.#walks.coming(key, request)
          const walk = {
            ...{ route, key, request, signal, collapsed },
            ...{ fwd: 'uri-miss' as const, fallback: undefined },
          }
          const walked = coming === undefined ? undefined : await this.#walks.walk(walk, coming, 'follower')
          if (walked?.kind !== 'stored') throw new RelaisError('ONLY_IF_CACHED')
          const answer = await begun(this.#slices, this.#context, route, request, walked, signal)
          if (answer === undefined) throw new RelaisError('ONLY_IF_CACHED')
          return answer
        }
        case 'validate':
        case 'fill': {
          const { fwd } = verdict
          const fallback = verdict.kind === 'validate' ? verdict.stored : verdict.stale
          if (look > MAX_LOOKS || this.#walks.passes.has(key, request, now))
            return passOr(this.#context, fallback, route, request, signal, collapsed)
          const toValidate = verdict.kind === 'validate' ? verdict.stored : undefined
          // What a purge or a write has detached meanwhile is still for who set it out.
          const own = look === 1 && before?.flight?.isPending === true ? before.flight : undefined
          const running = own ?? this.#walks.running(key, request, route.mostHops)
          // A schedule that must not fill twice:
          //   1. This one looks into the store, where nothing lies.
          //   2. Another's fill commits and lands.
          //   3. This one finds no flight to walk with.
          // So it looks again where that costs nothing.
          if (running === undefined && found === undefined && this.#context.store.peek(key, request)) continue
          const flight = running ?? this.#walks.start(route, key, request, toValidate, { held })
          const walk = { route, key, request, fwd, fallback, signal, collapsed }
          const isLeader = running === undefined || flight === before?.flight
          const walked = await this.#walks.walk(walk, flight, isLeader ? 'leader' : 'follower')
          if (walked?.kind === 'stored') this.prefetch.asked(route, request, walked.stored.head, now)
          const answer =
            walked?.kind === 'stored'
              ? await begun(this.#slices, this.#context, route, request, walked, signal)
              : walked
          if (answer !== undefined) return answer
          if (!isLeader) collapsed = false
        }
      }
    }
  }

  /**
   * A write was answered by the origin: what is stored of its target, of what the answer names, and of the groups it
   * names is no longer true (RFC 9111 section 4.4, RFC 9875 section 3).
   */
  async written(route: Route, target: string, answer: ResponseHead): Promise<void> {
    const { routes, clock } = this.#context
    this.#groups.invalidate(route.base, answer.fields, clock())
    await Promise.all(writtenKeys(routes, route, target, answer).map((key) => this.#invalidate(key)))
  }

  async #invalidate(key: CacheKey): Promise<void> {
    this.#reloads.forget(key)
    await this.#forgetting.all(key)
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
    isRenewed = true,
  ): StoredAnswer {
    const { stored } = verdict
    this.prefetch.asked(route, request, stored.head, now)
    const ttl = remainingSeconds(stored.head.freshness, now)
    const isDue = isRenewed && this.prefetch.isDue(route, request.target, stored.head, now)
    // Who waits for its next part brings the next version of a playlist as soon as there is one.
    if (isDue && !this.#reloads.areUnderWay(key, request, now))
      this.#walks.validateBehind(route, key, request, stored)
    if (verdict.kind === 'serve')
      return { kind: 'stored', outcome: 'hit', stored, status: { hit: true, ttl } }
    if (isRenewed && verdict.why === 'stale-while-revalidate')
      this.#walks.validateBehind(route, key, request, stored)
    return { kind: 'stored', outcome: 'stale', stored, status: { hit: true, ttl, detail: verdict.why } }
  }
}
