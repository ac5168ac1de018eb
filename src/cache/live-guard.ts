/** Sees to it that a live stream never goes backwards for its viewers, and that one that begins anew leaves nothing behind. */
import { LRUCache } from 'lru-cache'
import { type ManifestFacts, timingOf } from '../media/facts.ts'
import { isManifest } from '../media/kind.ts'
import { compare, isStalled, type Progress } from '../media/progress.ts'
import { weightOf } from '../media/weight.ts'
import { dropCovered, type PurgeScope } from '../purge/purge-scope.ts'
import type { Instant, RequestHead } from '../rfc/heads.ts'
import type { CacheKey, StoredHead, StoredResponse } from '../store/store.ts'
import type { UpstreamResponse } from '../upstream/source.ts'
import { recognise } from './first-chunk.ts'
import type { Kept } from './flow.ts'
import { inTurns } from './in-turns.ts'
import type { CacheContext, Guard, Judgement, Order } from './journey.ts'
import { cacheKey } from './key.ts'
import { leftTargets, listedTargets, newTargets } from './listed-targets.ts'
import { collect } from './manifest-body.ts'
import type { Route } from './routes.ts'
import { isBehind } from './stored-manifest.ts'
import { shared } from './upstream-request.ts'

const MAX_STREAMS = 10_000
const MAX_WEIGHT_BYTES = 64 * 1024 * 1024
/** When a stream says nothing of its pace. */
const USUAL_PACE_MS = 6_000
/** How long who lags behind is asked last, and how long nobody is believed who says less, in paces. */
const LONG_PACES = 3
/** What says less than was said so long ago is believed all the same: else its viewers would wait for ever. */
const LONGEST_REFUSAL_MS = 30_000
const MAX_LEFT = 512

const TAKE: Judgement = { kind: 'take' }

/** The furthest that a stream has come. */
interface Known {
  readonly facts: ManifestFacts
  readonly movedAt: Instant
  /** What was asked for until then may be of another run under the same name. */
  readonly restartedAt: Instant | undefined
}

