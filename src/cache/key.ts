/** One key for all who mean the same: what changes the bytes is in it, what does not is left out. */
import type { Variant } from '../rfc/vary.ts'
import type { CacheKey } from '../store/store.ts'
import type { Route } from './routes.ts'

/** What players add to say something about themselves, never about the resource (CTA-5004; HLS appendix D). */
const ABOUT_THE_PLAYER: ReadonlySet<string> = new Set([
  'CMCD',
  '_HLS_primary_id',
  '_HLS_throughput',
  '_HLS_pathway',
  '_DASH_throughput',
  '_DASH_pathway',
])

/**
 * The address at the preferred origin, so that what lies on disk is never taken for another origin's: its path byte for
 * byte, and the query without the parameters that do not count, sorted by name (HLS section 6.3.2
 * asks clients to send them sorted, not all do). The order of parameters of one name is kept.
 */
export function cacheKey(route: Route, target: string): CacheKey {
  const question = target.indexOf('?')
  if (question < 0) return route.base + target.slice(route.prefix.length)
  const parameters = target
    .slice(question + 1)
    .split('&')
    .filter((parameter) => counts(parameter, route))
    .sort((one, other) => compare(nameOf(one), nameOf(other)))
  const path = route.base + target.slice(route.prefix.length, question)
  return parameters.length === 0 ? path : `${path}?${parameters.join('&')}`
}

/** Of one variant of what is stored under a key. No key contains a space, for no request target does. */
export function variantKey(key: CacheKey, variant: Variant): string {
  const chosen = Object.entries(variant)
  return chosen.length === 0 ? key : `${key} ${JSON.stringify(chosen.sort())}`
}

function counts(parameter: string, route: Route): boolean {
  const name = nameOf(parameter)
  return !ABOUT_THE_PLAYER.has(name) && !route.ignoreQuery.has(name)
}

function nameOf(parameter: string): string {
  const equals = parameter.indexOf('=')
  return equals < 0 ? parameter : parameter.slice(0, equals)
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
