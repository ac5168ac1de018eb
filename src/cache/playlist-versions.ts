/** What the stored versions of HLS playlists hold: so a request for a part is answered, or kept waiting, unread. */
import { LRUCache } from 'lru-cache'
import type { HlsMediaFacts } from '../media/facts.ts'
import { weightOf } from '../media/weight.ts'
import type { Instant, RequestHead } from '../rfc/heads.ts'
import { isSameVariant, matches, type Variant } from '../rfc/vary.ts'
import type { CacheKey, StoredHead } from '../store/store.ts'
import { dropCovered, type PurgeScope } from './purges/purge-scope.ts'

const MAX_PLAYLISTS = 10_000
const MAX_WEIGHT_BYTES = 64 * 1024 * 1024
/** A version that still lies in store is one of the last: the one before the newest, and those in another encoding. */
const VERSIONS = 3
/** Of a playlist that is another for each kind of player or language, as many are known at once. */
const MAX_VERSIONS = 8 * VERSIONS

export interface PlaylistVersion {
  readonly facts: HlsMediaFacts
  readonly readAt: Instant
  /** For whom it is. */
  readonly variant: Variant
}

/** Known by the key of the playlist without directives. */
export class PlaylistVersions {
  readonly #byKey = new LRUCache<CacheKey, readonly PlaylistVersion[]>({
    max: MAX_PLAYLISTS,
    maxSize: MAX_WEIGHT_BYTES,
    sizeCalculation: (versions) => versions.reduce((sum, { facts }) => sum + weightOf(facts), 1),
  })

  learn(key: CacheKey, version: PlaylistVersion): void {
    const others = (this.#byKey.get(key) ?? []).filter(
      ({ readAt, variant }) => readAt !== version.readAt || !isSameVariant(variant, version.variant),
    )
    const versions: PlaylistVersion[] = []
    for (const one of [version, ...others]) {
      const ofItsKind = versions.filter(({ variant }) => isSameVariant(variant, one.variant))
      if (ofItsKind.length < VERSIONS && versions.length < MAX_VERSIONS) versions.push(one)
    }
    this.#byKey.set(key, versions)
  }

  /** They speak of what was before a write. */
  forget(key: CacheKey): void {
    this.#byKey.delete(key)
  }

  /** None of it is true any more. */
  forgetCovered(scope: PurgeScope): void {
    dropCovered(this.#byKey, scope)
  }

  /** What came last of what this request selects; undefined: none is known. */
  newest(key: CacheKey, request: RequestHead): PlaylistVersion | undefined {
    return this.#byKey.get(key)?.find(({ variant }) => matches(variant, request))
  }

  /** The one that is stored under this head; undefined where it came too long ago. */
  of(key: CacheKey, { storedAt, variant }: StoredHead): PlaylistVersion | undefined {
    const versions = this.#byKey.get(key)
    return versions?.find((one) => one.readAt === storedAt && isSameVariant(one.variant, variant))
  }
}
