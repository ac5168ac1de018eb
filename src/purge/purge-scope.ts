/** What a purge covers, in the terms of one node: cache keys instead of the addresses that viewers ask for. */
import { type PurgeOrder, withoutReload } from './purge-rule.ts'

/** A route of this node: what viewers write before a path, and what stands for it in cache keys. */
export interface Territory {
  readonly prefix: string
  readonly base: string
}

/** Whatever one of these names is covered. */
export interface PurgeScope {
  readonly keys: ReadonlySet<string>
  readonly prefixes: readonly string[]
  readonly tags: ReadonlySet<string>
  readonly isAll: boolean
}

/** No request target has a space in it, so it ends the address in the key of a slice. */
const SLICE_MARK = ' '

/**
 * `keyOf` makes the keys of an address, one for each route that answers for it: none where no route does. Of a stream only
 * the manifests themselves are covered: what they list has to be looked up.
 */
export function scopeOf(
  { kind, values }: PurgeOrder,
  territories: readonly Territory[],
  keyOf: (target: string) => string | undefined,
): PurgeScope {
  switch (kind) {
    case 'url':
    case 'stream': {
      const keys = values.map((value) => keyOf(withoutReload(value))).filter((key) => key !== undefined)
      return { ...NOTHING, keys: new Set(keys) }
    }
    case 'prefix':
      return { ...NOTHING, prefixes: values.flatMap((value) => keyPrefixes(value, territories)) }
    case 'route': {
      const named = territories.filter(({ prefix }) => values.includes(prefix))
      return { ...NOTHING, prefixes: named.map(({ base }) => base) }
    }
    case 'tag':
      return { ...NOTHING, tags: new Set(values) }
    case 'all':
      return { ...NOTHING, isAll: true }
  }
}

/** `tags` are those of what is stored under the key; none where that is not known yet. */
export function covers(scope: PurgeScope, key: string, tags: readonly string[]): boolean {
  if (scope.isAll) return true
  if (scope.keys.size > 0 && scope.keys.has(addressOf(key))) return true
  if (scope.tags.size > 0 && tags.some((tag) => scope.tags.has(tag))) return true
  return scope.prefixes.some((prefix) => key.startsWith(prefix))
}

/** Whether more than single addresses are covered. */
export function isWide({ prefixes, tags, isAll }: PurgeScope): boolean {
  return isAll || prefixes.length > 0 || tags.size > 0
}

/** Drops what is kept under keys that are covered. */
export function dropCovered(
  kept: { keys(): Iterable<string>; delete(key: string): unknown },
  scope: PurgeScope,
): void {
  for (const key of scope.keys) kept.delete(key)
  if (!isWide(scope)) return
  for (const key of [...kept.keys()]) if (covers(scope, key, [])) kept.delete(key)
}

/** The key of the whole that this is the key of: of a slice the body's, of a blocking reload the playlist's. */
export function addressOf(key: string): string {
  const end = key.indexOf(SLICE_MARK)
  return withoutReload(end < 0 ? key : key.slice(0, end))
}

const NOTHING: PurgeScope = { keys: new Set(), prefixes: [], tags: new Set(), isAll: false }

/** A prefix may end within a route's own, and then all of that route is meant. */
function keyPrefixes(value: string, territories: readonly Territory[]): string[] {
  return territories.flatMap(({ prefix, base }) => {
    if (value.startsWith(prefix)) return [base + value.slice(prefix.length)]
    return prefix.startsWith(value) ? [base] : []
  })
}
