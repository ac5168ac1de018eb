/** Which stored response a request selects: Vary and the fields it nominates (RFC 9111 section 4.1). */
import { isToken, isWhiteSpace, simpleList } from './grammar.ts'
import { type Fields, fieldValue, type RequestHead, type ResponseHead } from './heads.ts'

/**
 * By nominated field name the request's value, normalised; '' when it was absent. Behind Accept-Language, and a space,
 * stands the one language that was chosen. Empty without Vary. JSON-safe.
 */
export type Variant = Readonly<Record<string, string>>

/** More nominated fields than this are as good as `*`: nobody would ever match them again. */
const MAX_NOMINATED = 32

const NO_VARY: Variant = Object.freeze({})
const NOTHING_IGNORED: ReadonlySet<string> = new Set()

/**
 * What in this request the response depends on. Undefined: on more than can be compared (`Vary: *`, or a name that
 * no field can have). `ignored` names fields that the operator knows not to change the bytes.
 */
export function variantOf(
  request: RequestHead,
  response: ResponseHead,
  ignored: ReadonlySet<string> = NOTHING_IGNORED,
): Variant | undefined {
  const vary = fieldValue(response.fields, 'vary')
  if (vary === undefined) return NO_VARY
  const names = new Set(simpleList(vary.toLowerCase()))
  if (names.has('*')) return undefined
  const variant: Record<string, string> = {}
  let nominated = 0
  for (const name of names) {
    if (ignored.has(name)) continue
    nominated++
    if (nominated > MAX_NOMINATED || !isToken(name) || name === '__proto__') return undefined
    const value = normalised(name, ownValue(request.fields, name))
    const language = name === 'accept-language' ? onlyLanguage(response.fields) : undefined
    // No normal form of it contains a space.
    variant[name] = language === undefined ? value : `${value} ${language}`
  }
  return nominated === 0 ? NO_VARY : variant
}

/** Whether the request selects the stored response with this variant. */
export function matches(variant: Variant, request: RequestHead): boolean {
  for (const name in variant) {
    const value = ownValue(request.fields, name)
    const wanted = variant[name]
    // Normalising what is already normal changes nothing, so equal values need not be looked into.
    if (value === wanted) continue
    if (name === 'accept-language' ? !speaks(value, wanted ?? '') : normalised(name, value) !== wanted)
      return false
  }
  return true
}

/** Whether two stored responses are of one variant, so that the newer one takes the other's place. */
export function isSameVariant(one: Variant, other: Variant): boolean {
  const names = Object.keys(one)
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && one[name] === other[name])
  )
}

/**
 * What matters here of an Accept-Encoding: 'br, gzip', 'br', 'gzip' or 'identity'. A coding with q=0 is not accepted,
 * whatever else is said of it; wildcards and other codings are ignored.
 */
export function normalisedEncoding(value: string | undefined): string {
  if (value === undefined || value === '') return 'identity'
  let gzip: boolean | undefined
  let br: boolean | undefined
  let start = 0
  while (start < value.length) {
    let end = value.indexOf(',', start)
    if (end === -1) end = value.length
    const member = value.slice(start, end)
    start = end + 1
    const semicolon = member.indexOf(';')
    const coding = (semicolon === -1 ? member : member.slice(0, semicolon)).trim().toLowerCase()
    if (coding !== 'br' && coding !== 'gzip' && coding !== 'x-gzip') continue
    const accepted = semicolon === -1 || isWeighty(member.slice(semicolon + 1))
    if (coding === 'br') br = accepted && br !== false
    // RFC 9110 section 8.4.1.3: x-gzip means gzip.
    else gzip = accepted && gzip !== false
  }
  if (br === true) return gzip === true ? 'br, gzip' : 'br'
  return gzip === true ? 'gzip' : 'identity'
}

/** Whether a weight is above zero (RFC 9110 section 12.4.2). One that cannot be read accepts nothing. */
function isWeighty(parameter: string): boolean {
  const weight = parameter.trim()
  return weight.length <= 7 && /^q=(?:0\.(?=\d*[1-9])\d{1,3}|1(?:\.0{0,3})?)$/i.test(weight)
}

function normalised(name: string, value: string | undefined): string {
  if (name === 'accept-encoding') return normalisedEncoding(value)
  if (value === undefined) return ''
  // RFC 9110 section 12.5.4: languages are equal in any case, and their weights speak, not their order.
  if (name === 'accept-language') {
    return simpleList(value.toLowerCase().replace(/[ \t]/g, '')).sort().join(',')
  }
  return withoutSpaceAtCommas(value)
}

/**
 * Whether a request gets what was chosen for another's Accept-Language: it says the same, or what it likes best is what
 * was chosen, so that the origin would choose it again (RFC 9110 section 12.5.4). `wanted` is of variantOf.
 */
function speaks(value: string | undefined, wanted: string): boolean {
  const space = wanted.indexOf(' ')
  if (space < 0) return normalised('accept-language', value) === wanted
  return (
    normalised('accept-language', value) === wanted.slice(0, space) ||
    favourite(value) === wanted.slice(space + 1)
  )
}

/** The one language the response is in; undefined when it says none or several. */
function onlyLanguage(fields: Fields): string | undefined {
  const language = fieldValue(fields, 'content-language')?.trim().toLowerCase()
  return language !== undefined && isToken(language) ? language : undefined
}

/** The language with the largest weight, in lower case; undefined when several share it, or a weight cannot be read. */
function favourite(value: string | undefined): string | undefined {
  let best: string | undefined
  let weight = 0
  for (const member of simpleList(value?.toLowerCase())) {
    const [language = '', parameter = 'q=1', ...more] = member.split(';').map((part) => part.trim())
    if (more.length > 0 || !/^q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(parameter)) return undefined
    const own = Number(parameter.slice(2))
    if (own === weight) best = undefined
    if (own <= weight) continue
    best = language
    weight = own
  }
  return best
}

/** White space around the commas of a list has no meaning (RFC 9110 section 5.6.1), outside of quoted strings. */
function withoutSpaceAtCommas(value: string): string {
  if (!value.includes(',')) return value
  let result = ''
  let isQuoted = false
  let pending = ''
  let last = ''
  for (let index = 0; index < value.length; index++) {
    const character = value[index] ?? ''
    if (!isQuoted && isWhiteSpace(character)) {
      pending += character
      continue
    }
    if (isQuoted || (character !== ',' && last !== ',')) result += pending
    pending = ''
    result += character
    last = character
    if (character === '"') isQuoted = !isQuoted
    else if (isQuoted && character === '\\') result += value[++index] ?? ''
  }
  return result + pending
}

/** A viewer or an origin may name `constructor`: only the request's own fields count. */
function ownValue(fields: Fields, name: string): string | undefined {
  return Object.hasOwn(fields, name) ? fieldValue(fields, name) : undefined
}
