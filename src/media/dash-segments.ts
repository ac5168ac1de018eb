/** The segments of a DASH representation: what they are called, and which come next. */
import type { Instant } from '../rfc/heads.ts'
import type { DashRepresentation, SegmentTemplate } from './dash-facts.ts'
import { endOf } from './dash-timeline.ts'
import type { DashFacts } from './facts.ts'

/** A segment by what a template names it. */
export interface Position {
  readonly number: number
  /** In ticks; of a template without a timeline, what the number comes to. */
  readonly time: bigint
}

const IDENTIFIER = /\$(?:(RepresentationID|Number|Time|Bandwidth)(?:%0(\d{1,2})d)?)?\$/g
/** ISO 23009-1 asks for no more, and a width of 99 makes no address. */
const WIDEST = 32

/** The address of a template at a position, to be resolved against the representation's bases. */
export function expand(template: string, representation: DashRepresentation, position?: Position): string {
  const values: Readonly<Record<string, string | undefined>> = {
    RepresentationID: representation.id,
    Bandwidth: representation.bandwidth?.toString(),
    Number: position?.number.toString(),
    Time: position?.time.toString(),
  }
  return template.replace(
    IDENTIFIER,
    (whole: string, name: string | undefined, width: string | undefined) => {
      if (name === undefined) return '$'
      // The id is a name and is never padded.
      const padding = name === 'RepresentationID' ? 0 : Math.min(Number(width ?? 0), WIDEST)
      return values[name]?.padStart(padding, '0') ?? whole
    },
  )
}

/** The last segment that can be asked for at `now`; undefined when there is none, or none that can be told. */
export function edgeOf(
  facts: DashFacts,
  representation: DashRepresentation,
  now: Instant,
): Position | undefined {
  const { template } = representation
  if (template === undefined) return undefined
  const { timeline } = template
  if (timeline === undefined) return edgeByClock(facts, representation, template, now)
  const run = timeline.runs.at(-1)
  if (run === undefined || run.count === undefined) return undefined
  return { number: template.startNumber + timeline.count - 1, time: endOf(run) - run.duration }
}

/**
 * The positions after one, at most `count`. Beyond a timeline those that the next versions will list, if the pace
 * stays; a presentation that has ended goes no further than its end.
 */
export function positionsAfter(
  facts: DashFacts,
  representation: DashRepresentation,
  position: Position,
  count: number,
): readonly Position[] {
  const { template } = representation
  const positions: Position[] = []
  if (template === undefined) return positions
  for (let at = position; positions.length < count; ) {
    const time = timeAfter(template, at, facts.live)
    if (time === undefined) break
    at = { number: at.number + 1, time }
    if (!facts.live && startsAfterEnd(facts, template, at)) break
    positions.push(at)
  }
  return positions
}

/** The position that an address was made from, both as they are resolved; undefined when it was not made from this. */
export function positionOf(
  representation: DashRepresentation,
  address: string,
  templateAddress: string,
): Position | undefined {
  const { template } = representation
  if (template === undefined) return undefined
  // One identifier is enough to know the segment by; encoded or not, as a URL has it.
  const [name, before, after] = splitAt(templateAddress, representation) ?? []
  if (name === undefined || before === undefined || after === undefined) return undefined
  if (!address.startsWith(before) || !address.endsWith(after)) return undefined
  const digits = address.slice(before.length, address.length - after.length)
  if (!/^\d{1,20}$/.test(digits)) return undefined
  return name === 'Time' ? byTime(template, BigInt(digits)) : byNumber(template, Number(digits))
}

function splitAt(text: string, representation: DashRepresentation): readonly string[] | undefined {
  const match = /\$(Number|Time)(?:%(?:25)?0\d{1,2}d)?\$/.exec(text)
  if (match === null) return undefined
  const before = expand(text.slice(0, match.index), representation)
  const after = expand(text.slice(match.index + match[0].length), representation)
  return /\$(?:Number|Time)/.test(after) ? undefined : [match[1] ?? '', before, after]
}

function byTime(template: SegmentTemplate, time: bigint): Position | undefined {
  let number = template.startNumber + (template.timeline?.before ?? 0)
  for (const run of template.timeline?.runs ?? []) {
    const index = time >= run.start ? Number((time - run.start) / run.duration) : -1
    const isIn = index >= 0 && (run.count === undefined || index < run.count)
    if (isIn && run.start + run.duration * BigInt(index) === time) return { number: number + index, time }
    number += run.count ?? 1
  }
  return undefined
}

function byNumber(template: SegmentTemplate, number: number): Position | undefined {
  if (!Number.isSafeInteger(number) || number < template.startNumber) return undefined
  let index = number - template.startNumber
  const { timeline, duration } = template
  if (timeline === undefined) {
    return duration === undefined ? undefined : { number, time: ticks(index * duration) }
  }
  index -= timeline.before
  for (const run of timeline.runs) {
    if (index < 0) return undefined
    if (run.count === undefined || index < run.count)
      return { number, time: run.start + run.duration * BigInt(index) }
    index -= run.count
  }
  return undefined
}

function timeAfter(template: SegmentTemplate, at: Position, isLive: boolean): bigint | undefined {
  const { timeline, duration } = template
  if (timeline === undefined) {
    return duration === undefined ? undefined : ticks((at.number + 1 - template.startNumber) * duration)
  }
  const index = timeline.runs.findIndex((run) => run.count === undefined || endOf(run) > at.time)
  const run = timeline.runs[index]
  if (run === undefined) return isLive ? at.time + (timeline.runs.at(-1)?.duration ?? 1n) : undefined
  const next = at.time + run.duration
  if (run.count === undefined || next < endOf(run)) return next
  return timeline.runs[index + 1]?.start ?? (isLive ? next : undefined)
}

/** A segment is there when it is whole, or as much earlier as its availability offset says (section 5.3.9.5.3). */
function edgeByClock(
  facts: DashFacts,
  { availabilityTimeOffsetMs }: DashRepresentation,
  template: SegmentTemplate,
  now: Instant,
): Position | undefined {
  const { duration, timescale, startNumber } = template
  const startMs = facts.periods.at(-1)?.startMs
  if (duration === undefined || facts.availabilityStartAt === undefined || startMs === undefined)
    return undefined
  if (!facts.live || !Number.isFinite(availabilityTimeOffsetMs)) return undefined
  const elapsed = ((now - facts.availabilityStartAt - startMs + availabilityTimeOffsetMs) * timescale) / 1000
  const whole = Math.floor(elapsed / duration)
  return whole < 1 || !Number.isSafeInteger(whole)
    ? undefined
    : { number: startNumber + whole - 1, time: ticks((whole - 1) * duration) }
}

function startsAfterEnd(facts: DashFacts, template: SegmentTemplate, at: Position): boolean {
  const startMs = facts.periods.at(-1)?.startMs ?? 0
  const offset = template.timeline === undefined ? 0 : template.presentationTimeOffset
  return (
    facts.windowMs !== undefined &&
    ((Number(at.time) - offset) * 1000) / template.timescale >= facts.windowMs - startMs
  )
}

function ticks(count: number): bigint {
  return Number.isFinite(count) ? BigInt(Math.round(count)) : 0n
}
