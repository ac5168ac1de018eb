/** Vary: which requests are answered with the same stored response. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fields, RequestHead } from '../../src/rfc/heads.ts'
import { matches, normalisedEncoding, variantOf } from '../../src/rfc/vary.ts'
import fc from '../support/properties.ts'

function request(fields: Fields): RequestHead {
  return { method: 'GET', target: '/', fields }
}

function isSame(vary: string | readonly string[], stored: Fields, presented: Fields): boolean {
  const variant = variantOf(request(stored), { status: 200, fields: { vary } })
  return variant !== undefined && matches(variant, request(presented))
}

const SAME: readonly (readonly [string, string | string[], Fields, Fields, boolean])[] = [
  ['the same value', 'Foo', { foo: '1' }, { foo: '1' }, true],
  ['another value', 'Foo', { foo: '1' }, { foo: '2' }, false],
  ['a value where there was none', 'Foo', {}, { foo: '1' }, false],
  ['none where there was a value', 'Foo', { foo: '1' }, {}, false],
  ['none where there was none', 'Foo', {}, {}, true],
  ['fields not nominated', 'Foo', { foo: '1', other: '2' }, { foo: '1', other: '3' }, true],
  ['all of several', 'Foo, Bar', { foo: '1', bar: 'a' }, { foo: '1', bar: 'a' }, true],
  ['one of several differs', ['Foo', 'Bar'], { foo: '1', bar: 'a' }, { foo: '1', bar: 'b' }, false],
  ['values differ in case', 'Foo', { foo: 'a' }, { foo: 'A' }, false],
  ['two lines for one list', 'Foo', { foo: '1, 2' }, { foo: ['1', '2'] }, true],
  ['white space at commas', 'Foo', { foo: '1,2' }, { foo: '1 ,\t2' }, true],
  ['white space within a quoted string', 'Foo', { foo: '"1,2", 3' }, { foo: '"1, 2", 3' }, false],
  ['white space between words', 'Foo', { foo: 'a b,c' }, { foo: 'ab,c' }, false],
  [
    'languages in another order',
    'Accept-Language',
    { 'accept-language': 'en, de' },
    { 'accept-language': 'de,EN' },
    true,
  ],
  [
    'languages of other weight',
    'Accept-Language',
    { 'accept-language': 'en, de' },
    { 'accept-language': 'en, de;q=0.5' },
    false,
  ],
  [
    'encodings that mean the same',
    'Accept-Encoding',
    { 'accept-encoding': 'gzip, deflate' },
    { 'accept-encoding': 'x-gzip;q=0.5, zstd' },
    true,
  ],
  ['no encoding and identity', 'Accept-Encoding', {}, { 'accept-encoding': 'identity' }, true],
  [
    'encodings that differ',
    'Accept-Encoding',
    { 'accept-encoding': 'gzip' },
    { 'accept-encoding': 'gzip, br' },
    false,
  ],
  ['a name that every object has', 'constructor, toString', {}, {}, true],
  ['*', '*', {}, {}, false],
  ['* twice', '*, *', {}, {}, false],
  ['* on two lines', ['*', '*'], {}, {}, false],
  ['* behind an empty member', ', *', {}, {}, false],
  ['* behind an empty line', ['', '*'], {}, {}, false],
  ['* before a name', '*, Foo', { foo: '1' }, { foo: '1' }, false],
  ['* behind a name', 'Foo, *', { foo: '1' }, { foo: '1' }, false],
  ['a name no field can have', 'Foo Bar', {}, {}, false],
  ['the name that is no property', '__proto__', {}, {}, false],
]
for (const [what, vary, stored, presented, expected] of SAME) {
  test(`Vary, ${what}: ${expected ? 'the stored response answers' : 'it does not'}`, () => {
    assert.equal(isSame(vary, stored, presented), expected)
  })
}

test('without Vary there is one variant for all', () => {
  assert.deepEqual(variantOf(request({ foo: '1' }), { status: 200, fields: {} }), {})
  assert.deepEqual(variantOf(request({ foo: '1' }), { status: 200, fields: { vary: ' , ' } }), {})
  assert.equal(matches({}, request({ foo: '2' })), true)
})

test('what the operator ignores makes no variants', () => {
  const response = { status: 200, fields: { vary: 'Origin, Accept-Encoding' } }
  const asked = request({ origin: 'https://a', 'accept-encoding': 'br' })
  assert.deepEqual(variantOf(asked, response, new Set(['origin'])), { 'accept-encoding': 'br' })
  assert.deepEqual(variantOf(asked, response, new Set(['origin', 'accept-encoding'])), {})
})

test('a Vary with very many names matches nothing, instead of keeping them all', () => {
  const vary = Array.from({ length: 33 }, (_, index) => `x-${index}`)
  assert.equal(variantOf(request({}), { status: 200, fields: { vary } }), undefined)
  assert.notEqual(variantOf(request({}), { status: 200, fields: { vary: vary.slice(1) } }), undefined)
})

const ENCODINGS: readonly (readonly [string | undefined, string])[] = [
  [undefined, 'identity'],
  ['', 'identity'],
  ['*', 'identity'],
  ['deflate, zstd', 'identity'],
  ['gzip', 'gzip'],
  ['GZip', 'gzip'],
  ['br', 'br'],
  ['gzip, deflate, br, zstd', 'br, gzip'],
  ['br;q=0.1, gzip;q=1.0', 'br, gzip'],
  ['br;q=0, gzip', 'gzip'],
  ['br ; q=0.000 , gzip ; Q=0.001', 'gzip'],
  ['gzip, gzip;q=0', 'identity'],
  ['gzip;q=0, gzip', 'identity'],
  ['gzip;q=2', 'identity'],
  ['gzip;q=', 'identity'],
  ['gzip;q=1.', 'gzip'],
  ['gzip;q=0.0001', 'identity'],
  ['gzipped, brotli', 'identity'],
]
for (const [value, expected] of ENCODINGS) {
  test(`Accept-Encoding "${value}" means ${expected}`, () => {
    assert.equal(normalisedEncoding(value), expected)
  })
}

test('a request always matches its own variant, also after JSON', () => {
  const value = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom(',', ' ', '"', '\\', 'a', ';q=0', 'gzip')).map((all) => all.join('')),
  )
  const name = fc.constantFrom('a', 'b', 'accept-encoding', 'accept-language', 'constructor', 'valueof')
  fc.assert(
    fc.property(fc.dictionary(name, fc.oneof(value, fc.array(value))), fc.array(name), (fields, names) => {
      const variant = variantOf(request(fields), { status: 200, fields: { vary: names.join(', ') } })
      assert.ok(variant !== undefined)
      assert.ok(matches(variant, request(fields)))
      assert.ok(matches(JSON.parse(JSON.stringify(variant)), request(fields)))
      // What is normal already stays as it is: matches relies on it.
      for (const [key, normal] of Object.entries(variant)) {
        if (normal !== '') assert.ok(matches(variant, request({ ...fields, [key]: normal })))
      }
    }),
  )
})

const SPOKEN: readonly (readonly [string, string, string, string | undefined, boolean])[] = [
  ['what it likes best was chosen', 'en, de', 'de', 'fr;q=0.5, de;q=1.0', true],
  ['the same list, whatever was chosen', 'en, de', 'de', 'de, en', true],
  ['in any case', 'en, de', 'DE', 'De', true],
  ['what it likes best was not chosen', 'en, de', 'de', 'fr, de;q=0.5', false],
  ['it likes two equally', 'en, de', 'de', 'fr, de', false],
  ['it likes none', 'en, de', 'de', undefined, false],
  ['it accepts none', 'en, de', 'de', 'de;q=0', false],
  ['a weight that cannot be read', 'en, de', 'de', 'de;q=high, fr;q=0.1', false],
  ['several languages in one response', 'en, de', 'de, en', 'de', false],
]
for (const [what, stored, chosen, presented, expected] of SPOKEN) {
  test(`Vary: Accept-Language, ${what}: ${expected ? 'the stored response answers' : 'it does not'}`, () => {
    const fields = { vary: 'Accept-Language', 'content-language': chosen }
    const variant = variantOf(request({ 'accept-language': stored }), { status: 200, fields })
    assert.ok(variant !== undefined)
    assert.equal(matches(variant, request({ 'accept-language': presented })), expected)
  })
}
