/** Facts from DASH media presentation descriptions and their patches. */
import { SaxesParser } from 'saxes'
import { type Attributes, Levels } from './dash-levels.ts'
import type { BadManifest, DashFacts, DashPatchFacts, DashPeriod } from './facts.ts'
import { parseIsoDuration } from './iso-duration.ts'
import { whatCame } from './what-came.ts'

/** MPDs are about ten deep; more is an attack on whoever reads it. */
const DEEPEST = 64

/** UTCTiming schemes whose value is addresses (DASH-IF guidelines, clock synchronisation). */
const HTTP_CLOCKS = /^urn:mpeg:dash:utc:http-(?:xsdate|iso|head|ntp):/

/** Elements whose text is an address; of others it is not kept. */
const TEXTS: ReadonlySet<string> = new Set(['BaseURL', 'Location', 'PatchLocation', 'ContentSteering'])
/** Of an address, in characters. */
const LONGEST_TEXT = 8192
/** Real presentations have a few; of more the last are kept. */
const MAX_PERIODS = 1000

interface Reading {
  root: Attributes | undefined
  longestSegmentMs: number
  readonly clocks: string[]
  /** For each open element the timescale that holds within: a SegmentTemplate inherits it from levels above. */
  readonly timescales: number[]
  readonly levels: Levels
  readonly periods: Attributes[]
  /** Of the element that is open, if it is an address. */
  text: string | undefined
  location: string | undefined
  patchLocation: string | undefined
  steering: string | undefined
}

/** Why the parser was stopped; never leaves this file. */
class Refusal extends Error {}

/** Never throws. */
export function readDash(text: string, rootName: 'MPD' | 'Patch'): DashFacts | DashPatchFacts | BadManifest {
  const reading: Reading = {
    root: undefined,
    longestSegmentMs: 0,
    clocks: [],
    timescales: [],
    levels: new Levels(),
    periods: [],
    text: undefined,
    location: undefined,
    patchLocation: undefined,
    steering: undefined,
  }
  try {
    parse(text, rootName, reading)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return {
      bad: error instanceof Refusal ? why : `expected a whole XML document, came one with an error: ${why}`,
    }
  }
  const root = reading.root ?? {}
  if (rootName === 'Patch') return { protocol: 'dash', role: 'patch', publishTime: root.publishTime }
  const live = root.type === 'dynamic'
  const maxSegmentMs = duration(root, 'maxSegmentDuration')
  // A copy: what was cut from a text keeps the whole of it in memory.
  return structuredClone<DashFacts>({
    protocol: 'dash',
    role: 'presentation',
    live,
    minimumUpdatePeriodMs: duration(root, 'minimumUpdatePeriod'),
    windowMs: duration(root, live ? 'timeShiftBufferDepth' : 'mediaPresentationDuration'),
    segmentDurationMs: reading.longestSegmentMs > 0 ? Math.round(reading.longestSegmentMs) : maxSegmentMs,
    publishTime: root.publishTime,
    clocks: reading.clocks,
    id: root.id,
    publishedAt: instant(root.publishTime),
    availabilityStartAt: instant(root.availabilityStartTime),
    periods: periodsOf(reading.periods, live),
    location: reading.location,
    patchLocation: reading.patchLocation,
    steering: reading.steering,
    representations: reading.levels.representations(),
  })
}

function parse(text: string, rootName: string, reading: Reading): void {
  const refuse = (came: string): never => {
    throw new Refusal(`expected an XML document with the root element ${rootName}, came ${came}`)
  }
  if (!text.trimStart().startsWith('<')) refuse(whatCame(text))
  const parser = new SaxesParser<{ position: false; xmlns: false }>({ position: false, xmlns: false })
  // No MPD has one, and entities that are made of entities begin here.
  parser.on('doctype', (doctype) =>
    refuse(/^\s*html/i.test(doctype) ? 'HTML' : 'a document type declaration'),
  )
  parser.on('error', (error) => {
    throw error
  })
  parser.on('opentag', (tag) => {
    const name = tag.name.slice(tag.name.indexOf(':') + 1)
    if (reading.root === undefined) {
      if (name !== rootName) refuse(name.toLowerCase() === 'html' ? 'HTML' : `<${name.slice(0, 60)}>`)
      reading.root = tag.attributes
    }
    if (reading.timescales.length >= DEEPEST) refuse(`elements more than ${DEEPEST} deep`)
    look(name, tag.attributes, reading)
    reading.levels.open(name, tag.attributes)
    reading.text = TEXTS.has(name) ? '' : undefined
  })
  parser.on('text', (text) => {
    if (reading.text !== undefined) reading.text = (reading.text + text).slice(0, LONGEST_TEXT)
  })
  parser.on('closetag', (tag) => {
    reading.timescales.pop()
    const name = tag.name.slice(tag.name.indexOf(':') + 1)
    const text = reading.text ?? ''
    reading.levels.close(name, text)
    if (name === 'Location') reading.location ??= text.trim()
    if (name === 'PatchLocation') reading.patchLocation ??= text.trim()
    if (name === 'ContentSteering') reading.steering ??= text.trim()
    reading.text = undefined
  })
  parser.write(text).close()
}

/** Notes what one element says. */
function look(name: string, attributes: Attributes, reading: Reading): void {
  const { timescales, clocks } = reading
  const timescale = positive(attributes.timescale) ?? timescales.at(-1) ?? 1
  switch (name) {
    case 'SegmentTemplate':
    case 'SegmentList':
      // It holds for the siblings of this element too, so the level that contains them learns of it.
      if (timescales.length > 0) timescales[timescales.length - 1] = timescale
      noteSegment(reading, attributes.duration, timescale)
      break
    case 'Period':
      reading.periods.push(attributes)
      if (reading.periods.length > MAX_PERIODS) reading.periods.shift()
      break
    case 'S':
      noteSegment(reading, attributes.d, timescale)
      break
    case 'UTCTiming':
      if (HTTP_CLOCKS.test(attributes.schemeIdUri ?? '')) {
        clocks.push(...(attributes.value ?? '').split(/\s+/).filter((url) => url !== ''))
      }
      break
    default:
  }
  timescales.push(timescale)
}

function noteSegment(reading: Reading, count: string | undefined, timescale: number): void {
  reading.longestSegmentMs = Math.max(reading.longestSegmentMs, ((positive(count) ?? 0) / timescale) * 1000)
}

/** Without a start a Period follows the one before (ISO 23009-1 section 5.3.2.1). */
function periodsOf(periods: readonly Attributes[], live: boolean): DashPeriod[] {
  let endMs: number | undefined = live ? undefined : 0
  return periods.map((period) => {
    const startMs = duration(period, 'start') ?? endMs
    const lengthMs = duration(period, 'duration')
    endMs = startMs === undefined || lengthMs === undefined ? undefined : startMs + lengthMs
    return { id: period.id, startMs }
  })
}

/** An instant without a zone counts as UTC, as players have it. */
function instant(value: string | undefined): number | undefined {
  if (value === undefined || value.length > 64) return undefined
  const hasZone = /(?:Z|[+-]\d{2}:?\d{2})$/i.test(value.trim())
  const at = Date.parse(hasZone ? value.trim() : `${value.trim()}Z`)
  return Number.isNaN(at) ? undefined : at
}

function duration(attributes: Attributes, name: string): number | undefined {
  const value = attributes[name]
  return value === undefined ? undefined : parseIsoDuration(value)
}

function positive(value: string | undefined): number | undefined {
  const number = Number(value)
  return Number.isFinite(number) && number > 0 ? number : undefined
}
