/** Lifetimes, ages and the times in which stale may be served. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ageSeconds,
  type Freshness,
  type FreshnessOptions,
  freshnessOf,
  heuristicLifetimeMs,
  isFresh,
  LAST_INSTANT,
  remainingSeconds,
  type SilentLifetime,
} from '../../src/rfc/freshness.ts'
import type { Fields, Instant } from '../../src/rfc/heads.ts'
import { formatHttpDate } from '../../src/rfc/http-date.ts'
import fc from '../support/properties.ts'

const NOW: Instant = Date.UTC(2026, 5, 15, 12)
const SILENT: SilentLifetime = { freshMs: 3000, staleWhileRevalidateMs: 500, staleIfErrorMs: 6000 }
const NONE: SilentLifetime = { freshMs: 0, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }

function at(seconds: number): string {
  return formatHttpDate(NOW + seconds * 1000)
}

function received(fields: Fields, silent = NONE, delayMs = 0, options?: FreshnessOptions): Freshness {
  return freshnessOf({ status: 200, fields, requestedAt: NOW - delayMs, receivedAt: NOW }, silent, options)
}

const LIFETIMES: readonly (readonly [string, Fields, number])[] = [
  ['nothing said', {}, 0],
  ['max-age', { 'cache-control': 'max-age=10' }, 10],
  ['s-maxage above max-age', { 'cache-control': 'max-age=1, s-maxage=10' }, 10],
  ['a short s-maxage above a long max-age', { 'cache-control': ['s-maxage=1', 'max-age=10'] }, 1],
  ['max-age above a past Expires', { 'cache-control': 'max-age=10', expires: at(-7200), date: at(0) }, 10],
  ['max-age above an invalid Expires', { 'cache-control': 'max-age=10', expires: '0' }, 10],
  ['max-age=0 above a future Expires', { 'cache-control': 'max-age=0', expires: at(60), date: at(0) }, 0],
  ['Expires after Date', { expires: at(60), date: at(0) }, 60],
  ['Expires without Date', { expires: at(60) }, 60],
  ['Expires with an invalid Date', { expires: at(60), date: 'foo' }, 60],
  ['Expires equal to Date', { expires: at(0), date: at(0) }, 0],
  ['Expires before Date, both in the future', { expires: at(300), date: at(400) }, 0],
  ['Expires of 0', { expires: '0' }, 0],
  ['Expires with an unknown zone', { expires: 'Thu, 18 Aug 2050 02:01:18 UTC' }, 0],
  ['two Expires that differ', { expires: [at(60), at(61)] }, 0],
  ['two Expires that agree', { expires: [at(60), at(60)] }, 60],
  [
    'a targeted lifetime above all',
    { 'cdn-cache-control': 'max-age=7', 'cache-control': 'max-age=1', expires: '0' },
    7,
  ],
  ['a targeted field that is silent, beside Expires', { 'cdn-cache-control': 'public', expires: at(60) }, 0],
]
for (const [what, fields, seconds] of LIFETIMES) {
  test(`${what}: fresh for ${seconds} s`, () => {
    const freshness = received(fields)
    assert.equal(freshness.freshUntil - NOW, seconds * 1000)
    assert.equal(isFresh(freshness, NOW + seconds * 1000), false)
    assert.equal(isFresh(freshness, NOW + Math.max(0, seconds * 1000 - 1)), seconds > 0)
  })
}

const AGES: readonly (readonly [string, Fields, number, number])[] = [
  ['no Date and no Age', {}, 0, 0],
  ['the response delay counts', {}, 2500, 2],
  ['Age and the response delay add up', { age: '30' }, 4000, 34],
  ['an old Date', { date: at(-10) }, 0, 10],
  ['a Date in the future is no negative age', { date: at(10) }, 0, 0],
  ['the larger of Date and Age counts', { date: at(-10), age: '7' }, 0, 10],
  ['an invalid Date is ignored', { date: 'yesterday' }, 0, 0],
  ['an Age that is no number is ignored', { age: 'abc' }, 0, 0],
  ['a negative Age is ignored', { age: '-7200' }, 0, 0],
  ['an Age with a fraction is ignored', { age: '7200.0' }, 0, 0],
  ['an Age with a parameter is ignored', { age: '7200;foo=bar' }, 0, 0],
  ['of an Age list the first counts', { age: '7200, 0' }, 0, 7200],
  ['of an Age list the first counts, though smaller', { age: '0, 7200' }, 0, 0],
  ['of two Age lines the first counts', { age: ['7200', '0'] }, 0, 7200],
  ['of two Age lines the first counts, though smaller', { age: ['0', '7200'] }, 0, 0],
  ['an Age beyond 2^31 is 2^31', { age: '99999999999999999999' }, 0, 2147483648],
]
for (const [what, fields, delayMs, seconds] of AGES) {
  test(`age: ${what}`, () => {
    assert.equal(ageSeconds(received(fields, NONE, delayMs), NOW), seconds)
  })
}

test('a Date is cut to seconds, and that cut is no age', () => {
  const head = { status: 200, fields: { date: at(0) }, requestedAt: NOW + 990, receivedAt: NOW + 990 }
  assert.equal(freshnessOf(head, SILENT).bornAt, NOW + 990)
})

test('a response that the origin held does not age by its delay', () => {
  const fields = { 'cache-control': 'max-age=6', date: at(0) }
  assert.equal(ageSeconds(received(fields, NONE, 4000), NOW), 4)
  assert.equal(ageSeconds(received(fields, NONE, 4000, { held: true }), NOW), 0)
  assert.equal(ageSeconds(received({ ...fields, date: at(-3) }, NONE, 4000, { held: true }), NOW), 3)
  assert.equal(ageSeconds(received({ ...fields, age: '2' }, NONE, 4000, { held: true }), NOW), 2)
})

test('two tiers do not add their silent lifetimes up', () => {
  const freshness = received({ age: '2' }, SILENT)
  assert.equal(freshness.explicit, false)
  assert.equal(freshness.freshUntil, NOW + 1000)
  assert.equal(isFresh(received({ age: '3' }, SILENT), NOW), false)
})

test('ages and remaining seconds are whole, rounded down', () => {
  const freshness = received({ 'cache-control': 'max-age=10' })
  assert.equal(ageSeconds(freshness, NOW + 1999), 1)
  assert.equal(ageSeconds(freshness, NOW - 5000), 0)
  assert.equal(remainingSeconds(freshness, NOW), 10)
  assert.equal(remainingSeconds(freshness, NOW + 9001), 0)
  assert.equal(remainingSeconds(freshness, NOW + 10_001), -1)
  assert.equal(remainingSeconds(freshness, NOW + 15_000), -5)
})

/** Fields, silent lifetime, and how many ms stale may be served while validating, and on error. */
const STALE: readonly (readonly [string, SilentLifetime, number, number])[] = [
  ['', SILENT, 500, 6000],
  ['', NONE, 0, 0],
  ['public', SILENT, 500, 6000],
  ['max-age=2', SILENT, 0, 6000],
  ['max-age=2, stale-while-revalidate=5', SILENT, 5000, 6000],
  ['max-age=2, stale-while-revalidate=5, stale-if-error=60', NONE, 5000, 60_000],
  ['stale-while-revalidate=0, stale-if-error=0', SILENT, 0, 0],
  ['max-age=2, s-maxage=2', SILENT, 0, 0],
  ['s-maxage=1, stale-while-revalidate=5', SILENT, 5000, 0],
  ['s-maxage=1, stale-if-error=5', SILENT, 0, 5000],
  ['max-age=2, must-revalidate', SILENT, 0, 0],
  ['must-revalidate', SILENT, 0, 0],
  ['max-age=2, proxy-revalidate', SILENT, 0, 0],
  ['max-age=2, no-cache', SILENT, 0, 0],
  ['max-age=2, must-revalidate, stale-while-revalidate=5, stale-if-error=5', SILENT, 0, 0],
  ['max-age=2, no-cache, stale-while-revalidate=5, stale-if-error=5', SILENT, 0, 0],
  ['max-age=2, no-cache="set-cookie"', SILENT, 0, 6000],
]
for (const [value, silent, whileRevalidateMs, ifErrorMs] of STALE) {
  const kind = silent === SILENT ? 'a kind with silent allowances' : 'a kind without'
  test(`"${value}" for ${kind}: stale for ${whileRevalidateMs} ms while validating, ${ifErrorMs} ms on error`, () => {
    const freshness = received(value === '' ? {} : { 'cache-control': value }, silent)
    assert.equal(freshness.staleWhileRevalidateUntil - freshness.freshUntil, whileRevalidateMs)
    assert.equal(freshness.staleIfErrorUntil - freshness.freshUntil, ifErrorMs)
  })
}

