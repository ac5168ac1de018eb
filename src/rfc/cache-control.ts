/** What Cache-Control and the targeted fields say (RFC 9111 section 5.2, RFC 9213), as plain values. */
import { type BareItem, parseDictionary, Token } from 'structured-headers'
import { isDigits, isToken, simpleList } from './grammar.ts'
import { type Fields, fieldValue } from './heads.ts'

/**
 * The directives of one field. Where it contradicts itself, the most restrictive reading is taken (RFC 9111
 * section 4.2.1). Seconds are whole, from 0 to 2^31.
 */
export interface CacheControl {
  readonly noStore: boolean
  /** True: the whole response. A list: only the named fields, in lower case (the qualified form). */
  readonly noCache: true | readonly string[] | undefined
  readonly isPrivate: true | readonly string[] | undefined
  readonly isPublic: boolean
  readonly mustRevalidate: boolean
  readonly proxyRevalidate: boolean
  readonly mustUnderstand: boolean
  readonly immutable: boolean
  readonly noTransform: boolean
  readonly onlyIfCached: boolean
  readonly maxAgeSeconds: number | undefined
  readonly sMaxageSeconds: number | undefined
  readonly staleWhileRevalidateSeconds: number | undefined
  readonly staleIfErrorSeconds: number | undefined
  readonly minFreshSeconds: number | undefined
  /** `any`: however stale. */
  readonly maxStaleSeconds: number | 'any' | undefined
}

/** RFC 9111 section 1.2.2: what a delta-seconds that is too large stands for. */
export const MAX_DELTA_SECONDS = 2 ** 31

/** The targeted fields that concern this proxy, in the order of their weight (RFC 9213 section 2.2). */
export const DEFAULT_TARGETS: readonly string[] = ['relais-cache-control', 'cdn-cache-control']

type Draft = { -readonly [Name in keyof CacheControl]: CacheControl[Name] } & {
  noCache: true | string[] | undefined
  isPrivate: true | string[] | undefined
}

/** What stands behind a directive's equals sign. `absent`: there is none. `malformed`: the grammar does not know it. */
type Argument = { readonly form: 'absent' | 'malformed' } | { readonly form: 'given'; readonly text: string }

const ABSENT: Argument = { form: 'absent' }
const MALFORMED: Argument = { form: 'malformed' }

/** The response directives known here, and what stands behind their names in a targeted field. */
const TYPES: ReadonlyMap<string, 'flag' | 'flag or names' | 'integer'> = new Map([
  ['no-store', 'flag'],
  ['no-cache', 'flag or names'],
  ['private', 'flag or names'],
  ['public', 'flag'],
  ['must-revalidate', 'flag'],
  ['proxy-revalidate', 'flag'],
  ['must-understand', 'flag'],
  ['immutable', 'flag'],
  ['no-transform', 'flag'],
  ['max-age', 'integer'],
  ['s-maxage', 'integer'],
  ['stale-while-revalidate', 'integer'],
  ['stale-if-error', 'integer'],
])

const DECIMAL_SECONDS = /(?:max-age|s-maxage|stale-while-revalidate|stale-if-error)=-?\d+\./

const SILENCE: CacheControl = Object.freeze(emptyDraft())

/** Reads all lines of a Cache-Control field, of a request or of a response. Unknown directives are ignored. */
export function parseCacheControl(value: string | undefined): CacheControl {
  if (value === undefined || value === '') return SILENCE
  const draft = emptyDraft()
  // A quote that never closes is read as an ordinary character, or it would hide a no-store behind it.
  let lastQuote = value.lastIndexOf('"')
  let start = 0
  while (start < value.length) {
    let end = indexOrEnd(value, ',', start)
    const equals = value.slice(start, end).indexOf('=')
    if (equals === -1) {
      apply(draft, value.slice(start, end).trim().toLowerCase(), ABSENT)
    } else {
      const name = value
        .slice(start, start + equals)
        .trimStart()
        .toLowerCase()
      const from = start + equals + 1
      let argument = MALFORMED
      const quote = value[from] === '"' && from < lastQuote ? closingQuote(value, from + 1) : -1
      if (quote !== -1) {
        end = indexOrEnd(value, ',', quote)
        if (value.slice(quote + 1, end).trim() === '')
          argument = given(unescaped(value.slice(from + 1, quote)))
      } else {
        // All quotes behind are escaped: looking for one again and again would take quadratic time.
        if (value[from] === '"') lastQuote = -1
        const text = value.slice(from, end).trimEnd()
        if (isToken(text)) argument = given(text)
      }
      // No white space stands before the equals sign (RFC 9111 section 5.2).
      apply(draft, name.trimEnd(), name.endsWith(' ') || name.endsWith('\t') ? MALFORMED : argument)
    }
    start = end + 1
  }
  return draft
}

/**
 * The directives that rule a response here: those of the first targeted field that is valid and not empty, which then
 * stands in the place of Cache-Control and Expires together (RFC 9213 section 2.2); else those of Cache-Control.
 */
export function responseDirectives(
  fields: Fields,
  targets: readonly string[] = DEFAULT_TARGETS,
): { readonly directives: CacheControl; readonly targeted: boolean } {
  for (const target of targets) {
    const value = fieldValue(fields, target)
    const directives = value === undefined ? undefined : parseTargeted(value)
    if (directives !== undefined) return { directives, targeted: true }
  }
  return { directives: parseCacheControl(fieldValue(fields, 'cache-control')), targeted: false }
}

