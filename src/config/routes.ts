/** What of routes no schema can say: that they differ from each other, and how prefix and origin fit together. */
import type { AddressOptions, RouteOptions } from '../cache/options.ts'
import { FORMATS } from './formats.ts'
import { type Problem, shown } from './problem.ts'
import { isObject } from './settle.ts'

/** Looks at routes as they were written, of which some may be wrong in other ways. */
export function problemsOfRoutes(routes: unknown): Problem[] {
  const list = Array.isArray(routes) ? routes.filter(isObject) : []
  return [
    ...repeated(
      list.map(({ prefix }) => asPrefix(prefix)),
      (index) => `routes[${index}].prefix`,
      'a prefix that no other route has',
    ),
    ...list.flatMap(({ origins }, route) =>
      repeated(
        Array.isArray(origins) ? origins.map(asOrigin) : [],
        (index) => `routes[${route}].origins[${index}]`,
        'each origin once',
      ),
    ),
  ]
}

/** Aliases that lead nowhere: no route answers for their path. */
export function problemsOfAliases(addresses: unknown, routes: unknown): Problem[] {
  const aliases =
    isObject(addresses) && Array.isArray(addresses.aliases) ? addresses.aliases.filter(isObject) : []
  const prefixes = (Array.isArray(routes) ? routes.filter(isObject) : []).map(({ prefix }) =>
    asPrefix(prefix),
  )
  return aliases.flatMap(({ path }, index) => {
    const wanted = asPrefix(path)
    const isAnswered = prefixes.some((prefix) => prefix !== undefined && wanted?.startsWith(prefix))
    return wanted === undefined || isAnswered || prefixes.length === 0
      ? []
      : [
          {
            path: `addresses.aliases[${index}].path`,
            expected: 'a path that a route answers for',
            came: shown(path),
          },
        ]
  })
}

/** The same route, with a slash at the end of its prefix and its origins, so that one can take the place of the other. */
export function settledRoute(route: RouteOptions): RouteOptions {
  const origins = route.origins.map((origin) => asOrigin(origin) ?? origin)
  return { ...route, prefix: asPrefix(route.prefix) ?? route.prefix, origins }
}

/** A problem for each value that stands in the list before; undefined is none. */
export function repeated(
  values: readonly (string | undefined)[],
  pathOf: (index: number) => string,
  expected: string,
): Problem[] {
  return values.flatMap((value, index) =>
    value !== undefined && values.indexOf(value) < index
      ? [{ path: pathOf(index), expected, came: `${shown(value)} again` }]
      : [],
  )
}

/** Undefined: it is none, which the schema has said. */
function asPrefix(value: unknown): string | undefined {
  if (typeof value !== 'string' || FORMATS['path-prefix']?.matches(value) !== true) return undefined
  return value.endsWith('/') ? value : `${value}/`
}

/** Both with a slash at the end. */
export function settledAlias({ url, path }: Alias): Alias {
  return { url: asOrigin(url) ?? url, path: asPrefix(path) ?? path }
}

type Alias = AddressOptions['aliases'][number]

function asOrigin(value: unknown): string | undefined {
  if (typeof value !== 'string' || FORMATS['origin-url']?.matches(value) !== true) return undefined
  const { href } = new URL(value)
  return href.endsWith('/') ? href : `${href}/`
}
