/** Facts from DASH media presentation descriptions and their patches. */
import { SaxesParser } from 'saxes'
import type { BadManifest, DashFacts, DashPatchFacts } from './facts.ts'
import { parseIsoDuration } from './iso-duration.ts'
import { whatCame } from './what-came.ts'

/** MPDs are about ten deep; more is an attack on whoever reads it. */
const DEEPEST = 64

/** UTCTiming schemes whose value is addresses (DASH-IF guidelines, clock synchronisation). */
const HTTP_CLOCKS = /^urn:mpeg:dash:utc:http-(?:xsdate|iso|head|ntp):/

type Attributes = Readonly<Record<string, string>>

interface Reading {
  root: Attributes | undefined
  longestSegmentMs: number
  readonly clocks: string[]
  /** For each open element the timescale that holds within: a SegmentTemplate inherits it from levels above. */
  readonly timescales: number[]
}

/** Why the parser was stopped; never leaves this file. */
class Refusal extends Error {}

/** Never throws. */
export function readDash(text: string, rootName: 'MPD' | 'Patch'): DashFacts | DashPatchFacts | BadManifest {
  const reading: Reading = { root: undefined, longestSegmentMs: 0, clocks: [], timescales: [] }
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
  return {
    protocol: 'dash',
    role: 'presentation',
    live,
    minimumUpdatePeriodMs: duration(root, 'minimumUpdatePeriod'),
    windowMs: duration(root, live ? 'timeShiftBufferDepth' : 'mediaPresentationDuration'),
    segmentDurationMs: reading.longestSegmentMs > 0 ? Math.round(reading.longestSegmentMs) : maxSegmentMs,
    publishTime: root.publishTime,
    clocks: reading.clocks,
  }
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
  })
  parser.on('closetag', () => {
    reading.timescales.pop()
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

function duration(attributes: Attributes, name: string): number | undefined {
  const value = attributes[name]
  return value === undefined ? undefined : parseIsoDuration(value)
}

function positive(value: string | undefined): number | undefined {
  const number = Number(value)
  return Number.isFinite(number) && number > 0 ? number : undefined
}
