/** What a manifest lists, as viewers ask for it: which of it is new, and which has left. */
import type { DashRepresentation } from '../media/dash-facts.ts'
import { edgeOf, expand, type Position } from '../media/dash-segments.ts'
import type { DashFacts, HlsMediaFacts, ManifestFacts } from '../media/facts.ts'
import { placeOf } from '../media/place.ts'
import type { Instant } from '../rfc/heads.ts'

/** Of one representation, from its edge back. */
const MAX_POSITIONS = 1000
/** A new version of an MPD seldom brings more, and without a timeline it does not say how many. */
const NEWEST_POSITIONS = 3
/** Of a playlist that is new, or has been away for long. */
const MAX_NEW = 64

/**
 * All that a manifest lists, with inits and keys; of a presentation those that its templates name. What lies at other
 * hosts, and names that cannot be told, are left out. The newest come last.
 */
export function* listedTargets(facts: ManifestFacts, manifest: string, now: Instant): Generator<string> {
  switch (facts.role) {
    case 'media':
      yield* here(manifest, besides(facts))
      yield* here(manifest, addressesIn(facts.listing.lines))
      return
    case 'presentation':
      for (const representation of facts.representations) {
        const { template } = representation
        const init = template?.initialization
        if (init !== undefined) yield* inside(manifest, representation, init)
        yield* named(manifest, representation, backFrom(facts, representation, now, MAX_POSITIONS))
      }
      return
    case 'multivariant':
    case 'patch':
      return
  }
}

/** What `now` lists and `before` did not, the last of it, as far as that is cheap to tell; too much rather than too little. */
export function* newTargets(
  before: ManifestFacts | undefined,
  now: ManifestFacts,
  manifest: string,
  at: Instant,
): Generator<string> {
  if (now.role === 'presentation') {
    for (const representation of now.representations)
      yield* named(manifest, representation, backFrom(now, representation, at, NEWEST_POSITIONS))
  }
  if (now.role !== 'media') return
  const { lines } = now.listing
  const last = before?.role === 'media' ? lastLine(before.listing.lines) : undefined
  const known = last === undefined ? -1 : lines.lastIndexOf(last)
  let start = known < 0 || last === undefined ? 0 : known + last.length - 1
  let earliest = lines.length - 1
  for (let count = 0; count < MAX_NEW && earliest > start; count++)
    earliest = lines.lastIndexOf('\n', earliest - 1)
  start = Math.max(start, earliest)
  yield* here(manifest, addressesIn(lines.slice(start)))
}

/** What `before` listed and a window that has moved on does not list any more. */
export function* leftTargets(before: ManifestFacts, now: ManifestFacts, manifest: string): Generator<string> {
  if (before.role !== 'media' || now.role !== 'media') return
  // A delta update leaves out what is listed still.
  if (now.skippedSegments > 0 || now.mediaSequence <= before.mediaSequence) return
  const end = now.listing.lines.indexOf('\n', 1)
  const first = end < 0 ? '' : now.listing.lines.slice(0, end + 1)
  const left = first === '' ? -1 : before.listing.lines.indexOf(first)
  if (left > 0) yield* here(manifest, addressesIn(before.listing.lines.slice(0, left + 1)))
}

function* besides({ tail, openParts }: HlsMediaFacts): Generator<string> {
  const seen = new Set<string>()
  for (const { map, key, parts } of tail) {
    if (map !== undefined) seen.add(map.address)
    if (key !== undefined) seen.add(key)
    for (const { address } of parts) seen.add(address)
  }
  for (const { address } of openParts) seen.add(address)
  yield* seen
}

/** Of several ranges of one file in a row its address once. */
function* addressesIn(lines: string): Generator<string> {
  let previous = ''
  for (let at = 1; at < lines.length; ) {
    const end = lines.indexOf('\n', at)
    const line = lines.slice(at, end)
    const tab = line.lastIndexOf('\t')
    const address = tab < 0 ? line : line.slice(0, tab)
    if (address !== previous && address !== '') yield address
    previous = address
    at = end + 1
  }
}

/** With the line ends on both its sides; undefined when there is none. */
function lastLine(lines: string): string | undefined {
  const start = lines.lastIndexOf('\n', lines.length - 2)
  return start < 0 || lines.length < 2 ? undefined : lines.slice(start)
}

/** Those of them that lead to whoever sent the manifest, as viewers ask for them. */
export function* here(manifest: string, addresses: Iterable<string>): Generator<string> {
  for (const address of addresses) {
    const place = placeOf(manifest, address)
    if (place?.kind === 'here') yield place.target
  }
}

function* named(
  manifest: string,
  representation: DashRepresentation,
  positions: readonly Position[],
): Generator<string> {
  const { template } = representation
  if (template === undefined) return
  for (const position of positions) yield* inside(manifest, representation, template.media, position)
}

function* inside(
  manifest: string,
  representation: DashRepresentation,
  template: string,
  position?: Position,
): Generator<string> {
  const place = placeOf(manifest, ...representation.bases, expand(template, representation, position))
  if (place?.kind === 'here') yield place.target
}

/** The last `count` positions that are listed, or that can be there by the clock. */
function backFrom(
  facts: DashFacts,
  representation: DashRepresentation,
  now: Instant,
  count: number,
): readonly Position[] {
  const { template } = representation
  if (template === undefined) return []
  const { timeline, duration, timescale, startNumber } = template
  const positions: Position[] = []
  if (timeline === undefined) {
    const edge = edgeOf(facts, representation, now)
    if (edge === undefined || duration === undefined) return []
    // One more than fit into the window: the first of them may be listed in part.
    const listed =
      Math.ceil((((facts.windowMs ?? Number.POSITIVE_INFINITY) / 1000) * timescale) / duration) + 1
    const first = Math.max(startNumber, edge.number - Math.min(count, listed) + 1)
    // Without a timeline the number is all that a name is made of.
    for (let number = first; number <= edge.number; number++) positions.push({ number, time: 0n })
    return positions
  }
  let number = startNumber + timeline.count
  for (const run of timeline.runs.toReversed()) {
    if (positions.length >= count) break
    for (let index = (run.count ?? 1) - 1; index >= 0 && positions.length < count; index--) {
      number--
      positions.push({ number, time: run.start + run.duration * BigInt(index) })
    }
  }
  return positions.reverse()
}
