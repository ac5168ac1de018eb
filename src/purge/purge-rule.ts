/** A purge as nodes tell it to each other: what is to go, on whose order, and in which place of that order. */
import { randomBytes } from 'node:crypto'
import type { Instant } from '../rfc/heads.ts'

/**
 * What the values of a rule are. Addresses are paths as viewers ask for them, with their query, so that each node finds
 * its own routes for them.
 *
 * - `url`: addresses, each with all its variants, slices and blocking reloads.
 * - `prefix`: beginnings of addresses.
 * - `tag`: names in `Surrogate-Key` or `Cache-Groups`.
 * - `stream`: addresses of manifests, each with all that it lists.
 * - `route`: prefixes of routes.
 * - `all`: there are none.
 */
export const PURGE_KINDS = ['url', 'prefix', 'tag', 'stream', 'route', 'all'] as const
export type PurgeKind = (typeof PURGE_KINDS)[number]

/** What an operator orders. */
export interface PurgeOrder {
  readonly kind: PurgeKind
  /** From 1 to MAX_PURGE_VALUES, each of 1 to MAX_PURGE_VALUE characters; none for `all`. */
  readonly values: readonly string[]
  /** True: what is stored becomes stale, and is validated before it is used. False: it is gone. */
  readonly soft: boolean
}

/** An order with its place in the log. Plain data: it survives JSON unchanged. */
export interface PurgeRule extends PurgeOrder {
  /** Counts from 1, without gaps, for each `by`. */
  readonly sequence: number
  /** Who gave it out: a node, and which life of its log (`paris-1:k3j2x9`), so that no number is ever used twice. */
  readonly by: string
  /** When it was given out, by the clock of that node. */
  readonly at: Instant
}

export const MAX_PURGE_VALUES = 1_000
/** In characters. */
export const MAX_PURGE_VALUE = 8_192
/** Of one rule in UTF-8 JSON, in bytes: what a message between nodes must be able to carry. */
export const MAX_PURGE_BYTES = 512 * 1024

const ISSUER = /^[A-Za-z0-9._:-]{1,128}$/
const RULE_KEYS: ReadonlySet<string> = new Set(['sequence', 'by', 'at', 'kind', 'values', 'soft'])

/** A name for the purges that a node gives out in this life: a number given out before it ended is never used twice. */
export function issuerOf(node: string): string {
  return `${node}:${randomBytes(6).toString('hex')}`
}

/** What is wrong with a rule or an order, as one sentence: where, what was expected, and what came. */
export interface BadPurge {
  readonly bad: string
}

export function isBadPurge(read: PurgeRule | PurgeOrder | BadPurge): read is BadPurge {
  return 'bad' in read
}

/** Reads what another node sent, from JSON text. Never throws. */
export function parsePurgeRule(text: string): PurgeRule | BadPurge {
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_PURGE_BYTES) return expected('rule', `at most ${MAX_PURGE_BYTES} bytes`, `${bytes} bytes`)
  try {
    return readPurgeRule(JSON.parse(text))
  } catch {
    return expected('rule', 'JSON', shown(text))
  }
}

/** The same of a value that JSON gave. */
export function readPurgeRule(value: unknown): PurgeRule | BadPurge {
  if (!isRecord(value)) return expected('rule', 'an object', shown(value))
  const unknown = Object.keys(value).find((key) => !RULE_KEYS.has(key))
  if (unknown !== undefined) return expected('rule', `only the keys ${[...RULE_KEYS].join(', ')}`, unknown)
  const { sequence, by, at } = value
  if (!isCount(sequence) || sequence < 1)
    return expected('sequence', 'a whole number from 1', shown(sequence))
  if (typeof by !== 'string' || !ISSUER.test(by)) {
    return expected('by', 'a name of 1 to 128 letters, digits, ".", "_", ":" and "-"', shown(by))
  }
  if (!isCount(at)) return expected('at', 'milliseconds since the epoch', shown(at))
  const order = readPurgeOrder(value)
  return isBadPurge(order) ? order : { ...order, sequence, by, at }
}

/** What is to go, of a value that JSON gave; other keys of it are not looked at. */
export function readPurgeOrder(value: Readonly<Record<string, unknown>>): PurgeOrder | BadPurge {
  const { values, soft } = value
  const kind = PURGE_KINDS.find((one) => one === value.kind)
  if (kind === undefined) return expected('kind', `one of ${PURGE_KINDS.join(', ')}`, shown(value.kind))
  if (typeof soft !== 'boolean') return expected('soft', 'true or false', shown(soft))
  if (!Array.isArray(values)) return expected('values', 'a list', shown(values))
  if (kind === 'all') {
    return values.length === 0 ? { kind, values: [], soft } : expected('values', 'none', `${values.length}`)
  }
  if (values.length < 1 || values.length > MAX_PURGE_VALUES) {
    return expected('values', `from 1 to ${MAX_PURGE_VALUES}`, `${values.length}`)
  }
  const read: string[] = []
  for (const [index, one] of values.entries()) {
    const bad = problemOf(kind, one)
    if (bad !== undefined || typeof one !== 'string') return { bad: `values[${index}]: ${bad}` }
    read.push(one)
  }
  return { kind, values: read, soft }
}

/** Undefined: nothing is wrong with it. */
function problemOf(kind: PurgeKind, value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length < 1 || value.length > MAX_PURGE_VALUE) {
    return `expected 1 to ${MAX_PURGE_VALUE} characters, and ${lengthOf(value)} came`
  }
  if (kind === 'tag') {
    // Names in Surrogate-Key end at a space, and no field has control characters.
    return isPrintable(value) ? undefined : `expected a name of printable ASCII, and ${shown(value)} came`
  }
  // Node hands over what is no ASCII as the octets that came, one a character.
  if (/^\/[\x21\x22\x24-\x7e\x80-\xff]*$/.test(value)) return undefined
  return `expected a path that begins with "/", of octets without spaces, "#" and control characters, and ${shown(value)} came`
}

function lengthOf(value: unknown): string {
  return typeof value === 'string' ? `${value.length}` : shown(value)
}

function isPrintable(value: string): boolean {
  return /^[\x20-\x7e]+$/.test(value)
}

function expected(where: string, what: string, came: string): BadPurge {
  return { bad: `${where}: expected ${what}, and ${came} came` }
}

/** What came, as JSON; cut, for it may be anything. */
export function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : (JSON.stringify(value) ?? typeof value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
