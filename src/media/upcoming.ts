/** What viewers of a stream will ask for next, so that it can be here before them. */

import type { Instant } from '../rfc/heads.ts'
import type { ByteRange } from '../rfc/range.ts'
import type { DashRepresentation } from './dash-facts.ts'
import { edgeOf, expand, type Position, positionOf, positionsAfter } from './dash-segments.ts'
import type { DashFacts, HlsMediaFacts } from './facts.ts'
import type { Piece } from './hls-facts.ts'
import { following } from './listing.ts'
import { type Place, placeOf } from './place.ts'

/**
 * One thing to fetch. A `hint` is promised, not there yet: the origin holds the answer until it is, and may never have
 * it. Of a range without `last` it goes to the end.
 */
export interface Upcoming {
  readonly place: Place
  readonly what: 'segment' | 'part' | 'init' | 'hint'
  readonly range: ByteRange | { readonly first: number; readonly last: undefined } | undefined
}

/** After a pause a whole window is new, and nobody is going to play it from there. */
const MAX_NEW = 3

/**
 * What a new version of a live playlist lists that the one before did not, the oldest first: whole segments, or in
 * low latency parts and what is hinted at, and the init when it is another. `before` undefined: the last segment.
 */
export function upcomingLive(
  before: HlsMediaFacts | undefined,
  now: HlsMediaFacts,
  manifest: string,
): readonly Upcoming[] {
  const known = before?.lastSequence ?? now.lastSequence - 1
  const whole = now.tail.filter(({ sequence }) => sequence > known)
  const upcoming: Upcoming[] = []
  const add = (what: Upcoming['what'], piece: Piece | undefined): void => {
    const place = piece === undefined ? undefined : placeOf(manifest, piece.address)
    if (piece !== undefined && place !== undefined) upcoming.push({ place, what, range: piece.range })
  }
  const map = now.tail.at(-1)?.map
  const previous = before?.tail.at(-1)?.map
  if (map?.address !== previous?.address || map?.range?.first !== previous?.range?.first) add('init', map)
  if (now.partTargetMs === undefined) {
    for (const segment of whole.slice(-MAX_NEW)) if (!segment.isGap) add('segment', segment)
    return upcoming
  }
  for (const part of newParts(before, now).slice(-MAX_NEW)) if (!part.isGap) add('part', part)
  for (const { type, address, start, length } of now.hints) {
    const place = placeOf(manifest, address)
    if (place === undefined) continue
    const last = length === undefined ? undefined : start + length - 1
    const isWhole = start === 0 && length === undefined
    const range = last === undefined ? { first: start, last } : { first: start, last }
    upcoming.push({ place, what: type === 'MAP' ? 'init' : 'hint', range: isWhole ? undefined : range })
  }
  return upcoming
}

/** The segments after the one that a viewer asked for, at most `count`; empty when the playlist does not list it. */
export function upcomingListed(
  facts: HlsMediaFacts,
  manifest: string,
  asked: { readonly target: string; readonly range?: ByteRange | undefined },
  count: number,
): readonly Upcoming[] {
  return following(facts.listing, manifest, asked, count).flatMap(({ address, range }) => {
    const place = placeOf(manifest, address)
    return place === undefined ? [] : [{ place, what: 'segment', range }]
  })
}

/**
 * The segments after the one that a viewer asked for, of the same representation, at most `count`. While live none that
 * cannot be there at `now`. Empty when none of them is of this MPD.
 */
export function upcomingDash(
  facts: DashFacts,
  manifest: string,
  asked: string,
  count: number,
  now: Instant,
): readonly Upcoming[] {
  for (const representation of facts.representations) {
    const position = askedPosition(representation, manifest, asked)
    if (position === undefined) continue
    const edge = facts.live ? edgeOf(facts, representation, now) : undefined
    return positionsAfter(facts, representation, position, count)
      .filter(({ number }) => edge === undefined || number <= edge.number)
      .flatMap((next) => segmentAt(manifest, representation, next))
  }
  return []
}

function segmentAt(manifest: string, representation: DashRepresentation, position: Position): Upcoming[] {
  const { bases, template } = representation
  if (template === undefined) return []
  const place = placeOf(manifest, ...bases, expand(template.media, representation, position))
  return place === undefined ? [] : [{ place, what: 'segment', range: undefined }]
}

function askedPosition(
  representation: DashRepresentation,
  manifest: string,
  asked: string,
): Position | undefined {
  const { bases, template } = representation
  const resolved = template === undefined ? undefined : placeOf(manifest, ...bases, template.media)
  return resolved?.kind === 'here' ? positionOf(representation, asked, resolved.target) : undefined
}

/** Of all segments after the last that was known, and of the one that was being made then. */
function newParts(before: HlsMediaFacts | undefined, now: HlsMediaFacts): HlsMediaFacts['openParts'] {
  const open = (before?.lastSequence ?? now.lastSequence) + 1
  const known = before?.openParts.length ?? Math.max(0, now.openParts.length - 1)
  const segments = [
    ...now.tail.map(({ sequence, parts }) => ({ sequence, parts })),
    { sequence: now.lastSequence + 1, parts: now.openParts },
  ]
  return segments.flatMap(({ sequence, parts }) => {
    if (sequence < open) return []
    return sequence === open ? parts.slice(known) : parts
  })
}
