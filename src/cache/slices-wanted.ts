/** Which part of a large body an answer to a request is made of. */
import type { RequestHead } from '../rfc/heads.ts'
import { type ByteRange, selectRange } from '../rfc/range.ts'
import { precondition } from '../rfc/validation.ts'
import type { Sliced, StoredHead } from '../store/store.ts'
import { slicesWithin } from './slice.ts'

/** Undefined: none, for the answer has no body, or none of this. */
export function bytesWanted(head: StoredHead, sliced: Sliced, request: RequestHead): ByteRange | undefined {
  if (request.method === 'HEAD' || precondition(request, head) === 'not-modified') return undefined
  const range = selectRange(request, head, sliced.size)
  if (range === 'unsatisfiable') return undefined
  return range === 'whole' ? { first: 0, last: sliced.size - 1 } : range
}

/** The indices of the slices that have a byte of it, in order. */
export function slicesWanted(head: StoredHead, sliced: Sliced, request: RequestHead): Iterable<number> {
  const range = bytesWanted(head, sliced, request)
  return range === undefined ? [] : slicesWithin(sliced, range)
}
