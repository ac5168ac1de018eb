/** Sees to it that a live stream never goes backwards for its viewers, and that one that begins anew leaves nothing behind. */
import { LRUCache } from 'lru-cache'
import { withoutDirectives } from '../media/directives.ts'
import type { ManifestFacts } from '../media/facts.ts'
import { isStalled } from '../media/progress.ts'
import { weightOf } from '../media/weight.ts'
import type { Instant } from '../rfc/heads.ts'
import type { Variant } from '../rfc/vary.ts'
import type { CacheKey, StoredHead, StoredResponse } from '../store/store.ts'
import type { UpstreamResponse } from '../upstream/source.ts'
import type { Kept } from './flow.ts'
import type { CacheContext, Guard, Judgement, Order } from './journey.ts'
import { cacheKey, variantKey } from './key.ts'
import { elsewhere, type Known, paceOf, progressOf } from './other-origins.ts'
import { dropCovered, type PurgeScope } from './purges/purge-scope.ts'
import { type Oblivion, Runs } from './runs.ts'
import { isBehind } from './stored-manifest.ts'

const MAX_STREAMS = 10_000
const MAX_WEIGHT_BYTES = 64 * 1024 * 1024

const TAKE: Judgement = { kind: 'take' }

export class LiveGuard implements Guard {
  readonly #context: CacheContext
  readonly #runs: Runs
  /** By key and variant: what one audience is shown is no measure for another. */
  readonly #known = new LRUCache<string, Known>({
    max: MAX_STREAMS,
    maxSize: MAX_WEIGHT_BYTES,
    sizeCalculation: ({ facts }) => weightOf(facts),
  })

  constructor(context: CacheContext, oblivion: Oblivion) {
    this.#context = context
    this.#runs = new Runs(context, oblivion)
  }

  /** Whether a version of this variant is known; `key` is without directives. */
  knows(key: CacheKey, variant: Variant): boolean {
    return this.#known.has(variantKey(key, variant))
  }

  /** What was stored at `storedAt`, before this process began; nothing follows from it but that viewers have seen it. */
  recall(key: CacheKey, variant: Variant, facts: ManifestFacts, storedAt: Instant): void {
    if (facts.role === 'patch' || this.knows(key, variant)) return
    this.#known.set(variantKey(key, variant), { facts, movedAt: storedAt, restartedAt: undefined })
  }

  /** What was purged is not to be held against what comes: it is as if it came for the first time. */
  forgetCovered(scope: PurgeScope): void {
    dropCovered(this.#known, scope)
  }

  /** Before anyone sees it. Asks other origins when this one lags behind or stands still; never rejects. */
  async judge(
    order: Order,
    response: UpstreamResponse,
    facts: ManifestFacts,
    variant: Variant,
  ): Promise<Judgement> {
    if (facts.role === 'patch') return TAKE
    const target = withoutDirectives(order.request.target)
    const key = cacheKey(order.route, target)
    const mark = variantKey(key, variant)
    const now = this.#context.clock()
    const known = this.#known.get(mark)
    if (known === undefined) {
      this.#take(mark, target, undefined, { facts, movedAt: now, restartedAt: undefined })
      return TAKE
    }
    const progress = progressOf(known, facts, now)
    switch (progress) {
      case 'newer':
        this.#take(mark, target, known, { ...known, facts, movedAt: now })
        return TAKE
      case 'restarted':
        this.#known.set(mark, this.#runs.restart(target, known, facts))
        return TAKE
      case 'same':
      case 'older': {
        const isLate = progress === 'older' || isStalled(known.facts, known.movedAt, now)
        const better = isLate
          ? await elsewhere(this.#context, order, response.from, known, progress)
          : undefined
        if (better !== undefined) return { kind: 'instead', response: better }
        const kept = progress === 'older' ? await this.#kept(order, key, known.facts, facts) : undefined
        return kept === undefined ? TAKE : { kind: 'keep', kept }
      }
    }
  }

  runOf(key: CacheKey): Instant | undefined {
    return this.#runs.of(key)
  }

  /** What another origin says where this one has nothing new for too long; undefined: nothing better. */
  async unmoved(order: Order, from: string): Promise<UpstreamResponse | undefined> {
    const key = cacheKey(order.route, withoutDirectives(order.request.target))
    const known = this.#known.get(variantKey(key, order.stored?.head.variant ?? {}))
    if (known === undefined || !isStalled(known.facts, known.movedAt, this.#context.clock())) return undefined
    return elsewhere(this.#context, order, from, known, 'same')
  }

  #take(mark: string, target: string, before: Known | undefined, known: Known): void {
    this.#known.set(mark, known)
    this.#runs.goOn(target, before, known)
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
    const { store, clock, manifests } = this.#context
    const stored = await store.get(key, order.request)
    if (stored?.head.status !== 200 || (await isBehind(manifests, stored, came))) return undefined
    const head = prolonged(stored, clock() + paceOf(facts) / 2)
    const kept = await store.refresh(head)
    return { stored: { head, body: stored.body }, kept }
  }
}

function prolonged({ head }: StoredResponse, until: Instant): StoredHead {
  const { freshness } = head
  if (freshness.mustValidate) return head
  const freshUntil = Math.max(freshness.freshUntil, until)
  const staleWhileRevalidateUntil = Math.max(freshness.staleWhileRevalidateUntil, freshUntil)
  const staleIfErrorUntil = Math.max(freshness.staleIfErrorUntil, freshUntil)
  return { ...head, freshness: { ...freshness, freshUntil, staleWhileRevalidateUntil, staleIfErrorUntil } }
}
