/** Which part of a stored response a request gets, also while the body still grows (RFC 9110 section 14). */
import type { RequestHead } from '../rfc/heads.ts'
import { type ByteRange, resolveRange, selectRange, wantedRange } from '../rfc/range.ts'
import { GrowingBody } from '../store/growing-body.ts'
import type { StoredResponse } from '../store/store.ts'

/** A viewer who asks for something so far ahead of a growing body is better served by the origin. */
const FAR_AHEAD_BYTES = 8 * 1024 * 1024

export type RangeChoice =
  | { readonly kind: 'whole' }
  /** `size` is undefined when nobody knows yet how large the whole will be. */
  | { readonly kind: 'part'; readonly range: ByteRange; readonly size: number | undefined }
  | { readonly kind: 'unsatisfiable'; readonly size: number }

const WHOLE: RangeChoice = { kind: 'whole' }

/**
 * At once when the size is known. While it is not, a range is answered when its bytes have come (RFC 9111 section 3.3
 * allows parts of an incomplete response), or when the body has ended and its size is known.
 */
export function chooseRange(
  stored: StoredResponse,
  request: RequestHead,
  signal: AbortSignal,
): RangeChoice | Promise<RangeChoice> {
  if (request.fields['range'] === undefined) return WHOLE
  const { size } = stored.body
  return size === undefined ? chooseWhileGrowing(stored, request, signal) : choose(stored, request, size)
}

function choose(stored: StoredResponse, request: RequestHead, size: number): RangeChoice {
  const selected = selectRange(request, stored.head, size)
  if (selected === 'whole') return WHOLE
  return selected === 'unsatisfiable'
    ? { kind: 'unsatisfiable', size }
    : { kind: 'part', range: selected, size }
}

async function chooseWhileGrowing(
  stored: StoredResponse,
  request: RequestHead,
  signal: AbortSignal,
): Promise<RangeChoice> {
  const { body, head } = stored
  const wanted = wantedRange(request, head)
  if (wanted === 'whole' || !(body instanceof GrowingBody)) return WHOLE
  const last = 'first' in wanted ? wanted.last : undefined
  // From the first byte to an end that nobody knows is the whole, and that is here already.
  if ('first' in wanted && wanted.first === 0 && last === undefined) return WHOLE
  await body.reached(last === undefined ? Number.MAX_SAFE_INTEGER : last + 1, signal)
  if (body.size !== undefined) return choose(stored, request, body.size)
  const range = resolveRange(wanted, body.received)
  return range === 'unsatisfiable' ? WHOLE : { kind: 'part', range, size: undefined }
}

/** Whether the viewer would have to wait for many bytes that it did not ask for. */
export function isFarAhead(stored: StoredResponse, request: RequestHead): boolean {
  const { body, head } = stored
  if (!(body instanceof GrowingBody)) return false
  const wanted = wantedRange(request, head)
  if (wanted === 'whole') return false
  const first = 'first' in wanted ? wanted.first : Math.max(0, (body.size ?? 0) - wanted.suffix)
  return first > body.received + FAR_AHEAD_BYTES
}
