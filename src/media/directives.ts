/** The delivery directives of HLS (_HLS_msn, _HLS_part, _HLS_skip): what is asked for, and whether it is here. */
import type { HlsMediaFacts } from './facts.ts'

/** A part of a segment, or with `part` undefined the whole of it. */
export interface Wanted {
  readonly sequence: number
  readonly part: number | undefined
}

export interface Directives {
  /** _HLS_msn and _HLS_part; undefined: the playlist as it is. */
  readonly wanted: Wanted | undefined
  readonly skip: 'YES' | 'v2' | undefined
}

/** `why` is a sentence for the 400. */
export interface BadDirectives {
  readonly bad: string
}

/** RFC 8216bis section 6.2.5.2: a viewer may ask for the second segment after the last. */
const SEGMENTS_AHEAD = 2

/** Of a request target; other parameters are nobody's business here. */
export function parseDirectives(target: string): Directives | BadDirectives {
  const question = target.indexOf('?')
  if (question === -1 || !target.includes('_HLS_', question)) return { wanted: undefined, skip: undefined }
  const query = new URLSearchParams(target.slice(question + 1))
  const sequence = naturalOf(query, '_HLS_msn')
  if (typeof sequence === 'object') return sequence
  const part = naturalOf(query, '_HLS_part')
  if (typeof part === 'object') return part
  if (part !== undefined && sequence === undefined) {
    return { bad: 'expected _HLS_msn beside _HLS_part, came _HLS_part alone' }
  }
  const [skip, again] = query.getAll('_HLS_skip')
  if (again !== undefined) return { bad: 'expected _HLS_skip once, came more than one' }
  if (skip !== undefined && skip !== 'YES' && skip !== 'v2') {
    return { bad: `expected YES or v2 as _HLS_skip, came ${JSON.stringify(skip.slice(0, 40))}` }
  }
  return { wanted: sequence === undefined ? undefined : { sequence, part }, skip }
}

export function isBadDirectives(read: Directives | BadDirectives): read is BadDirectives {
  return 'bad' in read
}

/** Whether a playlist with these facts may be given to who asks so; if not, they wait for a newer one. */
export function answers(facts: HlsMediaFacts, wanted: Wanted | undefined): boolean {
  // Section 6.2.5.2: with an EXT-X-ENDLIST the directives are ignored, and no more will come anyway.
  if (wanted === undefined || !facts.live) return true
  const { sequence, part } = settled(facts, wanted)
  if (sequence <= facts.lastSequence) return true
  return part !== undefined && sequence === facts.lastSequence + 1 && part < facts.openParts.length
}

/**
 * Why what is asked for is too far ahead (a 400), or undefined when it is not: RFC 8216bis section 6.2.5.2, in doubt
 * for the viewer. The facts may be `ageMs` old, and the stream has gone on since.
 */
export function outOfWindow(
  facts: HlsMediaFacts,
  wanted: Wanted | undefined,
  ageMs: number,
): string | undefined {
  // A segment that is here as a whole need not list the parts it was made of.
  if (wanted === undefined || answers(facts, wanted)) return undefined
  const last = lastPart(facts)
  const { targetDurationMs, partTargetMs } = facts
  const segmentsSince = Math.ceil(Math.max(0, ageMs) / (facts.segmentDurationMs ?? targetDurationMs))
  const furthest = last.sequence + SEGMENTS_AHEAD + segmentsSince
  if (wanted.sequence > furthest) {
    return `expected an _HLS_msn of at most ${furthest}, came ${wanted.sequence}`
  }
  if (wanted.part === undefined) return undefined
  // "The Advance Part Limit": three seconds of parts, three parts at least.
  const limit = partTargetMs === undefined || partTargetMs >= 1000 ? 3 : Math.ceil(3000 / partTargetMs)
  const partsSince = partTargetMs === undefined ? 0 : Math.ceil(Math.max(0, ageMs) / partTargetMs)
  const segmentsOn = wanted.sequence - last.sequence
  // Each segment between has one part at least, and how many more is not known.
  const partsOn = segmentsOn === 0 ? wanted.part - last.part : wanted.part + segmentsOn
  return segmentsOn >= 0 && partsOn > limit + partsSince
    ? `expected an _HLS_part at most ${limit} parts ahead, came ${wanted.part} of segment ${wanted.sequence}`
    : undefined
}

