/** All that a manifest has, with the time at which it is played: for those who want a stretch of it. */
import type { Instant } from '../rfc/heads.ts'
import type { DashRepresentation, SegmentTemplate } from './dash-facts.ts'
import { edgeOf, expand, type Position, positionsAfter } from './dash-segments.ts'
import type { DashFacts } from './facts.ts'
import { placeOf } from './place.ts'

/** Of one representation. */
const MAX_POSITIONS = 20_000

/** One thing to fetch; the address as viewers ask for it. */
export interface Planned {
  readonly target: string
  /** Since the first segment that is listed; of inits and keys that of the segment they are needed for. */
  readonly startMs: number
  readonly endMs: number
}

/** Of a media playlist, from its text: segments, inits and keys, in its order. What lies at other hosts is left out. */
export function* plannedHls(text: string, manifest: string): Generator<Planned> {
  let startMs = 0
  let durationMs = 0
  for (const line of linesOf(text)) {
    if (line.startsWith('#EXTINF:')) {
      const seconds = Number.parseFloat(line.slice('#EXTINF:'.length))
      durationMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0
    } else if (line.startsWith('#EXT-X-MAP:') || line.startsWith('#EXT-X-KEY:')) {
      // They hold from here on, so that whoever wants anything later needs them.
      const [, uri = ''] = /URI="([^"]*)"/.exec(line) ?? []
      if (uri !== '') yield* planned(manifest, [uri], startMs, Number.POSITIVE_INFINITY)
    } else if (!line.startsWith('#')) {
      yield* planned(manifest, [line], startMs, startMs + durationMs)
      startMs += durationMs
      durationMs = 0
    }
  }
}

/** Whatever a playlist has an address of, as viewers ask for it. What lies at other hosts is left out. */
export function* namedInHls(text: string, manifest: string): Generator<string> {
  for (const line of linesOf(text)) {
    const carried = line.startsWith('#') ? line.matchAll(/(?:URI|X-ASSET-LIST)="([^"]*)"/g) : [['', line]]
    for (const [, address = ''] of carried) {
      const place = placeOf(manifest, address)
      if (place?.kind === 'here') yield place.target
    }
  }
}

/** Of one representation of an MPD: its init and its segments; while live those that can be there at `now`. */
export function* plannedDash(
  facts: DashFacts,
  representation: DashRepresentation,
  manifest: string,
  now: Instant,
): Generator<Planned> {
  const { template, bases } = representation
  if (template === undefined) return
  const { initialization, media } = template
  if (initialization !== undefined)
    yield* planned(manifest, [...bases, expand(initialization, representation)], 0, Number.POSITIVE_INFINITY)
  const positions = allPositions(facts, representation, template, now)
  const [first] = positions
  for (const [index, position] of positions.entries()) {
    const startMs = msBetween(template, first, position)
    const next = positions[index + 1]
    const endMs = next === undefined ? Number.POSITIVE_INFINITY : msBetween(template, first, next)
    yield* planned(manifest, [...bases, expand(media, representation, position)], startMs, endMs)
  }
}

/** Those that say something. */
function* linesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    const line = text.slice(start, end).trim()
    if (line !== '') yield line
    start = end + 1
  }
}

function allPositions(
  facts: DashFacts,
  representation: DashRepresentation,
  template: SegmentTemplate,
  now: Instant,
): readonly Position[] {
  const { timeline, startNumber, duration, timescale } = template
  const [run] = timeline?.runs ?? []
  if (timeline !== undefined && run === undefined) return []
  const edge = facts.live ? edgeOf(facts, representation, now) : undefined
  if (facts.live && edge === undefined) return []
  let number = startNumber + (timeline?.before ?? 0)
  if (timeline === undefined && edge !== undefined && duration !== undefined && facts.windowMs !== undefined)
    number = Math.max(number, edge.number - Math.ceil(((facts.windowMs / 1000) * timescale) / duration) + 1)
  const isTimed = timeline === undefined && duration !== undefined
  const time = run?.start ?? (isTimed ? BigInt(Math.round((number - startNumber) * duration)) : 0n)
  const first: Position = { number, time }
  const all = [first, ...positionsAfter(facts, representation, first, MAX_POSITIONS - 1)]
  return edge === undefined ? all : all.filter((position) => position.number <= edge.number)
}

function msBetween({ timescale }: SegmentTemplate, from: Position | undefined, to: Position): number {
  return from === undefined ? 0 : (Number(to.time - from.time) * 1000) / timescale
}

function* planned(
  manifest: string,
  addresses: readonly string[],
  startMs: number,
  endMs: number,
): Generator<Planned> {
  const place = placeOf(manifest, ...addresses)
  if (place?.kind === 'here') yield { target: place.target, startMs, endMs }
}
