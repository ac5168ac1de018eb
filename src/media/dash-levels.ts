/** What the levels of an MPD hand down to the representations in them (ISO 23009-1 sections 5.3.9.1 and 5.6). */
import { type DashRepresentation, MAX_REPRESENTATIONS, MAX_RUNS, MAX_RUNS_IN_ALL } from './dash-facts.ts'
import { TimelineReading } from './dash-timeline.ts'

export type Attributes = Readonly<Record<string, string>>

/** MPD, Period, AdaptationSet or Representation while it is open. */
interface Level {
  readonly name: string
  readonly attributes: Attributes
  base: string | undefined
  baseAttributes: Attributes
  template: Attributes
  timeline: TimelineReading | undefined
}

const LEVELS: ReadonlySet<string> = new Set(['MPD', 'Period', 'AdaptationSet', 'Representation'])
const NONE: Attributes = {}
const FEW_RUNS = 4

/** Follows the elements of an MPD in their order. */
export class Levels {
  readonly #open: Level[] = []
  #representations: Described[] = []

  open(name: string, attributes: Attributes): void {
    if (LEVELS.has(name)) {
      if (name === 'Period') this.#representations = []
      this.#open.push({
        name,
        attributes,
        base: undefined,
        baseAttributes: NONE,
        template: NONE,
        timeline: undefined,
      })
      return
    }
    const level = this.#open.at(-1)
    if (level === undefined) return
    if (name === 'SegmentTemplate') level.template = attributes
    if (name === 'SegmentTimeline') level.timeline = new TimelineReading()
    if (name === 'S') level.timeline?.add(attributes)
    if (name === 'BaseURL' && level.base === undefined) level.baseAttributes = attributes
  }

  /** `text` is what the element holds; asked for of BaseURL alone. */
  close(name: string, text: string): void {
    const level = this.#open.at(-1)
    if (level === undefined) return
    if (name === 'BaseURL') level.base ??= text.trim()
    if (name !== level.name) return
    // A template after the representations of its level holds for them too, so they are described at its end.
    if (name === 'Representation' && this.#representations.length < MAX_REPRESENTATIONS) {
      this.#representations.push({ levels: [...this.#open] })
    }
    this.#open.pop()
  }

  /** Of the last Period that says of any. */
  representations(): DashRepresentation[] {
    const timelines = new Set(this.#representations.map(({ levels }) => timelineOf(levels)))
    let runs = 0
    for (const timeline of timelines) {
      if (timeline === undefined) continue
      runs += timeline.keep(Math.max(FEW_RUNS, Math.min(MAX_RUNS, MAX_RUNS_IN_ALL - runs)))
    }
    return this.#representations.map(({ levels }) => representationOf(levels))
  }
}

interface Described {
  readonly levels: readonly Level[]
}

function representationOf(levels: readonly Level[]): DashRepresentation {
  const own: Record<string, string> = {}
  const template: Record<string, string> = {}
  let offsetMs = 0
  let complete = true
  for (const level of levels) {
    if (level.name === 'AdaptationSet' || level.name === 'Representation')
      Object.assign(own, level.attributes)
    Object.assign(template, level.template)
    for (const said of [level.baseAttributes, level.template]) {
      offsetMs += offsetOf(said.availabilityTimeOffset)
      if (said.availabilityTimeComplete === 'false') complete = false
    }
  }
  const timeline = timelineOf(levels)?.timeline()
  const timescale = positive(template.timescale) ?? 1
  const { media } = template
  return {
    id: levels.at(-1)?.attributes.id ?? '',
    bandwidth: positive(own.bandwidth),
    codecs: own.codecs,
    height: positive(own.height),
    type: own.mimeType ?? own.contentType,
    bases: levels.flatMap((level) => (level.base === undefined || level.base === '' ? [] : [level.base])),
    template:
      media === undefined
        ? undefined
        : {
            media,
            initialization: template.initialization,
            timescale,
            startNumber: natural(template.startNumber) ?? 1,
            duration: timeline === undefined ? positive(template.duration) : undefined,
            presentationTimeOffset: natural(template.presentationTimeOffset) ?? 0,
            timeline,
          },
    availabilityTimeOffsetMs: offsetMs,
    availabilityTimeComplete: complete,
  }
}

/** The nearest, from the inside out. */
function timelineOf(levels: readonly Level[]): TimelineReading | undefined {
  return levels.findLast((level) => level.timeline !== undefined)?.timeline
}

function offsetOf(seconds: string | undefined): number {
  if (seconds === 'INF') return Number.POSITIVE_INFINITY
  const value = Number(seconds)
  return seconds !== undefined && Number.isFinite(value) ? value * 1000 : 0
}

function positive(value: string | undefined): number | undefined {
  const number = Number(value)
  return Number.isFinite(number) && number > 0 ? number : undefined
}

function natural(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined
}
