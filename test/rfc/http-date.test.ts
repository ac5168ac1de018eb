/** HTTP-dates are read in all three forms, strictly, and written in one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatHttpDate, parseHttpDate } from '../../src/rfc/http-date.ts'
import fc from '../support/properties.ts'

const NOW = Date.UTC(2026, 5, 15)
const EXAMPLE = Date.UTC(1994, 10, 6, 8, 49, 37)

const VALID: readonly (readonly [string, number])[] = [
  ['Sun, 06 Nov 1994 08:49:37 GMT', EXAMPLE],
  ['Sunday, 06-Nov-94 08:49:37 GMT', EXAMPLE],
  ['Sun Nov  6 08:49:37 1994', EXAMPLE],
  ['SUN, 06 NOV 1994 08:49:37 gmt', EXAMPLE],
  ['Wed, 29 Feb 2024 00:00:00 GMT', Date.UTC(2024, 1, 29)],
  ['Sat, 31 Dec 2016 23:59:60 GMT', Date.UTC(2017, 0, 1)],
  ['Sun, 21 Nov 2286 04:46:39 GMT', Date.UTC(2286, 10, 21, 4, 46, 39)],
  // The name of the day is wrong: the date counts.
  ['Thu Aug  8 02:01:18 2050', Date.UTC(2050, 7, 8, 2, 1, 18)],
  ['Thu Aug 18 02:01:18 2050', Date.UTC(2050, 7, 18, 2, 1, 18)],
  ['Mon, 01 Jan 0001 00:00:00 GMT', -62_135_596_800_000],
]
for (const [text, at] of VALID) {
  test(`the date "${text}" is read`, () => {
    assert.equal(parseHttpDate(text, NOW), at)
  })
}

const INVALID = [
  '',
  '0',
  '-1',
  'foo',
  'Thu, 18 Aug 2050 02:01:18 UTC',
  'Thu, 18 Aug 2050 02:01:18 AEST',
  'Thu, 18 Aug 2050 02:01:18 +0000',
  'Thu, 18 Aug 2050 02:01:18',
  'Thu, 18 Aug 50 02:01:18 GMT',
  'Thu 18 Aug 2050 02:01:18 GMT',
  'Thu, 18  Aug  2050 02:01:18 GMT',
  'Thu, 18-Aug-2050 02:01:18 GMT',
  'Thu, 18 Aug 2050 02.01.18 GMT',
  'Thu, 18 Aug 2050 2:01:18 GMT',
  'Thu, 8 Aug 2050 02:01:18 GMT',
  'Thu, 00 Aug 2050 02:01:18 GMT',
  'Thu, 31 Jun 2050 02:01:18 GMT',
  'Wed, 29 Feb 2023 00:00:00 GMT',
  'Thu, 18 Aug 2050 24:00:00 GMT',
  'Thu, 18 Aug 2050 02:60:00 GMT',
  'Thu, 18 Aug 2050 02:01:61 GMT',
  'Thu, 18 Abc 2050 02:01:18 GMT',
  'Xyz, 18 Aug 2050 02:01:18 GMT',
  'Thursday, 18 Aug 2050 02:01:18 GMT',
  'Thu, 18-Aug-50 02:01:18 GMT',
  ' Thu, 18 Aug 2050 02:01:18 GMT',
  'Thu, 18 Aug 2050 02:01:18 GMT ',
  'Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:18 GMT',
  'Thu Aug 8 02:01:18 2050',
  'Thu Aug  0 02:01:18 2050',
  '2050-08-18T02:01:18Z',
]
for (const text of INVALID) {
  test(`"${text}" is no date`, () => {
    assert.equal(parseHttpDate(text, NOW), undefined)
  })
}

test('a two-digit year more than 50 years ahead is in the past', () => {
  assert.equal(parseHttpDate('Monday, 15-Jun-76 00:00:00 GMT', NOW), Date.UTC(2076, 5, 15))
  assert.equal(parseHttpDate('Monday, 16-Jun-76 00:00:00 GMT', NOW), Date.UTC(1976, 5, 16))
  assert.equal(parseHttpDate('Thursday, 18-Aug-50 02:01:18 GMT', NOW), Date.UTC(2050, 7, 18, 2, 1, 18))
})

test('a two-digit year near a turn of the century is in the nearer one', () => {
  assert.equal(parseHttpDate('Friday, 01-Jan-10 00:00:00 GMT', Date.UTC(2095, 0, 1)), Date.UTC(2110, 0, 1))
  assert.equal(parseHttpDate('Friday, 01-Jan-99 00:00:00 GMT', Date.UTC(2001, 0, 1)), Date.UTC(1999, 0, 1))
})

test('whatever is written can be read again, to the second', () => {
  const instants = fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 })
  fc.assert(
    fc.property(instants, (at) => {
      assert.equal(parseHttpDate(formatHttpDate(at), NOW), Math.floor(at / 1000) * 1000)
    }),
  )
})

test('instants that no date can name become the nearest that one can', () => {
  assert.equal(formatHttpDate(8.64e15), 'Fri, 31 Dec 9999 23:59:59 GMT')
  assert.equal(formatHttpDate(-8.64e15), 'Sat, 01 Jan 0000 00:00:00 GMT')
})
