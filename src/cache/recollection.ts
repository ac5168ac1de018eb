/** Manifests that were stored before this process began are read when they are first met: what viewers have seen still holds. */
import { LRUCache } from 'lru-cache'
import type { Instant, RequestHead } from '../rfc/heads.ts'
import type { CacheKey, StoredResponse } from '../store/store.ts'
import type { FencedContext } from './journey.ts'
import { variantKey } from './key.ts'
import type { LiveGuard } from './live-guard.ts'
import type { Route } from './routes.ts'
import { factsOf, manifestKind } from './stored-manifest.ts'

/** As many as are known (live-guard.ts). */
const MAX_READ = 10_000

export class Recollection {
  readonly #context: Pick<FencedContext, 'store' | 'streams' | 'manifests' | 'fence'>
  readonly #guard: LiveGuard
  /** When those were stored that have been read, so that none is read twice, though nothing could be learned from it. */
  readonly #readOf = new LRUCache<string, Instant>({ max: MAX_READ })
  readonly #reading = new Map<string, Promise<void>>()

  constructor(context: Pick<FencedContext, 'store' | 'streams' | 'manifests' | 'fence'>, guard: LiveGuard) {
    this.#context = context
    this.#guard = guard
  }

  /** As the store's own `get`; what a manifest says is known to all who ask for it from then on. */
  async get(route: Route, key: CacheKey, request: RequestHead): Promise<StoredResponse | undefined> {
    const { store } = this.#context
    const found = await store.get(key, request)
    if (found === undefined || manifestKind(found.head.kind) === undefined) return found
    const mark = variantKey(key, found.head.variant)
    const reading = this.#reading.get(mark) ?? this.#begin(mark, route, request.target, found)
    if (reading === undefined) return found
    await reading
    // Meanwhile it may have been renewed, or deleted by a write.
    return store.get(key, request)
  }

  /** Undefined: there is nothing to be learned from it. */
  #begin(mark: string, route: Route, target: string, stored: StoredResponse): Promise<void> | undefined {
    const { status, key, variant, storedAt } = stored.head
    if (status !== 200 || this.#guard.knows(key, variant) || this.#readOf.get(mark) === storedAt)
      return undefined
    this.#readOf.set(mark, storedAt)
    const reading = this.#read(route, target, stored).finally(() => this.#reading.delete(mark))
    this.#reading.set(mark, reading)
    return reading
  }

  /**
   * Schedule that must not hold what was purged against what comes:
   *   1. A playlist is found on disk, and a thread reads it.
   *   2. The playlist is purged, and forgotten by all who know it.
   *   3. It has been read, and nothing follows from it any more.
   * Until then it is on its way as a fill is, so that the purge is not done with.
   */
  async #read(route: Route, target: string, stored: StoredResponse): Promise<void> {
    const { manifests, fence } = this.#context
    const { key, variant, storedAt, askedAt = storedAt } = stored.head
    const mark = fence.depart()
    const facts = await factsOf(manifests, stored)
    const isGone = fence.isGone(stored.head)
    fence.arrive(mark)
    // A newer version may have come while this one was read.
    if (facts === undefined || isGone || this.#guard.knows(key, variant)) return
    this.#guard.recall(key, variant, facts, storedAt)
    const version = { readAt: storedAt, askedAt, variant, isRecalled: true }
    this.#context.streams.learn(route.home ?? route, target, facts, version)
  }
}
