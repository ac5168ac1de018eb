/** Low-latency playlist reloads: refused, answered from the newest version, or held here for one request to the origin. */
import { RelaisError } from '../errors.ts'
import {
  answers,
  type Directives,
  firstWanted,
  isBadDirectives,
  outOfWindow,
  parseDirectives,
  type Wanted,
  withDirectives,
} from '../media/directives.ts'
import { kindOf } from '../media/kind.ts'
import type { Instant, RequestHead } from '../rfc/heads.ts'
import type { CacheKey, StoredResponse } from '../store/store.ts'
import type { Answer, StoredAnswer } from './answer.ts'
import { decide, type Verdict } from './decide.ts'
import { Deltas } from './deltas.ts'
import type { Groups } from './groups.ts'
import { heldHeadTimeoutMs } from './held-fill.ts'
import { Hints } from './hints.ts'
import type { FillContext } from './journey.ts'
import { cacheKey } from './key.ts'
import { pass } from './pass.ts'
import { type PlaylistVersion, PlaylistVersions } from './playlist-versions.ts'
import type { Route } from './routes.ts'
import type { News } from './streams.ts'
import type { Walks } from './walks.ts'

/** How often a request looks again when what it waited for turned out to be for others. */
const MAX_LOOKS = 16

const NONE: Directives = { wanted: undefined, skip: undefined }

type Serving = Verdict & { readonly kind: 'serve' | 'serve-stale' }

/** Makes the answer of what is stored. */
export type Serve = (
  route: Route,
  key: CacheKey,
  request: RequestHead,
  verdict: Serving,
  now: Instant,
) => StoredAnswer

/** A request for a playlist that says which version it is for. */
interface Reload {
  readonly route: Route
  /** Without directives. */
  readonly plain: RequestHead
  readonly plainKey: CacheKey
  readonly directives: Directives
  /** Undefined: nothing to wait for is named, or nothing more will come. */
  readonly wanted: Wanted | undefined
}

export class Reloads {
  readonly #context: FillContext
  readonly #groups: Groups
  readonly #walks: Walks
  readonly #serve: Serve
  readonly #versions = new PlaylistVersions()
  readonly #deltas = new Deltas()
  readonly #hints: Hints

  constructor(context: FillContext, groups: Groups, walks: Walks, serve: Serve) {
    this.#context = context
    this.#groups = groups
    this.#walks = walks
    this.#serve = serve
    this.#hints = new Hints(context, walks)
    context.streams.onNews((news) => this.#learn(news))
  }

  /** Whether a request has directives. All else is none of this file's business. */
  isReload({ method, target }: RequestHead): boolean {
    const question = target.indexOf('?')
    return (
      question >= 0 && method === 'GET' && /[?&]_HLS_(?:msn|part|skip)(?:[=&]|$)/.test(target.slice(question))
    )
  }

  /** What memory can answer at once, awaiting nothing; undefined: ask `answer`. */
  immediate(route: Route, request: RequestHead): StoredAnswer | undefined {
    const reload = this.#read(route, request)
    if (reload === undefined || reload instanceof RelaisError) return undefined
    const found = this.#context.store.peek(reload.plainKey, request)
    const served = found === undefined ? undefined : this.#served(reload, found)
    if (served === undefined || reload.directives.skip === undefined) return served
    const stored = this.#deltas.made(served.stored)
    return stored === undefined ? undefined : { ...served, stored }
  }

  /**
   * Rejects with BAD_DIRECTIVES for what no viewer of this playlist can mean, with another RelaisError where there is no answer,
   * and with the signal's reason. `ask` answers a request for the playlist as it is.
   */
  async answer(
    route: Route,
    request: RequestHead,
    signal: AbortSignal,
    ask: (request: RequestHead) => Promise<Answer>,
  ): Promise<Answer> {
    const reload = this.#read(route, request)
    if (reload === undefined) return ask(request)
    if (reload instanceof RelaisError) throw reload
    const answer =
      reload.wanted === undefined
        ? await ask(reload.plain)
        : await this.#waited(reload, reload.wanted, request, signal)
    if (answer.kind !== 'stored' || reload.directives.skip === undefined) return answer
    return { ...answer, stored: await this.#deltas.of(answer.stored) }
  }

  /** Undefined: not of a playlist. An error: what it asks for no viewer of this playlist can mean. */
  #read(route: Route, request: RequestHead): Reload | RelaisError | undefined {
    const { target } = request
    const plain = { ...request, target: withDirectives(target, NONE) }
    const plainKey = cacheKey(route, plain.target)
    const known = this.#versions.newest(plainKey)
    if (known === undefined && kindOf(target) !== 'hls-playlist') return undefined
    const ended = { route, plain, plainKey, directives: NONE, wanted: undefined }
    // RFC 8216bis section 6.2.5: what has ended has nothing to wait for, and all of it is sent.
    if (known?.facts.live === false) return ended
    const directives = parseDirectives(target)
    if (isBadDirectives(directives)) return refusal(directives.bad)
    const now = this.#context.clock()
    const why =
      known === undefined ? undefined : outOfWindow(known.facts, directives.wanted, now - known.readAt)
    if (why !== undefined) return refusal(why)
    if (route.home === undefined) this.#hints.watched(plainKey, request, now)
    // An origin that does not hold requests would be asked again and again.
    const wanted = known?.facts.canBlockReload === false ? undefined : directives.wanted
    return { route, plain, plainKey, directives, wanted }
  }

  #learn(news: News): void {
    const { facts, readAt } = news.stream
    if (facts.protocol !== 'hls' || facts.role !== 'media' || facts.skippedSegments > 0) return
    const plainKey = cacheKey(news.route, withDirectives(news.target, NONE))
    this.#versions.learn(plainKey, { facts, readAt })
    this.#hints.learn(news, plainKey, facts)
  }

