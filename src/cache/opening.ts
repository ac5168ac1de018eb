/** How a fill begins with what may be large: with one aligned slice of it, and what the origin says to that. */
import { isManifest, kindOf } from '../media/kind.ts'
import { omitFields } from '../rfc/connection.ts'
import { entityTagOf, strongMatch } from '../rfc/entity-tag.ts'
import { type Fields, fieldValue, type RequestHead } from '../rfc/heads.ts'
import { type ByteRange, parseContentRange, parseRange } from '../rfc/range.ts'
import { isLastModifiedStrong } from '../rfc/validation.ts'
import type { Sliced } from '../store/store.ts'
import type { UpstreamResponse } from '../upstream/source.ts'
import type { FillContext, Order } from './journey.ts'
import { indexOfSlice, lengthOf, rangeOfSlice } from './slice.ts'

/** A position beyond this is no position in any file, and says nothing about where to begin. */
const FARTHEST = 2 ** 50

const OF_PART: ReadonlySet<string> = new Set(['content-range'])
/** What a part says of its own content is untrue of the whole (RFC 9530 section 2; RFC 1864). */
const OF_SLICE: ReadonlySet<string> = new Set([...OF_PART, 'content-digest', 'content-md5'])

/**
 * The slice to ask for first: the one with the first byte that the viewer wants. Undefined: the whole is asked for, for
 * it is no large body by its name and no part of it was asked for, or it is a live one that may still grow.
 */
export function openingRange(context: FillContext, { key, request, stored }: Order): ByteRange | undefined {
  const known = stored?.head.sliced
  if (stored !== undefined && known === undefined) return undefined
  if (context.slices.isToBeWhole(key)) return undefined
  const kind = kindOf(request.target)
  if (isManifest(kind) || kind === 'key' || kind === 'steering') return undefined
  if (context.streams.timingOf(request.target)?.live === true) return undefined
  const wanted = firstWanted(request, known)
  if (wanted === undefined && known === undefined && kind !== 'progressive') return undefined
  const sliceBytes = known?.sliceBytes ?? context.slicing.bytes
  const size = known?.size ?? Number.MAX_SAFE_INTEGER
  return rangeOfSlice({ size, sliceBytes }, indexOfSlice({ sliceBytes }, wanted ?? 0))
}

/** Where the viewer wants to begin; undefined: nothing but the whole was asked for. */
function firstWanted({ fields }: RequestHead, known: Sliced | undefined): number | undefined {
  const { range } = fields
  const [spec] = (typeof range === 'string' ? parseRange(range) : undefined) ?? []
  if (spec === undefined) return undefined
  // How far back from the end that is, only the first slice will tell.
  const first = 'first' in spec ? spec.first : known === undefined ? 0 : Math.max(0, known.size - spec.suffix)
  return first > Math.min(FARTHEST, (known?.size ?? FARTHEST) - 1) ? 0 : first
}

/** The same request for these bytes alone; with `validator` only if they still belong to what it names (RFC 9110 section 13.1.5). */
export function ranged(request: RequestHead, { first, last }: ByteRange, validator?: string): RequestHead {
  const condition = validator === undefined ? {} : { 'if-range': validator }
  return { ...request, fields: { ...request.fields, range: `bytes=${first}-${last}`, ...condition } }
}

/** What a 206 brought. `unusable`: not the bytes asked for, or of a body whose length it does not tell. */
export type Opened =
  | { readonly kind: 'whole'; readonly response: UpstreamResponse }
  | { readonly kind: 'slice'; readonly response: UpstreamResponse; readonly size: number }
  | { readonly kind: 'unusable' }

/**
 * Reads the answer to a request for `asked` as what it says of the whole: the head becomes that of a 200 with the whole
 * length (RFC 9110 section 15.3.7.3), the body stays the part.
 */
export function opened(response: UpstreamResponse, asked: ByteRange): Opened {
  const came = parseContentRange(fieldValue(response.head.fields, 'content-range'))
  if (came?.range === undefined || came.size === undefined) return { kind: 'unusable' }
  const { range, size } = came
  if (range.first !== asked.first || range.last !== Math.min(asked.last, size - 1))
    return { kind: 'unusable' }
  const isWhole = lengthOf(range) === size
  const about = omitFields(response.head.fields, isWhole ? OF_PART : OF_SLICE)
  const fields = { ...about, 'content-length': String(size) }
  const whole = {
    ...response,
    head: { ...response.head, status: 200, fields },
    body: exactly(response.body, lengthOf(range)),
  }
  return isWhole ? { kind: 'whole', response: whole } : { kind: 'slice', response: whole, size }
}

/** The validator that binds slices to each other; undefined when there is none that is strong (RFC 9110 section 8.8.1). */
export function bindingValidator(fields: Fields): string | undefined {
  const tag = entityTagOf(fields)
  if (tag !== undefined) return strongMatch(tag, tag) ? tag : undefined
  return isLastModifiedStrong(fields) ? fieldValue(fields, 'last-modified') : undefined
}

/** The first `bytes` of a body. Throws when there are fewer; what is beyond them is cancelled. */
export async function* exactly(body: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes
  for await (const chunk of body) {
    yield chunk.byteLength <= left ? chunk : chunk.subarray(0, left)
    left -= chunk.byteLength
    if (left <= 0) return
  }
  if (left > 0) throw new Error(`the body ended ${left} bytes before the end that its head had told`)
}
