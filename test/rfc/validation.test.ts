/** Validators asked with, conditions answered, and what a 304 changes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fields } from '../../src/rfc/heads.ts'
import {
  freshen,
  hasStrongValidator,
  notModifiedFields,
  type Precondition,
  precondition,
  validatorsOf,
} from '../../src/rfc/validation.ts'
import fc from '../support/properties.ts'

const EARLIER = 'Sun, 06 Nov 1994 08:49:36 GMT'
const LM = 'Sun, 06 Nov 1994 08:49:37 GMT'
const LM_850 = 'Sunday, 06-Nov-94 08:49:37 GMT'
const LATER = 'Sun, 06 Nov 1994 08:49:38 GMT'

const VALIDATORS: readonly (readonly [string, Fields, Fields | undefined])[] = [
  ['no validator', { 'content-type': 'a/b' }, undefined],
  ['a strong tag', { etag: '"a"' }, { 'if-none-match': '"a"' }],
  ['a weak tag', { etag: 'W/"a"' }, { 'if-none-match': 'W/"a"' }],
  ['a tag without quotes, as the origin knows it', { etag: 'a' }, { 'if-none-match': 'a' }],
  ['a date', { 'last-modified': LM }, { 'if-modified-since': LM }],
  ['both', { etag: '"a"', 'last-modified': LM }, { 'if-none-match': '"a"', 'if-modified-since': LM }],
  ['a date that is none', { 'last-modified': 'today' }, undefined],
  ['two tags that contradict each other', { etag: ['"a"', '"b"'] }, undefined],
]
for (const [what, fields, expected] of VALIDATORS) {
  test(`a stored response with ${what} is validated with ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(validatorsOf(fields), expected)
  })
}

const TAGGED: Fields = { etag: '"a"', 'last-modified': LM, date: LATER }

const CONDITIONS: readonly (readonly [string, Fields, Fields, Precondition])[] = [
  ['no condition', TAGGED, {}, 'none'],
  ['the same tag', TAGGED, { 'if-none-match': '"a"' }, 'not-modified'],
  ['another tag', TAGGED, { 'if-none-match': '"b"' }, 'none'],
  ['a tag that begins alike', TAGGED, { 'if-none-match': '"aa", "a' }, 'none'],
  ['the tag first of a list', TAGGED, { 'if-none-match': '"a", "b", "c"' }, 'not-modified'],
  ['the tag amidst a list', TAGGED, { 'if-none-match': '"b", "a", "c"' }, 'not-modified'],
  ['the tag last of a list', TAGGED, { 'if-none-match': '"b","c",W/"a"' }, 'not-modified'],
  ['the tag on the second line', TAGGED, { 'if-none-match': ['"b"', '"a"'] }, 'not-modified'],
  ['the tag behind empty members', TAGGED, { 'if-none-match': ',, ,\t"a"' }, 'not-modified'],
  ['the tag behind a malformed member', TAGGED, { 'if-none-match': 'b, "a"' }, 'not-modified'],
  ['the tag within another tag', TAGGED, { 'if-none-match': '"b,"a",c"' }, 'none'],
  ['the tag without its quotes', TAGGED, { 'if-none-match': 'a' }, 'none'],
  ['a weak tag for a strong one', TAGGED, { 'if-none-match': 'W/"a"' }, 'not-modified'],
  ['a strong tag for a weak one', { etag: 'W/"a"' }, { 'if-none-match': '"a"' }, 'not-modified'],
  ['a tag of another case', TAGGED, { 'if-none-match': '"A"' }, 'none'],
  ['a tag that holds a comma', { etag: '"a,b"' }, { 'if-none-match': '"x,y", "a,b"' }, 'not-modified'],
  ['a tag beyond ASCII', { etag: '"ü"' }, { 'if-none-match': '"ü"' }, 'not-modified'],
  ['the very tag that is not quoted', { etag: 'a' }, { 'if-none-match': 'a' }, 'not-modified'],
  ['a tag, though nothing is tagged', { 'last-modified': LM }, { 'if-none-match': '"a"' }, 'none'],
  ['any tag', {}, { 'if-none-match': '*' }, 'not-modified'],
  ['another tag and the same date', TAGGED, { 'if-none-match': '"b"', 'if-modified-since': LM }, 'none'],
  [
    'the same tag and an earlier date',
    TAGGED,
    { 'if-none-match': '"a"', 'if-modified-since': EARLIER },
    'not-modified',
  ],
  ['the same date', TAGGED, { 'if-modified-since': LM }, 'not-modified'],
  ['the same date in its old form', TAGGED, { 'if-modified-since': LM_850 }, 'not-modified'],
  ['a later date', TAGGED, { 'if-modified-since': LATER }, 'not-modified'],
  ['an earlier date', TAGGED, { 'if-modified-since': EARLIER }, 'none'],
  ['no date', TAGGED, { 'if-modified-since': 'yesterday' }, 'none'],
  ['two dates', TAGGED, { 'if-modified-since': [LM, LATER] }, 'none'],
  ['a date that Date answers', { date: LM }, { 'if-modified-since': LM }, 'not-modified'],
  ['a date before Date', { date: LM }, { 'if-modified-since': EARLIER }, 'none'],
  ['a date with nothing to compare', {}, { 'if-modified-since': LM }, 'none'],
  ['If-Match', TAGGED, { 'if-match': '"a"' }, 'beyond-caches'],
  [
    'If-Unmodified-Since beside a tag',
    TAGGED,
    { 'if-unmodified-since': LM, 'if-none-match': '"a"' },
    'beyond-caches',
  ],
]
for (const [what, stored, asked, expected] of CONDITIONS) {
  test(`asked with ${what}: ${expected}`, () => {
    const request = { method: 'GET', target: '/', fields: asked }
    assert.equal(precondition(request, { status: 200, fields: stored }), expected)
  })
}

test('conditions hold for stored successes only, dates for a stored 200 only', () => {
  const asked = (fields: Fields) => ({ method: 'GET', target: '/', fields })
  const byTag = asked({ 'if-none-match': '"a"' })
  const byDate = asked({ 'if-modified-since': LM })
  assert.equal(precondition(byTag, { status: 203, fields: TAGGED }), 'not-modified')
  assert.equal(precondition(byDate, { status: 203, fields: TAGGED }), 'none')
  assert.equal(precondition(byTag, { status: 404, fields: TAGGED }), 'none')
  assert.equal(precondition(byTag, { status: 301, fields: TAGGED }), 'none')
})

test('a tag is found wherever it stands in a list, and no other is', () => {
  const tag = fc
    .tuple(fc.constantFrom('', 'W/'), fc.array(fc.constantFrom('a', 'b', ',', ' ', 'W/', '*')))
    .map(([weak, parts]) => `${weak}"${parts.join('')}"`)
  fc.assert(
    fc.property(fc.array(tag, { minLength: 1 }), tag, (listed, stored) => {
      const opaque = (text: string) => text.replace(/^W\/"/, '"')
      const isListed = listed.some((one) => opaque(one).slice(1) === opaque(stored).slice(1))
      const asked = { method: 'GET', target: '/', fields: { 'if-none-match': listed.join(', ') } }
      const expected = isListed ? 'not-modified' : 'none'
      assert.equal(precondition(asked, { status: 200, fields: { etag: stored } }), expected)
    }),
  )
})

const STORED: Fields = {
  etag: '"a"',
  'last-modified': LM,
  'content-type': 'video/mp4',
  'content-encoding': 'gzip',
  'content-digest': 'sha-256=:AAAA:',
  'cache-control': 'max-age=1',
  date: LM,
  'x-kept': '1',
  'x-news': '1',
}

test('a 304 brings news, and leaves what describes the stored bytes', () => {
  const news = {
    etag: '"a"',
    'content-type': 'text/plain',
    'content-encoding': 'br',
    'content-length': '0',
    'content-range': 'bytes 0-0/1',
    'content-digest': 'sha-256=:BBBB:',
    'content-md5': 'rL0Y20zC+Fzt72VPzMSk2A==',
    'cache-control': 'max-age=3600',
    'content-location': '/b',
    date: LATER,
    'x-news': ['2', '3'],
    age: '7',
    'set-cookie': 'a=b',
    connection: 'x-hop',
    'x-hop': '1',
    'transfer-encoding': 'chunked',
  }
  assert.deepEqual(freshen(STORED, news), {
    ...STORED,
    'cache-control': 'max-age=3600',
    'content-location': '/b',
    date: LATER,
    'x-news': ['2', '3'],
  })
})

test('a 304 without Date takes the old Date with it, which would count as age', () => {
  const { date: _, ...undated } = STORED
  assert.deepEqual(freshen(STORED, {}), undated)
})

const SAME: readonly (readonly [string, Fields, Fields, boolean])[] = [
  ['the same strong tag', { etag: '"a"' }, { etag: '"a"' }, true],
  ['another strong tag', { etag: '"a"' }, { etag: '"b"' }, false],
  ['another strong tag, and the same date', STORED, { etag: '"b"', 'last-modified': LM }, false],
  ['the same tag, and another date', STORED, { etag: '"a"', 'last-modified': LATER }, true],
  ['a strong tag for a weak one', { etag: 'W/"a"' }, { etag: '"a"' }, false],
  ['a weak tag for a strong one', { etag: '"a"' }, { etag: 'W/"a"' }, true],
  ['another weak tag', { etag: 'W/"a"' }, { etag: 'W/"b"' }, false],
  ['a tag where there was none', { 'last-modified': LM }, { etag: '"a"' }, false],
  ['the same date', { 'last-modified': LM }, { 'last-modified': LM }, true],
  ['the same date in its old form', { 'last-modified': LM }, { 'last-modified': LM_850 }, true],
  ['another date', { 'last-modified': LM }, { 'last-modified': LATER }, false],
  ['a date where there was only a tag', { etag: '"a"' }, { 'last-modified': LM }, true],
  ['no validator', STORED, {}, true],
]
for (const [what, stored, notModified, expected] of SAME) {
  test(`a 304 with ${what} ${expected ? 'updates' : 'must not update'}`, () => {
    assert.equal(freshen(stored, notModified) !== undefined, expected)
  })
}

test('a 304 made here carries what guides caches, and nothing that describes bytes', () => {
  const kept = {
    'cache-control': 'max-age=1',
    'cdn-cache-control': 'max-age=2',
    'content-location': '/a',
    date: LM,
    etag: '"a"',
    expires: LM,
    vary: 'origin',
    'access-control-allow-origin': '*',
  }
  const fields = {
    ...kept,
    'content-type': 'a/b',
    'content-encoding': 'gzip',
    'content-language': 'en',
    'content-length': '5',
    'content-range': 'bytes 0-0/1',
    'last-modified': LM,
  }
  assert.deepEqual(notModifiedFields(fields), kept)
  const { etag: _, ...untagged } = kept
  assert.deepEqual(notModifiedFields({ ...untagged, 'last-modified': LM }), {
    ...untagged,
    'last-modified': LM,
  })
})

const STRONG: readonly (readonly [string, Fields, boolean])[] = [
  ['a strong tag', { etag: '"a"' }, true],
  ['an empty tag', { etag: '""' }, true],
  ['a weak tag', { etag: 'W/"a"' }, false],
  ['a tag without quotes', { etag: 'a' }, false],
  ['a tag with a quote within', { etag: '"a"b"' }, false],
  ['two tags', { etag: ['"a"', '"b"'] }, false],
  ['a date a second before Date', { 'last-modified': LM, date: LATER }, true],
  ['a date in the second of Date', { 'last-modified': LM, date: LM }, false],
  ['a date without Date', { 'last-modified': LM }, false],
  ['a weak tag beside a strong date', { etag: 'W/"a"', 'last-modified': LM, date: LATER }, false],
  ['nothing', {}, false],
]
for (const [what, fields, expected] of STRONG) {
  test(`${what} ${expected ? 'is' : 'is not'} a strong validator`, () => {
    assert.equal(hasStrongValidator(fields), expected)
  })
}
