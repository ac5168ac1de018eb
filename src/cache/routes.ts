/** Which route a request takes, and what is agreed on it. */
import type { Source } from '../upstream/source.ts'
import type { RouteOptions } from './options.ts'

export interface Route {
  /** Begins and ends with a slash. */
  readonly prefix: string
  /** The preferred origin's URL, with a slash at its end: what stored responses are known by, across restarts. */
  readonly base: string
  readonly cookies: RouteOptions['cookies']
  /** Absent: as `origin`. */
  readonly cors?: RouteOptions['cors']
  readonly requestDirectives: RouteOptions['requestDirectives']
  /** Query parameters that are no part of the cache key. */
  readonly ignoreQuery: ReadonlySet<string>
  readonly source: Source
  /**
   * Of a route for siblings: the one of viewers that it is the twin of. What a sibling asks for is answered from store
   * or by an origin, never by a sibling, and nothing is fetched ahead on its behalf. Absent: it is one of viewers.
   */
  readonly home?: Route
  /** How many siblings, one behind the other, may still be waited for; absent: as many as there are. */
  readonly mostHops?: number
}

export class RouteTable {
  readonly #longestFirst: readonly Route[]

  constructor(routes: readonly Route[]) {
    this.#longestFirst = routes.toSorted((one, other) => other.prefix.length - one.prefix.length)
  }

  /** The route with the longest prefix of the path; undefined when there is none. */
  match(target: string): Route | undefined {
    for (const route of this.#longestFirst) if (target.startsWith(route.prefix)) return route
    return undefined
  }
}