test('no-cache leaves no fresh time at all, the qualified form leaves all of it', () => {
  const unqualified = received({ 'cache-control': 'max-age=10, no-cache' }, SILENT)
  assert.equal(unqualified.mustValidate, true)
  assert.equal(unqualified.freshUntil, unqualified.bornAt)
  const qualified = received({ 'cache-control': 'max-age=10, no-cache="a"' }, SILENT)
  assert.equal(qualified.mustValidate, false)
  assert.equal(qualified.freshUntil, NOW + 10_000)
})

test('what the origin says of immutable and of lifetimes is remembered', () => {
  assert.equal(received({ 'cache-control': 'max-age=10, immutable' }).immutable, true)
  assert.equal(received({ 'cache-control': 'max-age=10' }).immutable, false)
  assert.equal(received({ 'cache-control': 'max-age=10' }).explicit, true)
  assert.equal(received({ expires: 'nonsense' }, SILENT).explicit, true)
  assert.equal(received({}, SILENT).explicit, false)
})

test('for ever is a finite instant', () => {
  const forever = { freshMs: Infinity, staleWhileRevalidateMs: Infinity, staleIfErrorMs: Infinity }
  assert.equal(received({}, forever).freshUntil, LAST_INSTANT)
  assert.equal(received({}, forever).staleIfErrorUntil, LAST_INSTANT)
})

