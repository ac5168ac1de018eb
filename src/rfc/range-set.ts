/** Several ranges of one body: which of them are sent, and which sets are not worth obeying (RFC 9110 sections 14.2 and 17.15). */
import type { RequestHead, ResponseHead } from './heads.ts'
import { type ByteRange, type RangeSpec, resolveRange, wantedRanges } from './range.ts'

/** About what a part of a multipart body costs beside its bytes (RFC 9110 section 15.3.7.2). */
const PART_COST_BYTES = 80

/** More than these overlap in broken clients and in attacks only (RFC 9110 section 14.2). */
const MAX_OVERLAPPING = 2

/**
 * What a request wants of a stored response of `size` bytes: all of it, nothing that exists, or one to eight ranges in
 * the order they are to be sent. No byte lies in two of them, so no answer is larger than the whole and its part heads.
 */
export function selectRanges(
  request: RequestHead,
  stored: ResponseHead,
  size: number,
): 'whole' | 'unsatisfiable' | readonly ByteRange[] {
  const specs = wantedRanges(request, stored)
  if (specs === 'whole') return 'whole'
  // RFC 9110 section 14.1.2 calls this satisfiable, but no Content-Range can say "no bytes of 0".
  if (size === 0 && specs.some((spec) => 'suffix' in spec && spec.suffix > 0)) return 'whole'
  return resolveRanges(specs, size)
}

/** The ranges within a body of `size` bytes; those beyond it are left out. */
export function resolveRanges(
  specs: readonly RangeSpec[],
  size: number,
): 'whole' | 'unsatisfiable' | readonly ByteRange[] {
  const ranges: ByteRange[] = []
  for (const spec of specs) {
    const range = resolveRange(spec, size)
    if (range !== 'unsatisfiable') ranges.push(range)
  }
  if (ranges.length === 0) return 'unsatisfiable'
  if (ranges.length === 1) return ranges
  return overlapping(ranges) > MAX_OVERLAPPING ? 'whole' : joined(ranges)
}

/** How many of the ranges share a byte with another one. */
function overlapping(ranges: readonly ByteRange[]): number {
  return ranges.filter((one) =>
    ranges.some((other) => other !== one && other.first <= one.last && one.first <= other.last),
  ).length
}

/**
 * Ranges that overlap, or lie closer together than a part costs, as one; it stands where the first of them was asked
 * for (RFC 9110 section 15.3.7.2).
 */
function joined(ranges: readonly ByteRange[]): readonly ByteRange[] {
  const ascending = ranges
    .map((range, place) => ({ ...range, place }))
    .sort((one, other) => one.first - other.first)
  const groups: { first: number; last: number; place: number }[] = []
  for (const range of ascending) {
    const before = groups.at(-1)
    if (before === undefined || range.first - before.last > PART_COST_BYTES) {
      groups.push(range)
      continue
    }
    before.last = Math.max(before.last, range.last)
    before.place = Math.min(before.place, range.place)
  }
  return groups.sort((one, other) => one.place - other.place).map(({ first, last }) => ({ first, last }))
}