  #served(reload: Reload, found: StoredResponse): StoredAnswer | undefined {
    const { route, plain, plainKey, wanted } = reload
    if (wanted !== undefined) {
      const version = this.#versions.of(plainKey, found.head)
      if (version === undefined || !answers(version.facts, wanted)) return undefined
    }
    const now = this.#context.clock()
    const verdict = decide(route, plain, this.#groups.judged(found), now)
    if (verdict.kind !== 'serve' && verdict.kind !== 'serve-stale') return undefined
    return this.#serve(route, plainKey, plain, verdict, now)
  }

  async #waited(reload: Reload, wanted: Wanted, request: RequestHead, signal: AbortSignal): Promise<Answer> {
    const { route, plainKey, plain } = reload
    const { store, clock } = this.#context
    let collapsed: false | undefined
    for (let look = 1; ; look++) {
      const got = await store.get(plainKey, plain)
      // From here on nothing is awaited until a flight is joined or set out.
      const found = store.peek(plainKey, plain) ?? got
      const served = found === undefined ? undefined : this.#served(reload, found)
      if (served !== undefined) return served
      const known = this.#versions.newest(plainKey)
      const held = { headTimeoutMs: this.#headTimeoutMs(known, plain), plainKey }
      const asked = this.#asked(known, wanted, plain)
      const key = cacheKey(route, asked.target)
      const missing = store.peek(key, plain)
      if (missing !== undefined) {
        const verdict = decide(route, plain, missing, clock())
        if (verdict.kind === 'serve') return this.#serve(route, key, asked, verdict, clock())
      }
      const { passes } = this.#walks
      if (look > MAX_LOOKS || passes.has(key, asked, clock()) || passes.has(plainKey, plain, clock()))
        return pass(this.#context, route, request, signal, 'bypass', collapsed, held)
      if (decide(route, plain, undefined, clock()).kind !== 'fill')
        return pass(this.#context, route, request, signal, 'request', collapsed, held)
      const running = this.#walks.running(key, asked, route.mostHops)
      const flight = running ?? this.#walks.start(route, key, asked, undefined, { held })
      // Nothing stale stands in: a viewer who has the same again would ask again, and again.
      const fwd = found === undefined ? 'uri-miss' : 'stale'
      const walk = {
        route,
        key,
        request: asked,
        fwd,
        fallback: undefined,
        signal,
        collapsed,
        isHeld: true,
      } as const
      const answer = await this.#walks.walk(walk, flight, running === undefined ? 'leader' : 'follower')
      if (answer !== undefined) return answer
      collapsed = false
    }
  }

  /** One name for all who wait for the same part; the whole playlist is asked for, so that it is everyone's. */
  #asked(known: PlaylistVersion | undefined, wanted: Wanted, plain: RequestHead): RequestHead {
    const first = known === undefined ? undefined : firstWanted(known.facts, [wanted])
    return { ...plain, target: withDirectives(plain.target, { wanted: first ?? wanted, skip: undefined }) }
  }

  #headTimeoutMs(known: PlaylistVersion | undefined, { target }: RequestHead): number {
    const told = known?.facts.targetDurationMs ?? this.#context.streams.timingOf(target)?.targetDurationMs
    return heldHeadTimeoutMs(told)
  }
}

function refusal(details: string): RelaisError {
  return new RelaisError('BAD_DIRECTIVES', { details })
}