export class LiveGuard implements Guard {
  readonly #context: CacheContext
  readonly #forget: (key: CacheKey) => void
  readonly #known = new LRUCache<CacheKey, Known>({
    max: MAX_STREAMS,
    maxSize: MAX_WEIGHT_BYTES,
    sizeCalculation: ({ facts }) => weightOf(facts),
  })

  readonly #restartedAt = new LRUCache<string, Instant>({ max: MAX_STREAMS })

  /** `forget` deletes what is stored at once, and lets what is on its way not stay. */
  constructor(context: CacheContext, forget: (key: CacheKey) => void) {
    this.#context = context
    this.#forget = forget
  }

  /** What was purged is not to be held against what comes: it is as if it came for the first time. */
  forget(scope: PurgeScope): void {
    dropCovered(this.#known, scope)
  }

  /** Before anyone sees it. Asks other origins when this one lags behind or stands still; never rejects. */
  async judge(order: Order, response: UpstreamResponse, facts: ManifestFacts): Promise<Judgement> {
    if (facts.role === 'patch') return TAKE
    const { route } = order
    const target = withoutDirectives(order.request.target)
    const key = cacheKey(route, target)
    const now = this.#context.clock()
    const known = this.#known.get(key)
    if (known === undefined) {
      this.#take(route, target, key, facts, undefined, { facts, movedAt: now, restartedAt: undefined })
      return TAKE
    }
    const progress = progressOf(known, facts, now)
    switch (progress) {
      case 'newer':
        this.#take(route, target, key, facts, known, { ...known, facts, movedAt: now })
        return TAKE
      case 'restarted':
        this.#restart(order.request.target, route, target, key, known, facts)
        return TAKE
      case 'same':
      case 'older': {
        const isLate = progress === 'older' || isStalled(known.facts, known.movedAt, now)
        const better = isLate ? await this.#elsewhere(order, response.from, known, progress) : undefined
        if (better !== undefined) return { kind: 'instead', response: better }
        const kept = progress === 'older' ? await this.#kept(order, key, known.facts, facts) : undefined
        return kept === undefined ? TAKE : { kind: 'keep', kept }
      }
    }
  }

  /** What another origin says where this one has nothing new for too long; undefined: nothing better. */
  async unmoved(order: Order, from: string): Promise<UpstreamResponse | undefined> {
    const known = this.#known.get(cacheKey(order.route, withoutDirectives(order.request.target)))
    if (known === undefined || !isStalled(known.facts, known.movedAt, this.#context.clock())) return undefined
    return this.#elsewhere(order, from, known, 'same')
  }

  /** One after the other, each once: who was asked is asked last from then on. */
  async #elsewhere(
    order: Order,
    from: string,
    known: Known,
    progress: 'same' | 'older',
  ): Promise<UpstreamResponse | undefined> {
    const { route, request } = order
    const paceMs = paceOf(known.facts)
    for (let late = from; route.source.demote?.(late, paceMs) === true; ) {
      const came = await this.#ask(order)
      if (came === undefined) return undefined
      const now = this.#context.clock()
      const next = progressOf(known, came.facts, now)
      const isBetter =
        next === 'newer' ||
        (next === 'same' && progress === 'older') ||
        // Another run of the encoder, and the one before has fallen silent.
        (next === 'restarted' && now - known.movedAt > LONG_PACES * paceMs)
      if (isBetter) {
        route.source.demote(from, LONG_PACES * paceMs)
        this.#context.onTrouble(`${from} lags behind ${came.response.from}`, undefined, request.target)
        return came.response
      }
      late = came.response.from
    }
    return undefined
  }

  async #ask(order: Order): Promise<{ response: UpstreamResponse; facts: ManifestFacts } | undefined> {
    const { route, request } = order
    try {
      // Without directives: nobody is to be made to wait once more for what another origin holds back.
      const plain = { ...request, target: withoutDirectives(request.target) }
      const asked = shared(route, plain, this.#context.node)
      const arrived = await route.source.fetch(asked, new AbortController().signal)
      const { kind, response } = await recognise(request.target, arrived, 0)
      if (isManifest(kind) && response.head.status === 200) {
        const sent: Uint8Array[] = []
        const read = { ...response, body: noting(response.body, sent) }
        const { facts } = await collect(read, kind, this.#context.addresses, request.target)
        // As it was sent: it is going to be received like all else.
        return { facts, response: { ...arrived, body: replay(sent) } }
      }
      response.cancel()
      return undefined
    } catch (error) {
      // What came first is still an answer.
      this.#context.onTrouble('another origin could not be asked', error, request.target)
      return undefined
    }
  }

  /**
   * What is stored, fresh for half a pace more, so that the origin is not asked by every viewer until it has caught up.
   * Undefined: what came is ahead of what is stored, for the version that is known was deleted or evicted.
   */
  async #kept(
    order: Order,
    key: CacheKey,
    facts: ManifestFacts,
    came: ManifestFacts,
  ): Promise<Kept | undefined> {
    const { store, clock } = this.#context
    const stored = await store.get(key, order.request)
    if (stored === undefined || stored.head.status !== 200 || (await isBehind(stored, came))) return undefined
    const head = prolonged(stored, clock() + paceOf(facts) / 2)
    const kept = await store.refresh(head)
    return { stored: { head, body: stored.body }, kept }
  }

  /** What the run before listed is void, and so is what has the name of something in this one. */
  #restart(
    asked: string,
    route: Route,
    target: string,
    key: CacheKey,
    before: Known,
    facts: ManifestFacts,
  ): void {
    const { streams, clock } = this.#context
    const now = clock()
    const told = this.#restartedAt.get(pathOf(target))
    // Of one playlist under many queries (tokens) each is told of the same new run once.
    const isTold = told !== undefined && before.movedAt < told
    const restartedAt = isTold ? told : now
    const known = { facts, movedAt: now, restartedAt }
    if (!isTold) {
      streams.restart(asked)
      this.#restartedAt.set(pathOf(target), now)
      void this.#drop(route, target, before.facts, now)
    }
    void inTurns(listedTargets(facts, target, now), (one) => this.#listed(cacheKey(route, one), known))
    this.#take(route, target, key, facts, undefined, known)
  }

  /** `before`: the version of the same run; undefined: there is none. */
  #take(
    route: Route,
    target: string,
    key: CacheKey,
    facts: ManifestFacts,
    before: Known | undefined,
    known: Known,
  ): void {
    this.#known.set(key, known)
    const { clock, store } = this.#context
    for (const one of newTargets(before?.facts, facts, target, clock()))
      this.#listed(cacheKey(route, one), known)
    if (before === undefined) return
    let left = 0
    for (const one of leftTargets(before.facts, facts, target)) {
      store.demote(cacheKey(route, one))
      if (++left >= MAX_LEFT) break
    }
  }

  /** It is there now, whatever was said before; and of this run. */
  #listed(key: CacheKey, { restartedAt }: Known): void {
    const head = this.#headOf(key)
    const isMissing = head?.status === 404 || head?.status === 410
    if (isMissing || (restartedAt !== undefined && this.#isOlder(key, head, restartedAt))) this.#forget(key)
  }

  /** What the run before listed. */
  async #drop(route: Route, target: string, facts: ManifestFacts, restartedAt: Instant): Promise<void> {
    await inTurns(listedTargets(facts, target, restartedAt), (listed) => {
      const key = cacheKey(route, listed)
      // By its turn the new run may have brought something of the same name.
      if (this.#isOlder(key, this.#headOf(key), restartedAt)) this.#forget(key)
    })
  }

  #headOf(key: CacheKey): StoredHead | undefined {
    const { store } = this.#context
    return store.has(key) ? store.peek(key, PLAIN)?.head : undefined
  }

  /** What lies on disk alone, or varies, is taken for older: it costs one request. */
  #isOlder(key: CacheKey, head: StoredHead | undefined, restartedAt: Instant): boolean {
    if (head === undefined) return this.#context.store.has(key)
    return (head.askedAt ?? head.storedAt) < restartedAt
  }
}

