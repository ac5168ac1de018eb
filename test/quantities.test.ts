/** Sizes and durations as people write them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Value } from 'typebox/value'
import { Duration, formatDuration, formatSize, parseDuration, parseSize, Size } from '../src/quantities.ts'

const SIZES: readonly (readonly [string | number, number])[] = [
  [0, 0],
  [4096, 4096],
  ['4096', 4096],
  ['10B', 10],
  ['64KiB', 65_536],
  ['64KB', 65_536],
  ['64k', 65_536],
  ['512MB', 536_870_912],
  ['512 mb', 536_870_912],
  ['1.5GB', 1_610_612_736],
  ['2T', 2_199_023_255_552],
]

const DURATIONS: readonly (readonly [string | number, number])[] = [
  [250, 250],
  ['500ms', 500],
  ['20s', 20_000],
  ['1.5s', 1500],
  ['2m', 120_000],
  ['1h', 3_600_000],
  ['7d', 604_800_000],
]

const NO_SIZES = [
  '',
  'MB',
  '-1',
  '1e3',
  '10 apples',
  '1iB',
  '10MBB',
  ' 10',
  '99999999TB',
  -1,
  0.5,
  Number.NaN,
  null,
  {},
]
const NO_DURATIONS = [
  '',
  's',
  '20',
  '-1s',
  '20S',
  '1h30m',
  'P1D',
  '20 sec',
  -1,
  0.5,
  Number.POSITIVE_INFINITY,
  null,
]

test('a size is a number of bytes, or a string whose unit is a power of 1024', () => {
  for (const [written, bytes] of SIZES) assert.equal(parseSize(written), bytes, String(written))
})

test('what is no size is undefined', () => {
  for (const written of NO_SIZES) assert.equal(parseSize(written), undefined, String(written))
})

test('a duration is a number of milliseconds, or a string with a unit', () => {
  for (const [written, ms] of DURATIONS) assert.equal(parseDuration(written), ms, String(written))
})

test('what is no duration is undefined, a string without a unit among it', () => {
  for (const written of NO_DURATIONS) assert.equal(parseDuration(written), undefined, String(written))
})

test('the schema of a quantity takes what the parser takes, and its default is one', () => {
  const size = Size({ description: 'A size.', default: '1MB' })
  const duration = Duration({ description: 'A duration.', default: '1s' })
  for (const [written] of SIZES) assert.ok(Value.Check(size, written), String(written))
  for (const [written] of DURATIONS) assert.ok(Value.Check(duration, written), String(written))
  // A size beyond the safe integers is the one thing a pattern cannot see.
  for (const written of NO_SIZES.filter((value) => value !== '99999999TB')) {
    assert.ok(!Value.Check(size, written), String(written))
  }
  for (const written of NO_DURATIONS) assert.ok(!Value.Check(duration, written), String(written))
})

test('a size is written with the largest unit, and is read back as the same one', () => {
  for (const written of ['0B', '1023B', '64KB', '512MB', '20GB', '2TB']) {
    assert.equal(formatSize(parseSize(written) ?? -1), written)
  }
  assert.equal(formatSize(1_610_612_736), '1.50GB')
})

test('a duration is written with the largest unit that is whole, and is read back as the same one', () => {
  for (const written of ['0ms', '500ms', '1500ms', '75s', '2m', '1h', '7d']) {
    assert.equal(formatDuration(parseDuration(written) ?? -1), written)
  }
})
