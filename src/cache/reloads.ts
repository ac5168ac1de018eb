/** Low-latency playlist reloads: refused, answered from the newest version, or held here for one request to the origin. */
import { LRUCache } from 'lru-cache'
import { RelaisError } from '../errors.ts'
import {
  answers,
  firstWanted,
  nextPart,
  type Wanted,
  withDirectives,
  withoutDirectives,
} from '../media/directives.ts'
import type { HlsMediaFacts } from '../media/facts.ts'
import { edgeOrder } from '../media/progress.ts'
import type { Instant, RequestHead } from '../rfc/heads.ts'
import type { CacheKey, StoredResponse } from '../store/store.ts'
import type { Answer, StoredAnswer } from './answer.ts'
import { decide, type Verdict } from './decide.ts'
import { Deltas } from './deltas.ts'
import type { Forgetting } from './forgetting.ts'
import type { Groups } from './groups.ts'
import { heldHeadTimeoutMs } from './held-fill.ts'
import { Hints } from './hints.ts'
import type { FillContext } from './journey.ts'
import { cacheKey } from './key.ts'
import { pass } from './pass.ts'
import { type PlaylistVersion, PlaylistVersions } from './playlist-versions.ts'
import type { PurgeScope } from './purges/purge-scope.ts'
import { ofThisPart } from './recent-part.ts'
import type { Recollection } from './recollection.ts'
import { type Reload, ReloadWords, readReload } from './reload.ts'
import type { Route } from './routes.ts'
import type { News } from './streams.ts'
import type { Walks } from './walks.ts'

/** How often a request looks again when what it waited for turned out to be for others. */
const MAX_LOOKS = 16
const MAX_PLAYLISTS = 10_000

type Serving = Verdict & { readonly kind: 'serve' | 'serve-stale' }

/** Makes the answer of what is stored; `isRenewed`: where that is due it is validated behind the viewer's back. */
export type Serve = (
  route: Route,
  key: CacheKey,
  request: RequestHead,
  verdict: Serving,
  now: Instant,
  isRenewed: boolean,
) => StoredAnswer

/** Answers a request for the playlist as it is. */
type Ask = (request: RequestHead) => Promise<Answer>

/** What the room gives. */
export interface ReloadContext {
  readonly context: FillContext
  readonly groups: Groups
  readonly walks: Walks
  readonly forgetting: Forgetting
  readonly recollection: Recollection
  readonly serve: Serve
}

export class Reloads {
  readonly #context: FillContext
  readonly #groups: Groups
  readonly #walks: Walks
  readonly #forgetting: Forgetting
  readonly #recollection: Recollection
  readonly #serve: Serve
  readonly #words = new ReloadWords()
  readonly #versions = new PlaylistVersions()
  readonly #deltas: Deltas
  readonly #hints: Hints
  /** When somebody last waited for a part of a playlist, and not for a whole segment. */
  readonly #partsAskedAt = new LRUCache<CacheKey, Instant>({ max: MAX_PLAYLISTS })

