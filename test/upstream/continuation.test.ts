/** Bytes of two answers are put together only where everything says that they belong to one thing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fields } from '../../src/rfc/heads.ts'
import { continuing, isResumable, judge, type Plan, planOf } from '../../src/upstream/continuation.ts'
import fc from '../support/properties.ts'

const REQUEST = { method: 'GET', target: 'seg1.ts', fields: { 'if-none-match': '"0"', accept: '*/*' } }
const WHOLE = { status: 200, fields: { etag: '"1"', 'content-length': '100' } }

function planned(fields: Fields = {}, policy: Plan['policy'] = 'validated'): Plan {
  const plan = planOf(REQUEST, { status: 200, fields: { ...WHOLE.fields, ...fields } }, policy)
  assert.ok(plan !== undefined)
  return plan
}

function part(contentRange: string, fields: Fields = {}): { status: number; fields: Fields } {
  return { status: 206, fields: { etag: '"1"', 'content-range': contentRange, ...fields } }
}

test('the rest goes on exactly where the body stopped', () => {
  const plan = planned()
  fc.assert(
    fc.property(fc.nat(99), fc.nat(99), (position, first) => {
      const { kind } = judge(plan, position, part(`bytes ${first}-99/100`), true)
      assert.equal(kind, first === position ? 'continues' : 'refused')
    }),
  )
})

test('whatever an answer says, it continues nothing without the same ETag, place and total', () => {
  const plan = planned()
  const maybe = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
    fc.option(value, { nil: undefined })
  const fields = fc.record({
    etag: maybe(fc.oneof(fc.constantFrom('"1"', 'W/"1"', '"2"', ''), fc.string())),
    'content-range': maybe(
      fc.oneof(
        fc.constantFrom('bytes 40-99/100', 'bytes 40-99/*', 'bytes */100', 'bytes 40-9/100'),
        fc.string(),
      ),
    ),
    'content-length': maybe(fc.oneof(fc.constantFrom('60', '100', '101'), fc.string())),
    'content-encoding': maybe(fc.oneof(fc.constantFrom('gzip', 'identity'), fc.string())),
  })
  fc.assert(
    fc.property(fc.constantFrom(200, 206, 304, 416, 503), fields, (status, came) => {
      const judgement = judge(plan, 40, { status, fields: came }, false)
      if (judgement.kind === 'refused') return
      assert.equal(came.etag, '"1"')
      assert.ok(status === 200 || status === 206)
      if (status === 206) assert.match(came['content-range'] ?? '', /^bytes 40-\d+\/(100|\*)$/i)
      else assert.equal(came['content-length'], '100')
      assert.equal(judgement.skip, status === 200 ? 40 : 0)
      assert.equal(judgement.plan.size, 100)
    }),
  )
})

test('the request for the rest carries its own condition and none of the first request', () => {
  const { fields } = continuing(planned(), REQUEST, 40, true)
  assert.deepEqual(fields, { accept: '*/*', range: 'bytes=40-99', 'if-range': '"1"' })
})

test('a body of unknown size learns its end from its continuation', () => {
  const plan = planned({ 'content-length': undefined, 'transfer-encoding': 'chunked' })
  assert.equal(continuing(plan, REQUEST, 40, true).fields.range, 'bytes=40-')
  const judgement = judge(plan, 40, part('bytes 40-79/100'), true)
  assert.ok(judgement.kind === 'continues')
  assert.equal(judgement.until, 79)
  assert.equal(judgement.plan.last, 99)
  assert.equal(judge(plan, 40, part('bytes 40-79/*'), true).kind, 'refused')
})

test('a part of unknown whole is continued up to its own end', () => {
  const answer = { status: 206, fields: { etag: '"1"', 'content-range': 'bytes 20-59/*' } }
  const plan = planOf({ ...REQUEST, fields: { range: 'bytes=20-59' } }, answer, 'validated')
  assert.ok(plan !== undefined)
  assert.equal(continuing(plan, REQUEST, 40, true).fields.range, 'bytes=40-59')
  const judgement = judge(plan, 40, part('bytes 40-59/100'), true)
  assert.ok(judgement.kind === 'continues')
  assert.equal(judgement.plan.size, 100)
  assert.equal(judge(judgement.plan, 50, part('bytes 50-59/101'), true).kind, 'refused')
})

test('nothing continues what has no validator, no length, or is no whole and no part', () => {
  const chunked = { 'transfer-encoding': 'chunked' }
  for (const [status, fields] of [
    [200, { 'content-length': '100' }],
    [200, { 'content-length': '100', etag: 'W/"1"', 'last-modified': 'Wed, 31 Dec 2025 00:00:00 GMT' }],
    [200, { etag: '"1"' }],
    [404, WHOLE.fields],
    [206, { etag: '"1"', 'content-type': 'multipart/byteranges; boundary=x' }],
  ] as const) {
    assert.equal(planOf(REQUEST, { status, fields }, 'validated'), undefined, JSON.stringify(fields))
  }
  assert.equal(planOf({ ...REQUEST, method: 'HEAD' }, WHOLE, 'validated'), undefined)
  assert.equal(planOf(REQUEST, { status: 200, fields: chunked }, 'same-length'), undefined)
})

test('a part without a validator is checked against its range, and not continued', () => {
  const plan = planOf(REQUEST, { status: 206, fields: { 'content-range': 'bytes 20-59/100' } }, 'validated')
  assert.equal(plan?.last, 59)
  assert.equal(plan !== undefined && isResumable(plan), false)
})
