/** Field values for fast-check: sound ones, those with one thing wrong, and plain noise. */
import fc from './properties.ts'

const DATES = [
  'Sun, 06 Nov 1994 08:49:37 GMT',
  'Thu, 01 Jan 2026 00:00:10 GMT',
  'Sunday, 06-Nov-94 08:49:37 GMT',
  'Sun Nov  6 08:49:37 1994',
  'Fri, 31 Dec 9999 23:59:59 GMT',
  'Sun, 00 Jan 0000 00:00:00 GMT',
  'Sun, 06 Nov 1994 25:61:61 GMT',
  '0',
  '-1',
]
const SECONDS = ['0', '1', '60', '2147483648', '99999999999999999999', '-1', '1.5', '1e3', '0x10', '"60"', '']
const NAMES = ['foo', 'Set-Cookie', 'cache-control', 'host', '*', '__proto__', 'constructor', 'x y', '']
const TAGS = ['"1"', 'W/"1"', 'w/"1"', '""', '"a"b"', '"', '1', 'W/', '*', '"1', '"é"']

const seconds = fc.constantFrom(...SECONDS)
const names = fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 }).map((all) => all.join(','))
const flag = fc.constantFrom('no-store', 'no-cache', 'private', 'public', 'must-revalidate', 'immutable')
const timed = fc
  .tuple(fc.constantFrom('max-age', 's-maxage', 'stale-if-error', 'stale-while-revalidate'), seconds)
  .map(([name, value]) => `${name}=${value}`)
const qualified = fc
  .tuple(fc.constantFrom('no-cache', 'private', 'foo'), names)
  .map(([name, value]) => `${name}="${value}"`)
const place = fc.constantFrom('0', '1', '9', '10', '007', '9007199254740991', '9007199254740992', '')

const SOUND: Readonly<Record<string, fc.Arbitrary<string>>> = {
  'cache-control': listOf(fc.oneof(flag, timed, qualified)),
  'cdn-cache-control': listOf(fc.oneof(flag, timed, qualified)),
  vary: names,
  range: listOf(fc.tuple(place, place).map((both) => both.join('-'))).map((set) => `bytes=${set}`),
  'if-range': fc.constantFrom(...TAGS, ...DATES),
  age: seconds,
  date: fc.constantFrom(...DATES),
  expires: fc.constantFrom(...DATES),
  'last-modified': fc.constantFrom(...DATES),
  'content-range': fc
    .tuple(place, place, fc.oneof(place, fc.constant('*')))
    .map(([first, last, size]) => `bytes ${first}-${last}/${size}`),
  etag: fc.constantFrom(...TAGS),
  'if-none-match': listOf(fc.constantFrom(...TAGS)),
  connection: names,
}

/** The fields there are values for. */
export const FIELD_NAMES: readonly string[] = Object.keys(SOUND)

/** Any value at all for the field, most of them close to its grammar. */
export function valuesOf(name: string): fc.Arbitrary<string> {
  const sound = SOUND[name]
  if (sound === undefined) throw new Error(`no values for ${name}: expected one of ${FIELD_NAMES.join(', ')}`)
  return fc.oneof(
    { weight: 3, arbitrary: sound },
    { weight: 6, arbitrary: mutated(sound) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  )
}

/** The field as Node hands it over: one line, or several. */
export function linesOf(name: string): fc.Arbitrary<string | string[]> {
  const value = valuesOf(name)
  return fc.oneof({ weight: 4, arbitrary: value }, fc.array(value, { maxLength: 3 }))
}

function listOf(member: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(fc.array(member, { minLength: 1, maxLength: 4 }), fc.constantFrom(',', ', ', ' , ', ',,', '\t,'))
    .map(([members, comma]) => members.join(comma))
}

/** Something left out, doubled, turned round or put in. */
function mutated(sound: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const noise = fc.oneof(
    fc.constantFrom('"', '\\', ',', ';', '=', ' ', '\t', '-', '*', '/', '(', '\0', '\r', '\n', 'é', '%'),
    fc.string({ maxLength: 3 }),
  )
  const change = fc.record({
    way: fc.constantFrom('cut', 'double', 'turn', 'put', 'case'),
    at: fc.nat(60),
    length: fc.integer({ min: 1, max: 6 }),
    noise,
  })
  return fc.tuple(sound, fc.array(change, { minLength: 1, maxLength: 3 })).map(([text, changes]) => {
    let value = text
    for (const { way, at, length, noise: more } of changes) {
      const from = Math.min(at, value.length)
      const piece = value.slice(from, from + length)
      const rest = value.slice(from + length)
      const before = value.slice(0, from)
      if (way === 'cut') value = before + rest
      else if (way === 'double') value = before + piece + piece + rest
      else if (way === 'turn') value = before + [...piece].reverse().join('') + rest
      else if (way === 'put') value = before + more + piece + rest
      else value = before + piece.toUpperCase() + rest
    }
    return value
  })
}