  constructor({ context, groups, walks, forgetting, recollection, serve }: ReloadContext) {
    this.#context = context
    this.#groups = groups
    this.#walks = walks
    this.#forgetting = forgetting
    this.#recollection = recollection
    this.#serve = serve
    this.#hints = new Hints(context, walks)
    this.#deltas = new Deltas(context.manifests)
    context.streams.onNews((news) => this.#learn(news))
  }

  /** A write has made untrue what is known of this playlist. */
  forget(plainKey: CacheKey): void {
    this.#versions.forget(plainKey)
  }

  /** Nobody is to be refused for what was purged. */
  forgetCovered(scope: PurgeScope): void {
    this.#versions.forgetCovered(scope)
  }

  /** Whether somebody has this playlist, asked for without directives, renewed part by part. */
  areUnderWay(plainKey: CacheKey, plain: RequestHead, now: Instant): boolean {
    const known = this.#versions.newest(plainKey, plain)
    return known?.facts.canBlockReload === true && this.#hints.isWatched(plainKey, known.facts, now)
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
  async answer(route: Route, request: RequestHead, signal: AbortSignal, ask: Ask): Promise<Answer> {
    await this.#recall(route, request)
    const reload = this.#read(route, request)
    if (reload === undefined) return ask(request)
    if (reload instanceof RelaisError) throw reload
    const answer =
      reload.wanted === undefined
        ? await ask(reload.plain)
        : await this.#waited(reload, reload.wanted, request, signal, ask)
    if (answer.kind !== 'stored' || reload.directives.skip === undefined) return answer
    return { ...answer, stored: await this.#deltas.of(answer.stored) }
  }

  #read(route: Route, request: RequestHead): Reload | RelaisError | undefined {
    const now = this.#context.clock()
    const reload = readReload(route, this.#words.of(route, request.target), request, this.#versions, now)
    // What is hinted at is asked for by the sibling whose viewers will ask for it.
    if (reload !== undefined && !(reload instanceof RelaisError) && route.home === undefined)
      this.#hints.watched(reload.plainKey, request, now)
    return reload
  }

  /** What was stored before a restart says as well which directives can be meant. */
  async #recall(route: Route, request: RequestHead): Promise<void> {
    const { plainTarget, plainKey } = this.#words.of(route, request.target)
    const plain = { ...request, target: plainTarget }
    if (this.#versions.newest(plainKey, plain) !== undefined) return
    await this.#recollection.get(route, plainKey, plain)
  }

  #learn(news: News): void {
    const { route, target, stream, readAt, askedAt, variant, isRecalled } = news
    const { facts } = stream
    if (facts.protocol !== 'hls' || facts.role !== 'media' || facts.skippedSegments > 0) return
    const plainKey = cacheKey(route, withoutDirectives(target))
    if (this.#forgetting.isUntrue({ key: plainKey, status: 200, askedAt, storedAt: readAt })) return
    this.#versions.learn(plainKey, { facts, readAt, variant })
    if (!isRecalled) this.#hints.learn(news, plainKey, facts)
  }

  #served(reload: Reload, found: StoredResponse): StoredAnswer | undefined {
    const { route, plain, plainKey, wanted } = reload
    const version = this.#answering(reload, found)
    const isAnswer = wanted === undefined || version !== undefined
    if (this.#forgetting.isUntrue(found.head) || !isAnswer) return undefined
    const now = this.#context.clock()
    const judged = this.#groups.judged(found)
    // What a write to its group has made untrue is not taken for recent.
    const recent =
      judged === found && version !== undefined ? ofThisPart(found, version.facts, now) : undefined
    const verdict = decide(route, plain, judged, now)
    const taken =
      verdict.kind === 'validate' || verdict.kind === 'fill' ? decide(route, plain, recent, now) : verdict
    if (taken.kind !== 'serve' && taken.kind !== 'serve-stale') return undefined
    return this.#serve(route, plainKey, plain, { ...taken, stored: judged }, now, wanted === undefined)
  }

  /** The version that is stored there, where it holds what is waited for. */
  #answering({ plainKey, wanted }: Reload, { head }: StoredResponse): PlaylistVersion | undefined {
    const version = wanted === undefined ? undefined : this.#versions.of(plainKey, head)
    return version !== undefined && wanted !== undefined && answers(version.facts, wanted)
      ? version
      : undefined
  }

  /** Whether what is stored holds what is waited for, and may be used when its origin has confirmed it. */
  #isToBeValidated(reload: Reload, found: StoredResponse): boolean {
    if (this.#forgetting.isUntrue(found.head) || this.#answering(reload, found) === undefined) return false
    const { kind } = decide(reload.route, reload.plain, this.#groups.judged(found), this.#context.clock())
    return kind === 'validate' || kind === 'fill'
  }

  async #waited(
    reload: Reload,
    wanted: Wanted,
    request: RequestHead,
    signal: AbortSignal,
    ask: Ask,
  ): Promise<Answer> {
    const { route, plainKey, plain } = reload
    const { store, clock } = this.#context
    const since = clock()
    if (wanted.part !== undefined) this.#partsAskedAt.set(plainKey, since)
    let collapsed: false | undefined
    let furthest: HlsMediaFacts | undefined
    for (let look = 1; ; look++) {
      const got = await this.#recollection.get(route, plainKey, plain)
      // From here on nothing is awaited until a flight is joined or set out.
      const found = store.peek(plainKey, plain) ?? got
      const served = found === undefined ? undefined : this.#served(reload, found)
      if (served !== undefined) return served
      // It is there, and has only to be validated: the origin need not be asked for all of it, nor for each part.
      if (found !== undefined && this.#isToBeValidated(reload, found)) return ask(plain)
      const known = this.#versions.newest(plainKey, plain)
      // Looking again is no circle as long as the playlist goes on.
      if (known !== undefined && (furthest === undefined || edgeOrder(known.facts, furthest) > 0)) {
        furthest = known.facts
        look = 1
      }
      const headTimeoutMs = this.#headTimeoutMs(known, plain)
      // Who waits for a whole segment has it with its last part, and need not be asked for where parts are.
      const isByParts = wanted.part === undefined && look === 1 && clock() - since < headTimeoutMs
      const first = isByParts && this.#arePartsAsked(plainKey, known) ? nextPart(known.facts) : wanted
      const held = { headTimeoutMs, plainKey, wanted: first }
      const asked = this.#asked(known, first, plain)
      const key = cacheKey(route, asked.target)
      const missing = store.peek(key, plain)
      if (missing !== undefined && !this.#forgetting.isUntrue(missing.head)) {
        const verdict = decide(route, plain, missing, clock())
        if (verdict.kind === 'serve') return this.#serve(route, key, asked, verdict, clock(), false)
      }
      const { passes } = this.#walks
      if (look > MAX_LOOKS || passes.has(key, asked, clock()) || passes.has(plainKey, plain, clock()))
        return pass(this.#context, route, request, signal, 'bypass', collapsed, held)
      const verdict = decide(route, plain, undefined, clock())
      if (verdict.kind === 'refuse') throw new RelaisError('ONLY_IF_CACHED')
      if (verdict.kind === 'pass')
        return pass(this.#context, route, request, signal, verdict.fwd, collapsed, held)
      const { mostHops } = route
      const own = this.#walks.running(key, asked, mostHops)
      const other =
        own === undefined && isByParts ? this.#walks.reloading(plainKey, wanted.sequence, mostHops) : own
      const flight = other ?? this.#walks.start(route, key, asked, undefined, { held })
      // Nothing stale stands in: a viewer who has the same again would ask again, and again.
      const fwd = found === undefined ? 'uri-miss' : 'stale'
      const common = { route, request: asked, fwd, fallback: undefined, signal, collapsed } as const
      const walk = { ...common, key, isHeld: true }
      const answer = await this.#walks.walk(walk, flight, other === undefined ? 'leader' : 'follower')
      const isOnTheWay = isByParts && (first !== wanted || other !== own)
      if (answer !== undefined && !(isOnTheWay && this.#isTooEarly(plainKey, answer, wanted))) return answer
      if (answer === undefined) collapsed = false
    }
  }

  /** Whether somebody plays this playlist part by part, and it has any. */
  #arePartsAsked(plainKey: CacheKey, known: PlaylistVersion | undefined): known is PlaylistVersion {
    if (known === undefined || known.facts.partTargetMs === undefined) return false
    const at = this.#partsAskedAt.get(plainKey)
    return at !== undefined && this.#context.clock() - at <= known.facts.targetDurationMs
  }

  /** Whether it is a playlist in which what is waited for is not to be found yet. */
  #isTooEarly(plainKey: CacheKey, answer: Answer, wanted: Wanted): boolean {
    if (answer.kind !== 'stored' || answer.stored.head.key !== plainKey) return false
    const version = this.#versions.of(plainKey, answer.stored.head)
    return version !== undefined && !answers(version.facts, wanted)
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
