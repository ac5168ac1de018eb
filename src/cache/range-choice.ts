/** Which part of a stored response a request gets, also while the body still grows (RFC 9110 section 14). */
import { simpleList } from '../rfc/grammar.ts'
import { fieldValue, type RequestHead } from '../rfc/heads.ts'
import { type ByteRange, type RangeSpec, VERY_LARGE, wantedRanges } from '../rfc/range.ts'
import { resolveRanges, selectRanges } from '../rfc/range-set.ts'
import { GrowingBody, WINDOW_BYTES } from '../store/growing-body.ts'
import type { StoredHead, StoredResponse } from '../store/store.ts'

/** A viewer who asks for something so far ahead of a growing body is better served by the origin. */
const FAR_AHEAD_BYTES = 8 * 1024 * 1024

/** Wherever there is a `size`, it is undefined when nobody knows yet how large the whole will be. */
export type RangeChoice =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly range: ByteRange; readonly size: number | undefined }
  /** Two to eight that share no byte, in the order they are to be sent: as asked, or ascending while the body comes. */
  | { readonly kind: 'parts'; readonly ranges: readonly ByteRange[]; readonly size: number | undefined }
  /** From `first` to the end, whenever that comes: byte `first` is here, the size is not known (RFC 8673). */
  | { readonly kind: 'rest'; readonly first: number }
  | { readonly kind: 'unsatisfiable'; readonly size: number }

const WHOLE: RangeChoice = { kind: 'whole' }

/**
 * At once when the size is known. While it is not, ranges are answered when the bytes of all of them have come (RFC 9111
 * section 3.3 allows parts of an incomplete response), or when the body has ended and its size is known. Rejects with
 * what broke the body meanwhile, or with the signal's reason.
 */
export function chooseRange(
  stored: StoredResponse,
  request: RequestHead,
  signal: AbortSignal,
): RangeChoice | Promise<RangeChoice> {
  if (request.fields['range'] === undefined) return WHOLE
  const { size } = stored.body
  if (size === undefined) return chooseWhileGrowing(stored, request, signal)
  return chosen(stored, selectRanges(request, stored.head, size), size)
}

function chosen(
  { body }: StoredResponse,
  selected: 'whole' | 'unsatisfiable' | readonly ByteRange[],
  size: number | undefined,
): RangeChoice {
  if (selected === 'whole') return WHOLE
  // Nothing can lie beyond an end that is not known.
  if (selected === 'unsatisfiable') return size === undefined ? WHOLE : { kind: 'unsatisfiable', size }
  const [range, ...others] = selected
  if (range === undefined) return WHOLE
  if (others.length === 0) return { kind: 'part', range, size }
  // What still comes may be let go behind the viewer, so it is read from front to back.
  const isComing = body instanceof GrowingBody && body.chunks === undefined
  const ranges = isComing ? selected.toSorted((one, other) => one.first - other.first) : selected
  return { kind: 'parts', ranges, size }
}

async function chooseWhileGrowing(
  stored: StoredResponse,
  request: RequestHead,
  signal: AbortSignal,
): Promise<RangeChoice> {
  const { body, head } = stored
  const specs = wantedRanges(request, head)
  if (specs === 'whole' || !(body instanceof GrowingBody)) return WHOLE
  const [only, ...others] = specs
  const reader = only !== undefined && others.length === 0 && 'first' in only ? only : undefined
  // From the first byte to an end that nobody knows is the whole, and that is here already.
  if (reader?.first === 0 && reader.last === undefined) return WHOLE
  const readsAlong = reader?.last === VERY_LARGE
  const end = readsAlong ? reader.first + 1 : Math.max(...specs.map(endOf))
  const start = readsAlong ? reader.first : Math.min(...specs.map(startOf))
  // What is too wide to be held until its end has come may have to be answered with the whole.
  const waited = await body.reached(end, end - start > WINDOW_BYTES ? 0 : start, signal)
  // A server may ignore Range (RFC 9110 section 14.2).
  if (waited === 'let-go' && !readsAlong) return WHOLE
  if (body.size !== undefined) return chosen(stored, selectRanges(request, head, body.size), body.size)
  return readsAlong
    ? { kind: 'rest', first: reader.first }
    : chosen(stored, resolveRanges(specs, body.received), undefined)
}

/** The first byte that is sent; of a suffix it is not known, so that all must be held. */
function startOf(spec: RangeSpec): number {
  return 'suffix' in spec ? 0 : spec.first
}

/** How many bytes must have come before the range can be sent. */
function endOf(spec: RangeSpec): number {
  return 'suffix' in spec || spec.last === undefined ? VERY_LARGE : Math.min(spec.last, VERY_LARGE - 1) + 1
}

/**
 * Whether the viewer would have to wait for many bytes that it did not ask for. Where the origin does not say that it
 * can cut a range, it would send everything a second time: then waiting is the shorter way.
 */
export function isFarAhead({ body, head }: StoredResponse, request: RequestHead): boolean {
  if (!(body instanceof GrowingBody)) return false
  const specs = wantedRanges(request, head)
  if (specs === 'whole' || !cutsRanges(head)) return false
  const far = body.received + FAR_AHEAD_BYTES
  return specs.every((spec) => {
    const first = 'first' in spec ? spec.first : Math.max(0, (body.size ?? 0) - spec.suffix)
    return first > far
  })
}

/** RFC 9110 section 14.3. */
function cutsRanges({ fields }: StoredHead): boolean {
  return simpleList(fieldValue(fields, 'accept-ranges')?.toLowerCase()).includes('bytes')
}
