/** What follows from a new version for the things that it lists, that it lists no more, and that the run before listed. */
import { LRUCache } from 'lru-cache'
import type { ManifestFacts } from '../media/facts.ts'
import type { Instant } from '../rfc/heads.ts'
import type { CacheKey } from '../store/store.ts'
import { inTurns } from './in-turns.ts'
import type { CacheContext } from './journey.ts'
import { cacheKey } from './key.ts'
import { leftTargets, listedTargets, newTargets } from './listed-targets.ts'
import type { Known } from './other-origins.ts'
import { pathOf } from './streams.ts'

const MAX_STREAMS = 10_000
const MAX_LEFT = 512
/** What viewers are about to ask for was listed just now. */
const MAX_KEYS = 20_000

/** What is forgotten of one thing in a stream, stored or on its way. */
export interface Oblivion {
  /** What was asked for before `at`. */
  before(key: CacheKey, at: Instant): void
  /** That it is missing. */
  missing(key: CacheKey): void
}

export class Runs {
  readonly #context: CacheContext
  readonly #oblivion: Oblivion
  readonly #restartedAt = new LRUCache<string, Instant>({ max: MAX_STREAMS })
  /** By key: when the run began that lists it, where that is not the first one. */
  readonly #begun = new LRUCache<CacheKey, Instant>({ max: MAX_KEYS })

  constructor(context: CacheContext, oblivion: Oblivion) {
    this.#context = context
    this.#oblivion = oblivion
  }

  /** Since when a new run lists it; undefined: none does. */
  of(key: CacheKey): Instant | undefined {
    return this.#begun.get(key)
  }

  /** `before`: the version of the same run; undefined: there is none. */
  goOn(target: string, before: Known | undefined, known: Known): void {
    const { clock, store } = this.#context
    for (const one of newTargets(before?.facts, known.facts, target, clock())) this.#listed(one, known)
    if (before === undefined) return
    let left = 0
    for (const one of leftTargets(before.facts, known.facts, target)) {
      const key = this.#keyOf(one)
      if (key !== undefined) store.demote(key)
      if (++left >= MAX_LEFT) break
    }
  }

  /** What the run before listed is void, and so is what has the name of something in this one. Answers what is known from now on. */
  restart(target: string, before: Known, facts: ManifestFacts): Known {
    const { streams, clock } = this.#context
    const now = clock()
    const told = this.#restartedAt.get(pathOf(target))
    // Of one playlist under many queries (tokens) each is told of the same new run once.
    const isTold = told !== undefined && before.movedAt < told
    const known = { facts, movedAt: now, restartedAt: isTold ? told : now }
    if (!isTold) {
      streams.restart(target)
      this.#restartedAt.set(pathOf(target), now)
      void this.#drop(target, before.facts, now)
    }
    void inTurns(listedTargets(facts, target, now), (one) => this.#listed(one, known))
    this.goOn(target, undefined, known)
    return known
  }

  /** It is there now, whatever was said before; and of this run. */
  #listed(target: string, { restartedAt }: Known): void {
    const key = this.#keyOf(target)
    if (key === undefined) return
    this.#oblivion.missing(key)
    if (restartedAt === undefined) return
    this.#begun.set(key, restartedAt)
    this.#oblivion.before(key, restartedAt)
  }

  /** What the run before listed. By its turn the new run may have brought something of the same name. */
  async #drop(target: string, facts: ManifestFacts, restartedAt: Instant): Promise<void> {
    await inTurns(listedTargets(facts, target, restartedAt), (one) => {
      const key = this.#keyOf(one)
      if (key !== undefined) this.#oblivion.before(key, restartedAt)
    })
  }

  /** By the route that viewers reach it by, whatever route the manifest came by; undefined: by none. */
  #keyOf(target: string): CacheKey | undefined {
    const route = this.#context.routeOf(target)
    return route === undefined ? undefined : cacheKey(route, target)
  }
}
