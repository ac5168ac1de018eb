/** Documents that nobody knows by name or type, but that a manifest has told of: steering manifests and asset lists. */
import { LRUCache } from 'lru-cache'
import type { ManifestFacts } from '../media/facts.ts'
import { placeOf } from '../media/place.ts'
import { type News, pathOf, type Streams } from './streams.ts'

const MAX_NAMED = 10_000

type Named = 'steering' | 'asset-list'

export class NamedDocuments {
  /** By path: players add to the query what they are and where they play. */
  readonly #kinds = new LRUCache<string, Named>({ max: MAX_NAMED })

  constructor(streams: Streams) {
    streams.onNews(({ stream }) => this.#learn(stream))
  }

  /** As what a manifest has named it; undefined: as neither. */
  of(target: string): Named | undefined {
    return this.#kinds.get(pathOf(target))
  }

  #learn({ manifest, facts }: News['stream']): void {
    for (const [kind, address] of namedIn(facts)) {
      const place = placeOf(manifest, address)
      if (place?.kind === 'here') this.#kinds.set(pathOf(place.target), kind)
    }
  }
}

/** By the addresses that stand there. */
export function namedIn(facts: ManifestFacts): readonly (readonly [Named, string])[] {
  switch (facts.role) {
    case 'multivariant':
    case 'presentation':
      return facts.steering === undefined ? [] : [['steering', facts.steering]]
    case 'media':
      return facts.assetLists.map((address) => ['asset-list', address] as const)
    case 'patch':
      return []
  }
}
