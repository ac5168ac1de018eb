/** What is done with a request, case by case: the table that the whole judge rests on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide, mayStandIn } from '../../src/cache/decide.ts'
import { requestOf, routeOf, storedOf } from './support/route.ts'

const IGNORES = routeOf()
const HONOURS = routeOf({ requestDirectives: 'honour' })
const GET = requestOf()
const HEAD = requestOf({}, 'HEAD')
const TAGGED = storedOf({ etag: '"1"' })
const PLAIN = storedOf()

test('nothing stored is filled, and HEAD of it passes', () => {
  assert.deepEqual(decide(IGNORES, GET, undefined, 0), { kind: 'fill', fwd: 'uri-miss', stale: undefined })
  assert.deepEqual(decide(IGNORES, HEAD, undefined, 0), { kind: 'pass', fwd: 'method' })
})

test('what is fresh is served, to the last millisecond', () => {
  assert.deepEqual(decide(IGNORES, GET, TAGGED, 9_999), { kind: 'serve', stored: TAGGED })
  assert.deepEqual(decide(IGNORES, HEAD, TAGGED, 9_999), { kind: 'serve', stored: TAGGED })
  assert.equal(decide(IGNORES, GET, TAGGED, 10_000).kind, 'serve-stale')
})

test('what may be stale while it is validated is served, and validated when that time is over', () => {
  assert.deepEqual(decide(IGNORES, GET, TAGGED, 29_999), {
    kind: 'serve-stale',
    stored: TAGGED,
    why: 'stale-while-revalidate',
  })
  assert.deepEqual(decide(IGNORES, GET, TAGGED, 30_000), { kind: 'validate', stored: TAGGED, fwd: 'stale' })
})

test('what is stale and has no validator is filled anew, and may stand in if that fails', () => {
  assert.deepEqual(decide(IGNORES, GET, PLAIN, 30_000), { kind: 'fill', fwd: 'stale', stale: PLAIN })
})

test('HEAD of what is stale passes', () => {
  assert.deepEqual(decide(IGNORES, HEAD, TAGGED, 30_000), { kind: 'pass', fwd: 'method' })
})

test('what must be validated is, however fresh', () => {
  const stored = storedOf({ etag: '"1"' }, { mustValidate: true, freshUntil: 0 })
  assert.deepEqual(decide(IGNORES, GET, stored, 0), { kind: 'validate', stored, fwd: 'stale' })
})

test('other methods pass, whatever is stored', () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PURGE'])
    assert.deepEqual(decide(IGNORES, requestOf({}, method), TAGGED, 0), { kind: 'pass', fwd: 'method' })
})

test("conditions on the origin's state pass", () => {
  for (const fields of [{ 'if-match': '"1"' }, { 'if-unmodified-since': 'Wed, 01 Jan 2025 00:00:00 GMT' }])
    assert.deepEqual(decide(IGNORES, requestOf(fields), TAGGED, 0), { kind: 'pass', fwd: 'request' })
})

test('only-if-cached is served or refused, on every route', () => {
  const request = requestOf({ 'cache-control': 'only-if-cached' })
  for (const route of [IGNORES, HONOURS]) {
    assert.equal(decide(route, request, TAGGED, 0).kind, 'serve')
    assert.equal(decide(route, request, TAGGED, 10_000).kind, 'serve-stale')
    assert.deepEqual(decide(route, request, TAGGED, 30_000), { kind: 'refuse' })
    assert.deepEqual(decide(route, request, undefined, 0), { kind: 'refuse' })
  }
})

for (const [directives, atMs, expected] of [
  ['no-cache', 0, 'validate'],
  ['max-age=5', 4_999, 'serve'],
  ['max-age=5', 5_000, 'validate'],
  ['min-fresh=5', 5_000, 'serve'],
  ['min-fresh=5', 5_001, 'validate'],
  ['no-store', 0, 'pass'],
  ['max-age=60', 5_000, 'serve'],
] as const) {
  test(`"${directives}" at ${atMs} ms is ${expected} where it is honoured, and serve where it is not`, () => {
    const request = requestOf({ 'cache-control': directives })
    const verdict = decide(HONOURS, request, TAGGED, atMs)
    assert.equal(verdict.kind, expected)
    if (verdict.kind === 'validate') assert.equal(verdict.fwd, 'request')
    assert.equal(decide(IGNORES, request, TAGGED, atMs).kind, 'serve')
  })
}

test('max-stale takes what the origin leaves to viewers, as old as they say, where it is honoured', () => {
  const upTo = (value: string, atMs: number, fields = {}): unknown => {
    const stored = storedOf(fields)
    const verdict = decide(HONOURS, requestOf({ 'cache-control': value }), stored, atMs)
    return verdict.kind === 'serve-stale' ? verdict.why : verdict.kind
  }
  assert.equal(upTo('max-stale=30', 39_999), 'max-stale')
  assert.equal(upTo('max-stale=30', 40_000), 'fill')
  assert.equal(upTo('max-stale', 1e12), 'max-stale')
  assert.equal(upTo('max-stale, max-age=60', 60_000), 'fill')
  for (const said of ['must-revalidate', 'proxy-revalidate', 's-maxage=10'])
    assert.equal(upTo('max-stale', 40_000, { 'cache-control': said }), 'fill', said)
  const must = storedOf({}, { mustValidate: true, freshUntil: 0 })
  assert.equal(decide(HONOURS, requestOf({ 'cache-control': 'max-stale' }), must, 1).kind, 'fill')
  assert.equal(decide(IGNORES, requestOf({ 'cache-control': 'max-stale' }), PLAIN, 40_000).kind, 'fill')
})

test('what is immutable is not validated for a reload while it is fresh, only where that is forced', () => {
  const stored = storedOf({ etag: '"1"' }, { immutable: true, staleWhileRevalidateUntil: 10_000 })
  const at = (directives: string, now: number): string =>
    decide(HONOURS, requestOf({ 'cache-control': directives }), stored, now).kind
  assert.equal(at('max-age=0', 9_999), 'serve')
  assert.equal(at('max-age=0', 10_000), 'validate')
  assert.equal(at('no-cache', 0), 'validate')
})

test('Pragma counts only where it is honoured and no Cache-Control is there', () => {
  assert.equal(decide(HONOURS, requestOf({ pragma: 'no-cache' }), TAGGED, 0).kind, 'validate')
  assert.equal(decide(IGNORES, requestOf({ pragma: 'no-cache' }), TAGGED, 0).kind, 'serve')
  const both = requestOf({ pragma: 'no-cache', 'cache-control': 'max-age=60' })
  assert.equal(decide(HONOURS, both, TAGGED, 0).kind, 'serve')
})

test('a stale response stands in for an origin that failed only while it may', () => {
  assert.equal(mayStandIn(TAGGED, 59_999), true)
  assert.equal(mayStandIn(TAGGED, 60_000), false)
  assert.equal(mayStandIn(storedOf({}, { mustValidate: true }), 0), false)
})
