/** Which part of a large body an answer to a request is made of. */
import type { RequestHead } from '../rfc/heads.ts'
import type { ByteRange } from '../rfc/range.ts'
import { selectRanges } from '../rfc/range-set.ts'
import { precondition } from '../rfc/validation.ts'
import type { Sliced, Store, StoredHead } from '../store/store.ts'
import { sliceKey, slicesWithin } from './slice.ts'

/** In the order they are sent; none where the answer has no body, or none of this. */
export function rangesWanted(head: StoredHead, sliced: Sliced, request: RequestHead): readonly ByteRange[] {
  if (request.method === 'HEAD' || precondition(request, head) === 'not-modified') return []
  const selected = selectRanges(request, head, sliced.size)
  if (selected === 'unsatisfiable') return []
  return selected === 'whole' ? [{ first: 0, last: sliced.size - 1 }] : selected
}

/** The first slice that the request wants and that is not stored; undefined: all that it wants is. */
export function firstMissing(
  store: Store,
  head: StoredHead,
  sliced: Sliced,
  request: RequestHead,
): { readonly index: number; readonly isFirst: boolean } | undefined {
  let isFirst = true
  for (const range of rangesWanted(head, sliced, request)) {
    for (const index of slicesWithin(sliced, range)) {
      if (!store.has(sliceKey(head.key, sliced, index))) return { index, isFirst }
      isFirst = false
    }
  }
  return undefined
}
