/** Heads that are made once for many are those of each of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeadLines } from '../../src/http/head-lines.ts'
import type { CacheStatus } from '../../src/rfc/cache-status.ts'
import { headOf } from '../store/support/responses.ts'

const NOW = 10_000
const LEADER: CacheStatus = { hit: false, fwd: 'uri-miss', fwdStatus: 200, ttl: 50, stored: true }

/** What one who comes after another is told, and what he would be told if he came alone. */
function told(
  before: CacheStatus,
  after: CacheStatus,
  sizes: readonly (number | undefined)[],
): readonly unknown[] {
  const head = headOf('a')
  const shared = new HeadLines('node')
  shared.ofWhole(head, before, sizes[0], NOW)
  return [
    shared.ofWhole(head, after, sizes[1], NOW).lines,
    new HeadLines('node').ofWhole(head, after, sizes[1], NOW).lines,
  ]
}

for (const [what, before, after] of [
  ['one who walked along with it', LEADER, { ...LEADER, collapsed: true }],
  ['one who waited in vain', LEADER, { ...LEADER, collapsed: false }],
  ['a hit after a miss', LEADER, { hit: true, ttl: 50 }],
  [
    'two that are stale for different reasons',
    { hit: true, ttl: -2, detail: 'max-stale' },
    { hit: true, ttl: -2, detail: 'stale-while-revalidate' },
  ],
  ['a hit that has less time left', { hit: true, ttl: 50 }, { hit: true, ttl: 49 }],
  ['another status of the origin', LEADER, { ...LEADER, fwdStatus: 304 }],
  ['one that is not kept', LEADER, { ...LEADER, stored: false, detail: 'private' }],
] as const) {
  test(`the head made for another is not sent to ${what}`, () => {
    const [shared, own] = told(before, after, [7, 7])
    assert.deepEqual(shared, own)
  })
}

test('a body that has become whole meanwhile is sent with its length', () => {
  const [shared, own] = told(LEADER, LEADER, [undefined, 7])
  assert.deepEqual(shared, own)
  assert.ok(Array.isArray(shared) && shared.includes('content-length'))
})

test('all who walk along get one and the same head, and a new one when it has aged by a second', () => {
  const head = headOf('a')
  const lines = new HeadLines('node')
  const first = lines.ofWhole(head, { ...LEADER, collapsed: true }, 7, NOW)
  assert.equal(lines.ofWhole(head, { ...LEADER, collapsed: true }, 7, NOW), first)
  assert.notDeepEqual(lines.ofWhole(head, { ...LEADER, collapsed: true }, 7, NOW + 1000).lines, first.lines)
})

test('a 204 has no length', () => {
  const { lines } = new HeadLines('node').ofWhole(headOf('a', { status: 204 }), LEADER, 0, NOW)
  assert.equal(lines.includes('content-length'), false)
})
