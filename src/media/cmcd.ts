/** What players say of themselves (CMCD, CTA-5004 versions 1 and 2), in requests and in reports of events. */
import { type CmcdData, decodeCmcd } from '@svta/cml-cmcd'
import { type Fields, fieldValue } from '../rfc/heads.ts'
import { parseRange, type RangeSpec } from '../rfc/range.ts'
import { type CmcdFields, fieldsOf } from './cmcd-values.ts'

export interface Cmcd extends CmcdFields {
  readonly version: 1 | 2
  /** What it will ask for next, relative to what it asks for now; at most MAX_NEXT. */
  readonly nor: readonly NextObject[]
}

export interface NextObject {
  readonly address: string
  readonly range: RangeSpec | undefined
}

export interface CmcdEvent extends Cmcd {
  /** What happened: `ps` a state, `e` an error, `t` the time, `rr` a response, … at most 64 characters. */
  readonly e: string
  /** In ms since the epoch by the player's clock. */
  readonly ts: number | undefined
}

/** Of one report, in characters. Players send a few hundred; sixty thousand take fifty milliseconds to read. */
export const MAX_CMCD = 8192
/** Of one body of events: records, and characters over all. */
export const MAX_EVENTS = 500
export const MAX_EVENTS_BODY = 256 * 1024
const MAX_NEXT = 8

/** In lower case. */
export const CMCD_HEADERS = ['cmcd-object', 'cmcd-request', 'cmcd-session', 'cmcd-status'] as const
/** Case-sensitive (CTA-5004-B section 2). */
const PARAMETER = /[?&]CMCD=([^&#]*)/
const LATEST = 2
/** As a member of a dictionary (RFC 9651 section 3.2). */
const SID = /(?:^|[,\s])sid="([ !#-[\]-~]{1,64})"/

/** Whether a request may say something; cheap enough for every request. */
export function mayHoldCmcd(target: string, fields: Fields): boolean {
  return target.includes('CMCD=') || CMCD_HEADERS.some((name) => fields[name] !== undefined)
}

/**
 * What a request says, by its headers or, with none of these, by its query; they are never put together. Undefined: it
 * says nothing, is malformed, too long, or of a version that is not known, and then all of it is void (section 6).
 */
export function readCmcd(target: string, fields: Fields): Cmcd | undefined {
  const headers = CMCD_HEADERS.flatMap((name) => fields[name] ?? [])
  if (headers.length > 0) return cmcdOf(decoded(headers.join(',')))
  const value = PARAMETER.exec(target)?.[1]
  // Each character may be written with three.
  const text = value === undefined || value.length > 3 * MAX_CMCD ? undefined : unescaped(value)
  return text === undefined ? undefined : cmcdOf(decoded(text))
}

/** The session that a request names, and no more of what it says: for the log, where reading all would cost too much. */
export function sidOf(target: string, fields: Fields): string | undefined {
  if (CMCD_HEADERS.some((name) => fields[name] !== undefined)) {
    const header = fieldValue(fields, 'cmcd-session')
    return header === undefined || header.length > MAX_CMCD ? undefined : SID.exec(header)?.[1]
  }
  if (!target.includes('CMCD=')) return undefined
  const value = PARAMETER.exec(target)?.[1]
  const text = value === undefined || value.length > 3 * MAX_CMCD ? undefined : unescaped(value)
  return text === undefined ? undefined : SID.exec(text)?.[1]
}

/**
 * The records of a body of events (`application/cmcd`, one a line). `bad` counts those that are malformed, or no events;
 * they do not void the others. `isCut`: the body had more than is read of one.
 */
export function readEvents(body: string): {
  readonly events: readonly CmcdEvent[]
  readonly bad: number
  readonly isCut: boolean
} {
  const lines = body
    .slice(0, MAX_EVENTS_BODY)
    .split('\n')
    .filter((line) => line.trim() !== '')
  const records = lines.slice(0, MAX_EVENTS).map((line) => {
    const data = decoded(line.trim())
    const cmcd = cmcdOf(data)
    const { e, ts } = fieldsOf(data ?? {})
    return cmcd === undefined || e === undefined ? undefined : { ...cmcd, e, ts }
  })
  const events = records.filter((record) => record !== undefined)
  return {
    events,
    bad: records.length - events.length,
    isCut: body.length > MAX_EVENTS_BODY || lines.length > MAX_EVENTS,
  }
}

/** Undefined: malformed or too long. */
function decoded(text: string): CmcdData | undefined {
  if (text === '' || text.length > MAX_CMCD) return undefined
  try {
    return decodeCmcd(text)
  } catch {
    // What a player sends is not worth a failed request, nor a line in the log each time.
    return undefined
  }
}

function cmcdOf(data: CmcdData | undefined): Cmcd | undefined {
  if (data === undefined) return undefined
  const said: unknown = data.v
  // A version that is no number is ill-typed, and as if it were not there.
  const version = typeof said === 'number' ? said : 1
  if (version > LATEST || version < 1) return undefined
  const { e: _e, ts: _ts, ...fields } = fieldsOf(data)
  return { version: version === 2 ? 2 : 1, ...fields, nor: nextOf(data, version) }
}

function nextOf(data: CmcdData, version: number): NextObject[] {
  const listed: unknown = data.nor
  const items: readonly unknown[] = Array.isArray(listed) ? listed : [listed]
  return items.slice(0, MAX_NEXT).flatMap((item: unknown) => {
    const { value, range } = itemOf(item)
    // Version 1 writes the address encoded within the value, and the range beside it.
    const address = typeof value !== 'string' ? undefined : version === 1 ? unescaped(value) : value
    if (address === undefined || address === '') return []
    return [{ address, range: rangeOf(version === 1 ? Reflect.get(data, 'nrr') : range) }]
  })
}

function itemOf(item: unknown): { readonly value: unknown; readonly range: unknown } {
  if (typeof item !== 'object' || item === null) return { value: item, range: undefined }
  const params: unknown = Reflect.get(item, 'params')
  const range: unknown = typeof params === 'object' && params !== null ? Reflect.get(params, 'r') : undefined
  return { value: Reflect.get(item, 'value'), range }
}

/** `a-`, `a-b` or `-n`, one only. */
function rangeOf(range: unknown): RangeSpec | undefined {
  if (typeof range !== 'string') return undefined
  const specs = parseRange(`bytes=${range}`)
  return specs?.length === 1 ? specs[0] : undefined
}

function unescaped(value: string): string | undefined {
  try {
    return decodeURIComponent(value)
  } catch {
    // Not UTF-8, or a bare percent sign: as good as absent.
    return undefined
  }
}
