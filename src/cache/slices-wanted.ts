/** Which part of a large body an answer to a request is made of. */
import type { RequestHead } from '../rfc/heads.ts'
import type { ByteRange } from '../rfc/range.ts'
import { selectRanges } from '../rfc/range-set.ts'
import { precondition } from '../rfc/validation.ts'
import type { Sliced, StoredHead } from '../store/store.ts'
import { slicesWithin } from './slice.ts'

/** In the order they are sent; none where the answer has no body, or none of this. */
export function rangesWanted(head: StoredHead, sliced: Sliced, request: RequestHead): readonly ByteRange[] {
  if (request.method === 'HEAD' || precondition(request, head) === 'not-modified') return []
  const selected = selectRanges(request, head, sliced.size)
  if (selected === 'unsatisfiable') return []
  return selected === 'whole' ? [{ first: 0, last: sliced.size - 1 }] : selected
}

/** The indices of the slices that have a byte of them, in the order they are sent. */
export function* slicesWanted(head: StoredHead, sliced: Sliced, request: RequestHead): Generator<number> {
  for (const range of rangesWanted(head, sliced, request)) yield* slicesWithin(sliced, range)
}
