/** What the stored versions of HLS playlists hold: so a request for a part is answered, or kept waiting, unread. */
import { LRUCache } from 'lru-cache'
import type { HlsMediaFacts } from '../media/facts.ts'
import { weightOf } from '../media/weight.ts'
import { dropCovered, type PurgeScope } from '../purge/purge-scope.ts'
import type { Instant } from '../rfc/heads.ts'
import type { CacheKey, StoredHead } from '../store/store.ts'

const MAX_PLAYLISTS = 10_000
const MAX_WEIGHT_BYTES = 64 * 1024 * 1024
/** A version that still lies in store is one of the last: the one before the newest, and those in another encoding. */
const VERSIONS = 3

export interface PlaylistVersion {
  readonly facts: HlsMediaFacts
  readonly readAt: Instant
}

/** Known by the key of the playlist without directives. */
export class PlaylistVersions {
  readonly #byKey = new LRUCache<CacheKey, readonly PlaylistVersion[]>({
    max: MAX_PLAYLISTS,
    maxSize: MAX_WEIGHT_BYTES,
    sizeCalculation: (versions) => versions.reduce((sum, { facts }) => sum + weightOf(facts), 1),
  })

  learn(key: CacheKey, version: PlaylistVersion): void {
    const others = (this.#byKey.get(key) ?? []).filter(({ readAt }) => readAt !== version.readAt)
    this.#byKey.set(key, [version, ...others].slice(0, VERSIONS))
  }

  /** What came last; undefined: none is known. */
  newest(key: CacheKey): PlaylistVersion | undefined {
    return this.#byKey.get(key)?.[0]
  }

  forget(scope: PurgeScope): void {
    dropCovered(this.#byKey, scope)
  }

  /** The one that is stored under this head; undefined where it came before this process began, or too long ago. */
  of(key: CacheKey, { storedAt }: StoredHead): PlaylistVersion | undefined {
    return this.#byKey.get(key)?.find(({ readAt }) => readAt === storedAt)
  }
}
