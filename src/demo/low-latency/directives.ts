/** What a playlist request asks for with delivery directives (RFC 8216bis section 6.2.5), and whether that can be. */
import type { Instant } from '../../rfc/heads.ts'
import {
  edgeAt,
  lastPart,
  PARTS_PER_SEGMENT,
  type PartPlace,
  partMadeAt,
  partsBetween,
} from './part-clock.ts'
import { PART_TARGET_SECONDS } from './playlist.ts'

export type Directives =
  | { readonly kind: 'playlist'; readonly madeAt: Instant | undefined; readonly wantsDelta: boolean }
  | { readonly kind: 'refused'; readonly message: string }

/** Section 6.2.5.2: how many parts beyond the last a viewer may ask for, where a part is shorter than a second. */
const ADVANCE_PARTS = 3 / PART_TARGET_SECONDS

/** Section 6.2.5.2: how far beyond the last complete segment. */
const ADVANCE_SEGMENTS = 2

/**
 * `madeAt` is the instant at which the playlist has what was asked for, and may be long past; undefined for a request
 * that may be answered with the playlist as it is. Refused is what the protocol wants to see refused with 400.
 */
export function readDirectives(query: string, madeUntil: Instant, segmentMs: number): Directives {
  const asked = new URLSearchParams(query)
  const [msn, part] = [asked.get('_HLS_msn'), asked.get('_HLS_part')]
  // "v2" is YES for a viewer that could do without skipped date ranges, of which there are none here.
  const wantsDelta = ['YES', 'v2'].includes(asked.get('_HLS_skip') ?? '')
  if (msn === null) {
    if (part === null) return { kind: 'playlist', madeAt: undefined, wantsDelta }
    return refused('_HLS_part is expected together with _HLS_msn, and came alone.')
  }
  for (const [name, value] of [
    ['_HLS_msn', msn],
    ['_HLS_part', part ?? '0'],
  ] as const) {
    if (!/^\d{1,20}$/.test(value))
      return refused(`${name} is expected to be an integer from 0; it is "${value}".`)
  }
  const edge = edgeAt(madeUntil, segmentMs)
  if (Number(msn) > edge.number - 1 + ADVANCE_SEGMENTS) {
    return refused(`_HLS_msn may be at most ${edge.number - 1 + ADVANCE_SEGMENTS} now; it is ${msn}.`)
  }
  if (part === null) {
    const last = { number: Number(msn), part: PARTS_PER_SEGMENT - 1 }
    return { kind: 'playlist', madeAt: partMadeAt(last, segmentMs), wantsDelta }
  }
  const place = placeAsked(Number(msn), Number(part))
  // Of a segment that is not complete nobody can know yet which part is the last, so the number counts as it came.
  const counted = Number(msn) < edge.number ? place : { number: Number(msn), part: Number(part) }
  if (partsBetween(lastPart(edge), counted) > ADVANCE_PARTS) {
    return refused(`_HLS_part ${part} of ${msn} is more than ${Math.floor(ADVANCE_PARTS)} parts ahead.`)
  }
  return { kind: 'playlist', madeAt: partMadeAt(place, segmentMs), wantsDelta }
}

/** Section 6.2.5.2: a part after the last of its segment means the first of the next. */
function placeAsked(number: number, part: number): PartPlace {
  return part < PARTS_PER_SEGMENT ? { number, part } : { number: number + 1, part: 0 }
}

function refused(message: string): Directives {
  return { kind: 'refused', message }
}
