/** Timelines as arrays of numbers, for the way between threads: twenty thousand runs one by one take 50 ms to be read. */
import type { DashRepresentation, Run, Timeline } from './dash-facts.ts'
import type { ManifestFacts } from './facts.ts'

interface PackedTimeline {
  readonly starts: BigUint64Array<ArrayBuffer>
  readonly durations: BigUint64Array<ArrayBuffer>
  /** 0: without an end. */
  readonly counts: Float64Array<ArrayBuffer>
  readonly before: number
  readonly count: number
}

/** Plain data. */
export interface PackedFacts {
  /** Without timelines. */
  readonly facts: ManifestFacts
  readonly timelines: readonly PackedTimeline[]
  /** Of each representation, where its timeline stands; -1: nowhere. Many share one. */
  readonly timelineOf: readonly number[]
}

export function packed(facts: ManifestFacts): PackedFacts {
  if (facts.role !== 'presentation') return { facts, timelines: [], timelineOf: [] }
  const timelines: Timeline[] = []
  const timelineOf = facts.representations.map(({ template }) => {
    if (template?.timeline === undefined) return -1
    const known = timelines.indexOf(template.timeline)
    return known === -1 ? timelines.push(template.timeline) - 1 : known
  })
  const representations = facts.representations.map((one) => withTimeline(one, undefined))
  return { facts: { ...facts, representations }, timelines: timelines.map(packedTimeline), timelineOf }
}

export function unpacked({ facts, timelines, timelineOf }: PackedFacts): ManifestFacts {
  if (facts.role !== 'presentation') return facts
  const known = timelines.map(unpackedTimeline)
  const representations = facts.representations.map((one, index) =>
    withTimeline(one, known[timelineOf[index] ?? -1]),
  )
  return { ...facts, representations }
}

function withTimeline(one: DashRepresentation, timeline: Timeline | undefined): DashRepresentation {
  return one.template === undefined ? one : { ...one, template: { ...one.template, timeline } }
}

function packedTimeline({ runs, before, count }: Timeline): PackedTimeline {
  return {
    starts: BigUint64Array.from(runs, ({ start }) => start),
    durations: BigUint64Array.from(runs, ({ duration }) => duration),
    counts: Float64Array.from(runs, (run) => run.count ?? 0),
    before,
    count,
  }
}

function unpackedTimeline({ starts, durations, counts, before, count }: PackedTimeline): Timeline {
  const runs = Array.from(counts, (length, index): Run => {
    const [start = 0n, duration = 1n] = [starts[index], durations[index]]
    return { start, duration, count: length === 0 ? undefined : length }
  })
  return { runs, before, count }
}