function emptyDraft(): Draft {
  return {
    noStore: false,
    noCache: undefined,
    isPrivate: undefined,
    isPublic: false,
    mustRevalidate: false,
    proxyRevalidate: false,
    mustUnderstand: false,
    immutable: false,
    noTransform: false,
    onlyIfCached: false,
    maxAgeSeconds: undefined,
    sMaxageSeconds: undefined,
    staleWhileRevalidateSeconds: undefined,
    staleIfErrorSeconds: undefined,
    minFreshSeconds: undefined,
    maxStaleSeconds: undefined,
  }
}

function indexOrEnd(value: string, character: string, from: number): number {
  const index = value.indexOf(character, from)
  return index === -1 ? value.length : index
}

/** Where the quoted string that opened before `from` closes, or -1. */
function closingQuote(value: string, from: number): number {
  for (let index = from; index < value.length; index++) {
    const character = value[index]
    if (character === '"') return index
    if (character === '\\') index++
  }
  return -1
}

function unescaped(text: string): string {
  return text.includes('\\') ? text.replace(/\\(.)/gs, '$1') : text
}

function given(text: string): Argument {
  return { form: 'given', text }
}

function apply(draft: Draft, name: string, argument: Argument): void {
  switch (name) {
    case 'no-store':
      draft.noStore = true
      break
    case 'no-cache':
      draft.noCache = qualified(draft.noCache, argument)
      break
    case 'private':
      draft.isPrivate = qualified(draft.isPrivate, argument)
      break
    case 'public':
      draft.isPublic = true
      break
    case 'must-revalidate':
      draft.mustRevalidate = true
      break
    case 'proxy-revalidate':
      draft.proxyRevalidate = true
      break
    case 'must-understand':
      draft.mustUnderstand = true
      break
    case 'immutable':
      draft.immutable = true
      break
    case 'no-transform':
      draft.noTransform = true
      break
    case 'only-if-cached':
      draft.onlyIfCached = true
      break
    case 'max-age':
      // RFC 9111 section 4.2.1 encourages taking what cannot be read for stale; so below.
      draft.maxAgeSeconds = least(draft.maxAgeSeconds, seconds(argument) ?? 0)
      break
    case 's-maxage':
      draft.sMaxageSeconds = least(draft.sMaxageSeconds, seconds(argument) ?? 0)
      break
    case 'stale-while-revalidate':
      draft.staleWhileRevalidateSeconds = least(draft.staleWhileRevalidateSeconds, seconds(argument) ?? 0)
      break
    case 'stale-if-error':
      draft.staleIfErrorSeconds = least(draft.staleIfErrorSeconds, seconds(argument) ?? 0)
      break
    case 'min-fresh':
      draft.minFreshSeconds = Math.max(draft.minFreshSeconds ?? 0, seconds(argument) ?? 0)
      break
    case 'max-stale': {
      const allowed = argument.form === 'absent' ? 'any' : (seconds(argument) ?? 0)
      const before = draft.maxStaleSeconds
      if (before === undefined || before === 'any') draft.maxStaleSeconds = allowed
      else if (allowed !== 'any') draft.maxStaleSeconds = Math.min(before, allowed)
      break
    }
  }
}

function least(before: number | undefined, value: number): number {
  return before === undefined ? value : Math.min(before, value)
}

function seconds(argument: Argument): number | undefined {
  if (argument.form !== 'given' || !isDigits(argument.text)) return undefined
  return Math.min(Number(argument.text), MAX_DELTA_SECONDS)
}

/** The unqualified form is the stricter one, so it wins, and stands for a list that cannot be read. */
function qualified(before: true | string[] | undefined, argument: Argument): true | string[] {
  if (before === true || argument.form !== 'given') return true
  const names = simpleList(argument.text.toLowerCase())
  if (names.length === 0 || !names.every(isToken)) return true
  if (before === undefined) return names
  for (const name of names) before.push(name)
  return before
}

/** Undefined: empty, not a dictionary, or a directive of the wrong type; the field is then as if it were absent. */
function parseTargeted(value: string): CacheControl | undefined {
  // The parser gives 5 for 5.0, but a decimal must not be taken for an integer (RFC 9213 section 2.1).
  if (DECIMAL_SECONDS.test(value)) return undefined
  const draft = emptyDraft()
  try {
    const members = parseDictionary(value)
    if (members.size === 0) return undefined
    for (const [name, [item]] of members) {
      const argument = Array.isArray(item) ? undefined : typedArgument(name, item)
      if (argument === undefined) {
        if (TYPES.has(name)) return undefined
      } else if (argument !== 'unset') apply(draft, name, argument)
    }
  } catch {
    // RFC 9213 section 2.1: a field that cannot be parsed must be ignored, so this error has nothing to tell.
    return undefined
  }
  return draft
}

/** Undefined: a wrong type, or a directive that nobody here knows. `unset`: a false one, which is as good as none. */
function typedArgument(name: string, item: BareItem): Argument | 'unset' | undefined {
  const type = TYPES.get(name)
  if (type === undefined) return undefined
  if (type === 'integer') return Number.isInteger(item) ? given(String(item)) : undefined
  if (typeof item === 'boolean') return item ? ABSENT : 'unset'
  if (type === 'flag') return undefined
  if (typeof item === 'string') return given(item)
  return item instanceof Token ? given(item.toString()) : undefined
}
