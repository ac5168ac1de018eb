/** What servers tell players and caches of their media (CMSD, CTA-5006): read from origins, written for viewers. */
import { parseDictionary, parseList, serializeBareItem, serializeList, Token } from 'structured-headers'
import { parseRange, type RangeSpec } from '../rfc/range.ts'
import type { NextObject } from './cmcd.ts'

/** CMSD-Static, as far as a cache uses it. The origin's word, kept and replayed with what it came with. */
export interface CmsdStatic {
  /** What players will ask for next, relative to this. */
  readonly nor: NextObject | undefined
  /** How long the origin held its answer, in milliseconds (a blocking reload): not the answer's age. */
  readonly heldMs: number | undefined
  /** When it became available, in ms since the epoch. */
  readonly availableAt: number | undefined
  /** Encoded bitrate and length of the object: kbit/s and milliseconds. */
  readonly br: number | undefined
  readonly d: number | undefined
}

/** CMSD-Dynamic of one hop. What is undefined is not sent. */
export interface CmsdHop {
  /** Who says so; printable ASCII. */
  readonly name: string
  /** Estimated throughput of this connection, kbit/s. */
  readonly etp?: number | undefined
  /** Round trip of this connection, ms. */
  readonly rtt?: number | undefined
  /** Delay of this response, ms: time that players leave out of their measure. */
  readonly rd?: number | undefined
  /** Under duress: players had better go elsewhere. False is not sent. */
  readonly du?: boolean | undefined
  /** The highest bitrate that is advised, kbit/s. */
  readonly mb?: number | undefined
}

/** A longer field is nobody's. */
const LONGEST = 8192
/** Hops of others that are passed on: a chain of caches has three or four. */
const MAX_HOPS = 16

/** Undefined: absent, malformed or too long. Ill-typed members are as if they were not there. */
export function readCmsdStatic(value: string | undefined): CmsdStatic | undefined {
  if (value === undefined || value.length > LONGEST) return undefined
  let members: ReadonlyMap<string, readonly unknown[]>
  try {
    members = parseDictionary(value)
  } catch {
    // A field that is malformed is to be ignored whole (RFC 9651 section 4.2).
    return undefined
  }
  const item = (name: string): unknown => members.get(name)?.[0]
  const address = item('nor')
  const decoded = typeof address === 'string' ? unescaped(address) : undefined
  return {
    nor: decoded ? { address: decoded, range: rangeOf(item('nrr')) } : undefined,
    heldMs: natural(item('ht')),
    availableAt: natural(item('at')),
    br: natural(item('br')),
    d: natural(item('d')),
  }
}

/**
 * The CMSD-Dynamic field: the hops before, as they came, and this one. The values of those before are worth nothing
 * to a viewer of a stored response, so then hand in none. What is malformed before is left out.
 */
export function formatCmsdDynamic(hop: CmsdHop, before?: string): string {
  // A String holds nothing but printable ASCII (RFC 9651 section 3.3.3).
  let own = serializeBareItem(hop.name.replace(/[^ -~]/g, '?').slice(0, 128))
  for (const name of ['etp', 'rtt', 'mb', 'rd'] as const) {
    const value = hop[name]
    if (value !== undefined && Number.isFinite(value) && value >= 0) own += `;${name}=${whole(value)}`
  }
  if (hop.du === true) own += ';du'
  const others = hopsOf(before)
  return others.length === 0 ? own : `${serializeList(others)}, ${own}`
}

function hopsOf(before: string | undefined): ReturnType<typeof parseList> {
  if (before === undefined || before.length > LONGEST) return []
  try {
    return parseList(before).filter(isHop).slice(-MAX_HOPS)
  } catch {
    // As above: ignored whole.
    return []
  }
}

/** A hop is a String with what it says of itself (CTA-5006). Dates are no part of that, and the library cannot read what follows one. */
function isHop([name, says]: ReturnType<typeof parseList>[number]): boolean {
  return typeof name === 'string' && ![...says.values()].some((value) => value instanceof Date)
}

/** Integers of structured fields have fifteen digits at most. */
function whole(value: number): number {
  return Math.min(Math.round(value), 999_999_999_999_999)
}

function natural(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

function rangeOf(value: unknown): RangeSpec | undefined {
  const range = value instanceof Token ? value.toString() : value
  const specs = typeof range === 'string' ? parseRange(`bytes=${range}`) : undefined
  return specs?.length === 1 ? specs[0] : undefined
}

function unescaped(value: string): string | undefined {
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}