async function* noting(body: AsyncIterable<Uint8Array>, sent: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    sent.push(chunk)
    yield chunk
  }
}

async function* replay(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

const PLAIN: RequestHead = { method: 'GET', target: '/', fields: {} }

function progressOf(known: Known, came: ManifestFacts, now: Instant): Progress {
  const keptForMs = now - known.movedAt
  const progress = compare(known.facts, came, keptForMs)
  const longestMs = Math.max(LONGEST_REFUSAL_MS, LONG_PACES * paceOf(known.facts))
  return progress === 'older' && keptForMs > longestMs ? 'restarted' : progress
}

function paceOf(facts: ManifestFacts): number {
  const timing = timingOf(facts)
  return (
    timing?.targetDurationMs ?? timing?.segmentDurationMs ?? timing?.minimumUpdatePeriodMs ?? USUAL_PACE_MS
  )
}

function prolonged({ head }: StoredResponse, until: Instant): StoredHead {
  const { freshness } = head
  if (freshness.mustValidate) return head
  const freshUntil = Math.max(freshness.freshUntil, until)
  const staleWhileRevalidateUntil = Math.max(freshness.staleWhileRevalidateUntil, freshUntil)
  const staleIfErrorUntil = Math.max(freshness.staleIfErrorUntil, freshUntil)
  return { ...head, freshness: { ...freshness, freshUntil, staleWhileRevalidateUntil, staleIfErrorUntil } }
}

/** A blocking reload and a delta update are of the same stream as the plain playlist (RFC 8216bis section 6.2.5). */
function withoutDirectives(target: string): string {
  const question = target.indexOf('?')
  if (question < 0) return target
  const rest = target
    .slice(question + 1)
    .split('&')
    .filter((parameter) => !parameter.startsWith('_HLS_'))
  return rest.length === 0 ? target.slice(0, question) : `${target.slice(0, question)}?${rest.join('&')}`
}

function pathOf(target: string): string {
  const question = target.indexOf('?')
  return question < 0 ? target : target.slice(0, question)
}
