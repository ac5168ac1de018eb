/** Several ranges of one body: what is sent of them, and that no set of them is worth more than its whole. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fields } from '../../src/rfc/heads.ts'
import { selectRanges } from '../../src/rfc/range-set.ts'
import fc from '../support/properties.ts'
import { rangeFields } from '../support/range-fields.ts'
import { assertObeyed } from '../support/range-oracle.ts'

const LM = 'Sun, 06 Nov 1994 08:49:37 GMT'
const LATER = 'Sun, 06 Nov 1994 08:49:38 GMT'
const STORED: Fields = { etag: '"a"', 'last-modified': LM, date: LATER }

type Selected = ReturnType<typeof selectRanges>

function selected(fields: Fields, stored = STORED, status = 200, method = 'GET', size = 1000): Selected {
  return selectRanges({ method, target: '/', fields }, { status, fields: stored }, size)
}

function ranges(...pairs: readonly (readonly [number, number])[]): Selected {
  return pairs.map(([first, last]) => ({ first, last }))
}

const range = 'bytes=2-5'
const PART = ranges([2, 5])

const SELECTED: readonly (readonly [string, Selected, Selected])[] = [
  ['no Range', 'whole', selected({})],
  ['one range', PART, selected({ range })],
  ['one range beyond the end', 'unsatisfiable', selected({ range: 'bytes=1000-' })],
  ['several Range lines', 'whole', selected({ range: ['bytes=0-0', 'bytes=5-6'] })],
  ['a malformed Range', 'whole', selected({ range: 'bytes=5-2' })],
  ['another unit', 'whole', selected({ range: 'seconds=1-2' })],
  ['a Range on HEAD', 'whole', selected({ range }, STORED, 200, 'HEAD')],
  ['a Range of a stored 404', 'whole', selected({ range }, STORED, 404)],
  ['a suffix of an empty body', 'whole', selected({ range: 'bytes=-5' }, STORED, 200, 'GET', 0)],
  ['the start of an empty body', 'unsatisfiable', selected({ range: 'bytes=0-' }, STORED, 200, 'GET', 0)],
  ['two ranges', ranges([0, 9], [500, 509]), selected({ range: 'bytes=0-9,500-509' })],
  ['two ranges, the later first', ranges([500, 509], [0, 9]), selected({ range: 'bytes=500-509,0-9' })],
  ['the first and the last bytes', ranges([0, 3], [996, 999]), selected({ range: 'bytes=0-3,-4' })],
  ['two ranges that overlap', ranges([0, 19]), selected({ range: 'bytes=0-10,5-19' })],
  ['two ranges that touch', ranges([0, 19]), selected({ range: 'bytes=10-19,0-9' })],
  ['two ranges 80 bytes apart', ranges([0, 99]), selected({ range: 'bytes=0-9,89-99' })],
  ['two ranges 81 bytes apart', ranges([0, 9], [90, 99]), selected({ range: 'bytes=0-9,90-99' })],
  [
    'two that join around one asked for later',
    ranges([500, 519], [0, 9]),
    selected({ range: 'bytes=500-509,0-9,510-519' }),
  ],
  ['three ranges that overlap', 'whole', selected({ range: 'bytes=0-10,5-19,15-30' })],
  ['the same range three times', 'whole', selected({ range: 'bytes=0-0,0-0,0-0' })],
  ['several of which one exists', ranges([7, 9]), selected({ range: 'bytes=1000-,7-9,2000-3000,-0' })],
  ['several of which none exists', 'unsatisfiable', selected({ range: 'bytes=1000-,2000-3000,-0' })],
  ['several of which one is malformed', 'whole', selected({ range: 'bytes=0-9,x,500-509' })],
  ['If-Range with the tag', PART, selected({ range, 'if-range': '"a"' })],
  ['If-Range with another tag', 'whole', selected({ range, 'if-range': '"b"' })],
  ['If-Range with a list', 'whole', selected({ range, 'if-range': '"a", "b"' })],
  ['If-Range with a weak tag', 'whole', selected({ range, 'if-range': 'W/"a"' }, { etag: 'W/"a"' })],
  [
    'If-Range with a strong tag for a weak one',
    'whole',
    selected({ range, 'if-range': '"a"' }, { etag: 'W/"a"' }),
  ],
  ['If-Range with the date', PART, selected({ range, 'if-range': LM })],
  ['If-Range with a later date', 'whole', selected({ range, 'if-range': LATER })],
  [
    'If-Range with a date that may have changed within its second',
    'whole',
    selected({ range, 'if-range': LM }, { 'last-modified': LM, date: LM }),
  ],
  ['If-Range where nothing validates', 'whole', selected({ range, 'if-range': '"a"' }, {})],
  ['If-Range twice', 'whole', selected({ range, 'if-range': ['"a"', '"a"'] })],
  ['If-Range that is empty', 'whole', selected({ range, 'if-range': '' })],
]
for (const [what, expected, actual] of SELECTED) {
  test(`asked with ${what}: ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(actual, expected)
  })
}

test('eight ranges are answered, and nine with the whole', () => {
  const set = (count: number): string =>
    Array.from({ length: count }, (_, n) => `${n * 100}-${n * 100}`).join()
  assert.equal(selected({ range: `bytes=${set(8)}` })?.length, 8)
  assert.equal(selected({ range: `bytes=${set(9)}` }), 'whole')
})

test('whatever the Range, every byte asked for is sent once, in order, and hardly one that was not', () => {
  const asked = fc.nat(400).chain((size) => fc.tuple(fc.constant(size), rangeFields(size)))
  fc.assert(
    fc.property(asked, ([size, field]) => {
      assertObeyed(field, size, selected({ range: field }, STORED, 200, 'GET', size))
    }),
    { numRuns: 3000 },
  )
})
