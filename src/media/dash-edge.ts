/** How far the timelines of a presentation have come, and whether they have gone back. */
import type { DashRepresentation } from './dash-facts.ts'
import { endOf } from './dash-timeline.ts'
import type { DashFacts, DashPeriod } from './facts.ts'

/** How many seconds the timelines of the last Period have gone through; 0 where there are none. */
export function edge({ representations }: DashFacts): number {
  return representations.reduce((furthest, one) => Math.max(furthest, endSeconds(one) ?? 0), 0)
}

/**
 * By how many milliseconds the timelines of the last Period end earlier than they did; 0 where they do not, or nothing
 * tells. Another last Period has timelines of its own: one that departs takes back what it announced. Only what begins
 * before all that was listed is nothing of it.
 */
export function wentBackMs(kept: DashFacts, came: DashFacts): number {
  const [before, after, first] = [kept.periods.at(-1), came.periods.at(-1), kept.periods.at(0)]
  if (before === undefined || after === undefined) return 0
  if (!isSamePeriod(before, after)) {
    const isBeforeAll = (after.startMs ?? Number.POSITIVE_INFINITY) < (first?.startMs ?? 0)
    return isBeforeAll ? Number.POSITIVE_INFINITY : 0
  }
  const ends = new Map(kept.representations.map((one) => [one.id, listedUntilMs(before, one)]))
  let least: number | undefined
  for (const one of came.representations) {
    const [was, is] = [ends.get(one.id), listedUntilMs(after, one)]
    // One that comes and goes, or waits for its first segment, says nothing of the others.
    if (was !== undefined && is !== undefined) least = Math.min(least ?? was - is, was - is)
  }
  return Math.max(0, least ?? 0)
}

function isSamePeriod(one: DashPeriod, other: DashPeriod): boolean {
  if (one.id !== undefined || other.id !== undefined) return one.id === other.id
  return one.startMs === other.startMs
}

/** On the timeline of the presentation. Undefined: it goes by the clock. */
function listedUntilMs({ startMs = 0 }: DashPeriod, one: DashRepresentation): number | undefined {
  const end = one.template?.timeline?.runs.at(-1)?.count === undefined ? undefined : endSeconds(one)
  if (end === undefined || one.template === undefined) return undefined
  const { presentationTimeOffset, timescale } = one.template
  return startMs + (end - presentationTimeOffset / timescale) * 1000
}

function endSeconds({ template }: DashRepresentation): number | undefined {
  const last = template?.timeline?.runs.at(-1)
  return template === undefined || last === undefined ? undefined : Number(endOf(last)) / template.timescale
}