/**
 * What to ask the origin for so that the first of those who wait has an answer: one request, whoever waits. Undefined:
 * nobody waits for anything that is not here. What comes may answer more of them than the first.
 */
export function firstWanted(facts: HlsMediaFacts, waiting: Iterable<Wanted>): Wanted | undefined {
  let first: Wanted | undefined
  for (const one of waiting) {
    if (answers(facts, one)) continue
    const wanted = settled(facts, one)
    if (first === undefined || isBefore(wanted, first)) first = wanted
  }
  return first
}

/** What comes next in a playlist with parts. */
export function nextPart({ lastSequence, openParts }: HlsMediaFacts): Wanted {
  return { sequence: lastSequence + 1, part: openParts.length }
}

/** The same target with other directives, all else byte for byte and in its order, as signatures need it. */
export function withDirectives(target: string, { wanted, skip }: Directives): string {
  const question = target.indexOf('?')
  const path = question === -1 ? target : target.slice(0, question)
  const kept = (question === -1 ? '' : target.slice(question + 1))
    .split('&')
    .filter((pair) => pair !== '' && !/^_HLS_(?:msn|part|skip)(?:=|$)/.test(pair))
  if (wanted !== undefined) kept.push(`_HLS_msn=${wanted.sequence}`)
  if (wanted?.part !== undefined) kept.push(`_HLS_part=${wanted.part}`)
  if (skip !== undefined) kept.push(`_HLS_skip=${skip}`)
  return kept.length === 0 ? path : `${path}?${kept.join('&')}`
}

/** The playlist that a blocking reload or a delta update is of (RFC 8216bis section 6.2.5). */
export function withoutDirectives(target: string): string {
  return target.includes('_HLS_') ? withDirectives(target, { wanted: undefined, skip: undefined }) : target
}

/** A part past the last of its segment is the first of the next one (section 6.2.5.2). */
function settled(facts: HlsMediaFacts, wanted: Wanted): Wanted {
  if (wanted.part === undefined || wanted.sequence !== facts.lastSequence) return wanted
  const parts = facts.tail.at(-1)?.parts.length ?? 0
  // Without parts of its own the segment was never cut, or they are no longer listed: it is here as a whole.
  return parts > 0 && wanted.part >= parts ? { sequence: wanted.sequence + 1, part: 0 } : wanted
}

function lastPart(facts: HlsMediaFacts): { readonly sequence: number; readonly part: number } {
  const { lastSequence, openParts, tail } = facts
  if (openParts.length > 0) return { sequence: lastSequence + 1, part: openParts.length - 1 }
  return { sequence: lastSequence, part: (tail.at(-1)?.parts.length ?? 0) - 1 }
}

/** A whole segment comes with its last part, after all others of it. */
function isBefore(a: Wanted, b: Wanted): boolean {
  if (a.sequence !== b.sequence) return a.sequence < b.sequence
  return (a.part ?? Number.POSITIVE_INFINITY) < (b.part ?? Number.POSITIVE_INFINITY)
}

/** A decimal integer of HLS: up to 2^64-1, of which the large ones lose their last digits here and are out of any window. */
function naturalOf(query: URLSearchParams, name: string): number | undefined | BadDirectives {
  const [value, again] = query.getAll(name)
  if (value === undefined) return undefined
  if (again !== undefined) return { bad: `expected ${name} once, came more than one` }
  if (!/^\d{1,20}$/.test(value)) {
    return { bad: `expected a whole number as ${name}, came ${JSON.stringify(value.slice(0, 40))}` }
  }
  return Number(value)
}
