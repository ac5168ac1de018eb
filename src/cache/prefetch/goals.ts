/** What has to be fetched so that a file, or a range of one, is here: the whole, or the slices that the range lies in. */

import type { RequestHead } from '../../rfc/heads.ts'
import { parseRange, type RangeSpec, resolveRange } from '../../rfc/range.ts'
import type { Store } from '../../store/store.ts'
import { cacheKey } from '../key.ts'
import type { Route } from '../routes.ts'
import { sliceKey, slicesWithin } from '../slice.ts'
import type { Errand } from './errands.ts'

/** Of one range; a range that is longer is read from its beginning on, and the slices after that are expected then. */
const MAX_SLICES = 8

export type Goal = Pick<Errand, 'route' | 'key' | 'request' | 'slice'>

/**
 * Goals that are not stored yet. Of a range they are slices, where what is stored of its file lies in slices; where
 * nothing is, `mayBegin` says whether the file is begun with the slice that the range begins in.
 */
export function goalsOf(
  store: Store,
  route: Route,
  request: RequestHead,
  range: RangeSpec | undefined,
  mayBegin: boolean,
): readonly Goal[] {
  const key = cacheKey(route, request.target)
  if (range === undefined) return store.has(key) ? [] : [{ route, key, request }]
  if (!store.has(key)) {
    const fields = { ...request.fields, range: `bytes=${written(range)}` }
    return mayBegin ? [{ route, key, request: { ...request, fields } }] : []
  }
  const head = store.peek(key, request)?.head
  const sliced = head?.sliced
  if (head === undefined || sliced === undefined) return []
  const resolved = resolveRange(range, sliced.size)
  if (resolved === 'unsatisfiable') return []
  const goals: Goal[] = []
  for (const index of slicesWithin(sliced, resolved)) {
    if (goals.length === MAX_SLICES) break
    const slice = sliceKey(key, sliced, index)
    if (!store.has(slice)) goals.push({ route, key: slice, request, slice: { head, index } })
  }
  return goals
}

/** The one range from a first to a last byte that a request asks for; undefined: it asks for none, or for another kind. */
export function plainRange({
  fields,
}: RequestHead): { readonly first: number; readonly last: number } | undefined {
  const { range } = fields
  const [spec, ...others] = (typeof range === 'string' ? parseRange(range) : undefined) ?? []
  if (spec === undefined || others.length > 0 || !('first' in spec) || spec.last === undefined)
    return undefined
  return { first: spec.first, last: spec.last }
}

function written(range: RangeSpec): string {
  return 'first' in range ? `${range.first}-${range.last ?? ''}` : `-${range.suffix}`
}
