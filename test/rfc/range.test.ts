/** Ranges: read, resolved, selected and written. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  formatContentRange,
  parseContentRange,
  parseRange,
  type RangeSpec,
  resolveRange,
  unsatisfiedContentRange,
  wantedRanges,
} from '../../src/rfc/range.ts'
import fc from '../support/properties.ts'

const MAX = Number.MAX_SAFE_INTEGER

const PARSED: readonly (readonly [string, readonly RangeSpec[] | undefined])[] = [
  ['bytes=0-499', [{ first: 0, last: 499 }]],
  ['Bytes=0-0', [{ first: 0, last: 0 }]],
  ['bytes=9500-', [{ first: 9500, last: undefined }]],
  ['bytes=-500', [{ suffix: 500 }]],
  ['bytes=-0', [{ suffix: 0 }]],
  ['bytes=0007-0008', [{ first: 7, last: 8 }]],
  ['bytes=0-0,-1', [{ first: 0, last: 0 }, { suffix: 1 }]],
  [
    'bytes= 0-0 ,\t, 5-6 ,',
    [
      { first: 0, last: 0 },
      { first: 5, last: 6 },
    ],
  ],
  ['bytes=5-9007199254740991', [{ first: 5, last: MAX }]],
  ['bytes=5-9007199254740992', [{ first: 5, last: MAX }]],
  [`bytes=${'9'.repeat(99)}-${'9'.repeat(999)}`, [{ first: MAX, last: MAX }]],
  [`bytes=-${'9'.repeat(99)}`, [{ suffix: MAX }]],
  ['', undefined],
  ['bytes', undefined],
  ['bytes=', undefined],
  ['bytes=,', undefined],
  ['bytes=-', undefined],
  ['bytes=--1', undefined],
  ['bytes=1', undefined],
  ['bytes=2-1', undefined],
  ['bytes=1-2-3', undefined],
  ['bytes=1 - 2', undefined],
  ['bytes=+1-2', undefined],
  ['bytes=0x1-2', undefined],
  ['bytes=1.0-2', undefined],
  ['bytes=a-b', undefined],
  ['bytes=0-1,x', undefined],
  ['bytes =0-1', undefined],
  ['seconds=0-1', undefined],
  ['bytes=0-1, bytes=2-3', undefined],
]
for (const [value, expected] of PARSED) {
  test(`Range "${value.slice(0, 60)}" is ${expected === undefined ? 'ignored' : JSON.stringify(expected)}`, () => {
    assert.deepEqual(parseRange(value), expected)
  })
}

test('a Range with more than eight ranges is ignored', () => {
  assert.equal(parseRange(`bytes=${'0-1,'.repeat(8)}`)?.length, 8)
  assert.equal(parseRange(`bytes=${'0-1,'.repeat(9)}`), undefined)
})

const RESOLVED: readonly (readonly [RangeSpec, number, readonly [number, number] | undefined])[] = [
  [{ first: 0, last: 0 }, 10, [0, 0]],
  [{ first: 2, last: 5 }, 10, [2, 5]],
  [{ first: 2, last: undefined }, 10, [2, 9]],
  [{ first: 2, last: MAX }, 10, [2, 9]],
  [{ first: 9, last: 9 }, 10, [9, 9]],
  [{ first: 10, last: 10 }, 10, undefined],
  [{ first: MAX, last: MAX }, 10, undefined],
  [{ first: 0, last: 0 }, 0, undefined],
  [{ suffix: 3 }, 10, [7, 9]],
  [{ suffix: 10 }, 10, [0, 9]],
  [{ suffix: MAX }, 10, [0, 9]],
  [{ suffix: 0 }, 10, undefined],
  [{ suffix: 1 }, 0, undefined],
]
for (const [spec, size, expected] of RESOLVED) {
  test(`${JSON.stringify(spec)} of ${size} bytes is ${expected?.join('-') ?? 'unsatisfiable'}`, () => {
    const range = expected === undefined ? 'unsatisfiable' : { first: expected[0], last: expected[1] }
    assert.deepEqual(resolveRange(spec, size), range)
  })
}

test('while a body grows, the wanted ranges stay as they were asked', () => {
  const wanted = (value: string) =>
    wantedRanges({ method: 'GET', target: '/', fields: { range: value } }, { status: 200, fields: {} })
  assert.deepEqual(wanted('bytes=5-9007199254740991'), [{ first: 5, last: MAX }])
  assert.deepEqual(wanted('bytes=-5, 0-1'), [{ suffix: 5 }, { first: 0, last: 1 }])
})

const CONTENT_RANGES: readonly (readonly [string | undefined, ReturnType<typeof parseContentRange>])[] = [
  ['bytes 0-4/10', { range: { first: 0, last: 4 }, size: 10 }],
  ['BYTES 0-4/*', { range: { first: 0, last: 4 }, size: undefined }],
  ['bytes 7-9007199254740991/*', { range: { first: 7, last: MAX }, size: undefined }],
  ['bytes */10', { range: undefined, size: 10 }],
  ['bytes */0', { range: undefined, size: 0 }],
  [undefined, undefined],
  ['', undefined],
  ['bytes */*', undefined],
  ['bytes 5-4/10', undefined],
  ['bytes 5-10/10', undefined],
  ['bytes 0-4/9007199254740992', undefined],
  ['bytes 0-9007199254740992/*', undefined],
  ['bytes=0-4/10', undefined],
  ['bytes 0-4', undefined],
  ['bytes 0 - 4/10', undefined],
  ['bytes -4/10', undefined],
  ['items 0-4/10', undefined],
  [`bytes 0-4/${'0'.repeat(70)}10`, undefined],
]
for (const [value, expected] of CONTENT_RANGES) {
  test(`Content-Range "${value?.slice(0, 40)}" says ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(parseContentRange(value), expected)
  })
}

test('whatever is written as Content-Range can be read again', () => {
  const position = fc.maxSafeNat()
  fc.assert(
    fc.property(position, position, fc.option(fc.nat(), { nil: undefined }), (one, other, more) => {
      const part = { first: Math.min(one, other), last: Math.max(one, other) }
      const size = more === undefined || part.last + 1 + more > MAX ? undefined : part.last + 1 + more
      assert.deepEqual(parseContentRange(formatContentRange(part, size)), { range: part, size })
    }),
  )
  assert.deepEqual(parseContentRange(unsatisfiedContentRange(5)), { range: undefined, size: 5 })
})

test('a resolved range lies within the body and within what was asked', () => {
  const spec = fc.oneof(
    fc.record({ suffix: fc.maxSafeNat() }),
    fc.tuple(fc.nat(30), fc.option(fc.nat(30), { nil: undefined })).map(([first, length]) => ({
      first,
      last: length === undefined ? undefined : first + length,
    })),
  )
  fc.assert(
    fc.property(spec, fc.nat(40), (asked, size) => {
      const part = resolveRange(asked, size)
      if (part === 'unsatisfiable') return
      assert.ok(0 <= part.first && part.first <= part.last && part.last < size)
      if ('first' in asked) assert.ok(part.first === asked.first && part.last <= (asked.last ?? size))
      else assert.ok(part.last === size - 1 && part.last - part.first < asked.suffix)
    }),
  )
})
