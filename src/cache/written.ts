/** What a write has made untrue: its target, and what its response names of the same origin (RFC 9111 section 4.4). */
import { fieldLines, type ResponseHead } from '../rfc/heads.ts'
import type { CacheKey } from '../store/store.ts'
import { cacheKey } from './key.ts'
import type { Route } from './routes.ts'

/** A response that names more than one of each is not to be believed. */
const NAMING = ['location', 'content-location'] as const

/**
 * The keys to invalidate when an unsafe request for `target` was answered; none when it failed. `routes` are all of the
 * house: what a response names may be reached by another route than the write took.
 */
export function writtenKeys(
  routes: readonly Route[],
  route: Route,
  target: string,
  { status, fields }: ResponseHead,
): readonly CacheKey[] {
  if (status < 200 || status > 399) return []
  const keys = new Set([cacheKey(route, target)])
  const written = URL.parse(route.base + target.slice(route.prefix.length))
  for (const name of NAMING) {
    const [named, ...more] = fieldLines(fields, name)
    if (named === undefined || more.length > 0 || written === null) continue
    const url = URL.parse(named, written.href)
    // A response may not make untrue what another origin said.
    if (url === null || url.origin !== written.origin) continue
    for (const one of routes) {
      const below = targetOf(one, url)
      if (below !== undefined) keys.add(cacheKey(one, below))
    }
  }
  return [...keys]
}

/** How viewers ask for an origin's address by this route; undefined: not at all. */
function targetOf(route: Route, url: URL): string | undefined {
  const base = URL.parse(route.base)
  if (base === null || base.origin !== url.origin || !url.pathname.startsWith(base.pathname)) return undefined
  return route.prefix + url.pathname.slice(base.pathname.length) + url.search
}
