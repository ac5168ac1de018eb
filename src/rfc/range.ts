/** Ranges of bytes: which one a viewer wants, and how it is written (RFC 9110 section 14). */
import { entityTagOf, strongMatch } from './entity-tag.ts'
import { isWhiteSpace } from './grammar.ts'
import type { Fields, RequestHead, ResponseHead } from './heads.ts'
import { isLastModifiedStrong } from './validation.ts'

/** Both ends inclusive, 0 <= first <= last <= 2^53-1. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** A range as it was asked for: from `first` to `last` or the end, or the last `suffix` bytes. */
export type RangeSpec =
  | { readonly first: number; readonly last: number | undefined }
  | { readonly suffix: number }

/** A request with more ranges than this is answered as if it had none (RFC 9110 section 14.2: a server may). */
export const MAX_RANGES = 8

/**
 * As a last position it means "to the end, whenever that comes" (RFC 8673 section 2): who asks for it reads along with
 * a body that still grows.
 */
export const VERY_LARGE = Number.MAX_SAFE_INTEGER

const UNIT = 'bytes='

/**
 * The ranges of a Range field in the order they came, at least one. Undefined: another unit, malformed, or too many;
 * the field is then ignored. Numbers beyond 2^53-1 become 2^53-1 (RFC 8673 asks for that very one).
 */
export function parseRange(value: string): readonly RangeSpec[] | undefined {
  if (value.slice(0, UNIT.length).toLowerCase() !== UNIT) return undefined
  const specs: RangeSpec[] = []
  let start = UNIT.length
  while (start <= value.length) {
    let end = value.indexOf(',', start)
    if (end === -1) end = value.length
    let from = start
    let to = end
    while (from < to && isWhiteSpace(value[from])) from++
    while (to > from && isWhiteSpace(value[to - 1])) to--
    if (to > from) {
      const spec = parseSpec(value, from, to)
      if (spec === undefined || specs.length === MAX_RANGES) return undefined
      specs.push(spec)
    }
    start = end + 1
  }
  return specs.length === 0 ? undefined : specs
}

/** The range within a body of `size` bytes. */
export function resolveRange(spec: RangeSpec, size: number): ByteRange | 'unsatisfiable' {
  if ('suffix' in spec) {
    if (spec.suffix === 0 || size === 0) return 'unsatisfiable'
    return { first: Math.max(0, size - spec.suffix), last: size - 1 }
  }
  if (spec.first >= size) return 'unsatisfiable'
  return { first: spec.first, last: Math.min(spec.last ?? size - 1, size - 1) }
}

/** What a request wants of a stored response whose size may not be known yet: all of it, or one to eight ranges. */
export function wantedRanges(request: RequestHead, stored: ResponseHead): 'whole' | readonly RangeSpec[] {
  const { range } = request.fields
  // RFC 9110 section 14.2: Range is defined for GET only, and for what would be a 200.
  if (typeof range !== 'string' || request.method !== 'GET' || stored.status !== 200) return 'whole'
  if (!isIfRangeTrue(request.fields['if-range'], stored.fields)) return 'whole'
  return parseRange(range) ?? 'whole'
}

/** The value for a 206, or for one part of it. `size` is undefined while the body grows. For a 416 see `unsatisfiedContentRange`. */
export function formatContentRange(range: ByteRange, size: number | undefined): string {
  return `bytes ${range.first}-${range.last}/${size ?? '*'}`
}

/** The value for a 416 (RFC 9110 section 15.5.17). */
export function unsatisfiedContentRange(size: number): string {
  return `bytes */${size}`
}

/**
 * What a Content-Range says; `range` is undefined in that of a 416, `size` where it is unknown. Undefined: absent,
 * another unit, malformed, contradictory or beyond 2^53-1, so that nothing may be concluded from it.
 */
export function parseContentRange(
  value: string | undefined,
): { range: ByteRange | undefined; size: number | undefined } | undefined {
  // The longest has three numbers of 16 digits.
  if (value === undefined || value.length > 64) return undefined
  const match = /^bytes (?:(\d+)-(\d+)|\*)\/(?:(\d+)|\*)$/i.exec(value)
  if (match === null) return undefined
  const size = match[3] === undefined ? undefined : Number(match[3])
  if (size !== undefined && !Number.isSafeInteger(size)) return undefined
  if (match[1] === undefined) return size === undefined ? undefined : { range: undefined, size }
  const range = { first: Number(match[1]), last: Number(match[2]) }
  if (!Number.isSafeInteger(range.last) || range.first > range.last) return undefined
  return size !== undefined && range.last >= size ? undefined : { range, size }
}

/** RFC 9110 section 13.1.5; without the field there is nothing to be false. */
function isIfRangeTrue(value: Fields[string], stored: Fields): boolean {
  if (value === undefined) return true
  if (typeof value !== 'string') return false
  if (value.startsWith('"') || value.startsWith('W/')) {
    const tag = entityTagOf(stored)
    return tag !== undefined && strongMatch(tag, value)
  }
  return value === stored['last-modified'] && isLastModifiedStrong(stored)
}

function parseSpec(value: string, from: number, to: number): RangeSpec | undefined {
  const dash = value.indexOf('-', from)
  if (dash === -1 || dash >= to) return undefined
  const last = dash + 1 === to ? undefined : clampedInteger(value, dash + 1, to)
  if (last === 'malformed') return undefined
  if (dash === from) return last === undefined ? undefined : { suffix: last }
  const first = clampedInteger(value, from, dash)
  if (first === 'malformed' || (last !== undefined && last < first)) return undefined
  return { first, last }
}

/** The number that the digits from `from` to `to` write, at most 2^53-1. */
function clampedInteger(value: string, from: number, to: number): number | 'malformed' {
  let result = 0
  for (let index = from; index < to; index++) {
    const digit = value.charCodeAt(index) - 48
    if (digit < 0 || digit > 9) return 'malformed'
    result = Math.min(result * 10 + digit, VERY_LARGE)
  }
  return result
}