test('every life is in order on the time line, and survives JSON', () => {
  const seconds = fc.integer({ min: -(2 ** 33), max: 2 ** 33 })
  const lifetime = fc.oneof(fc.nat(), fc.constant(Infinity), fc.constant(-1))
  const fields = fc.record(
    {
      'cache-control': fc
        .array(
          fc.oneof(
            fc.constantFrom('no-cache', 'must-revalidate', 'immutable', 'public', 'max-age=x'),
            fc
              .tuple(
                fc.constantFrom('max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'),
                fc.nat(),
              )
              .map((pair) => pair.join('=')),
          ),
        )
        .map((parts) => parts.join(', ')),
      age: fc.oneof(seconds.map(String), fc.string()),
      date: fc.oneof(seconds.map(at), fc.string()),
      expires: fc.oneof(seconds.map(at), fc.string()),
    },
    { requiredKeys: [] },
  )
  const silents = fc.record({ freshMs: lifetime, staleWhileRevalidateMs: lifetime, staleIfErrorMs: lifetime })
  fc.assert(
    fc.property(fields, silents, fc.nat(), fc.boolean(), fc.nat(), (said, silent, delayMs, held, laterMs) => {
      const freshness = received(said, silent, delayMs, { held })
      assert.ok(freshness.bornAt <= NOW)
      assert.ok(freshness.bornAt <= freshness.freshUntil)
      assert.ok(freshness.freshUntil <= freshness.staleWhileRevalidateUntil)
      assert.ok(freshness.freshUntil <= freshness.staleIfErrorUntil)
      assert.ok(freshness.staleWhileRevalidateUntil <= LAST_INSTANT)
      assert.ok(freshness.staleIfErrorUntil <= LAST_INSTANT)
      assert.deepEqual(JSON.parse(JSON.stringify(freshness)), freshness)
      const now = NOW + laterMs
      assert.ok(Number.isInteger(ageSeconds(freshness, now)) && ageSeconds(freshness, now) >= 0)
      assert.equal(
        isFresh(freshness, now),
        remainingSeconds(freshness, now) >= 0 && now !== freshness.freshUntil,
      )
    }),
  )
})

const GUESSES: readonly (readonly [string, Fields, number])[] = [
  ['a tenth of the time since it changed', { date: at(0), 'last-modified': at(-100) }, 10_000],
  ['what changed just now', { date: at(0), 'last-modified': at(0) }, 0],
  ['what changed after it was made', { date: at(0), 'last-modified': at(10) }, 0],
  ['without a Date, until it was received', { 'last-modified': at(-100) }, 10_000],
  ['nothing to go by', { date: at(0) }, 0],
  ['a Last-Modified that is none', { date: at(0), 'last-modified': 'yesterday' }, 0],
  ['two of them', { date: at(0), 'last-modified': [at(-100), at(-200)] }, 0],
]
for (const [what, fields, expected] of GUESSES) {
  test(`a heuristic lifetime, ${what}: ${expected} ms`, () => {
    const head = { status: 200, fields, requestedAt: NOW, receivedAt: NOW }
    assert.equal(heuristicLifetimeMs(head), expected)
  })
}
