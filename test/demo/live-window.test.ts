import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  completeAt,
  GRACE_SEGMENTS,
  isServable,
  numbersOf,
  WINDOW_SEGMENTS,
  windowAt,
} from '../../src/demo/live-window.ts'

const SEGMENT_MS = 2000

test('the window ends with the segment that has just been completed', () => {
  assert.equal(windowAt(completeAt(100, SEGMENT_MS) - 1, SEGMENT_MS).last, 99)
  assert.equal(windowAt(completeAt(100, SEGMENT_MS), SEGMENT_MS).last, 100)
})

test('the window slides by one segment a segment duration, and never back', () => {
  let before = windowAt(1_000_000, SEGMENT_MS)
  for (let now = 1_000_000; now < 1_100_000; now += 137) {
    const { first, last } = windowAt(now, SEGMENT_MS)
    assert.ok(last - before.last === 0 || last - before.last === 1)
    assert.equal(last - first + 1, WINDOW_SEGMENTS)
    before = { first, last }
  }
  assert.equal(before.last, 549 - 1)
})

test('a stream that has just begun lists what is complete and no negative numbers', () => {
  assert.deepEqual(numbersOf(windowAt(0, SEGMENT_MS)), [])
  assert.deepEqual(numbersOf(windowAt(6500, SEGMENT_MS)), [0, 1, 2])
})

test('a segment is served from its completion until the grace after its window is over', () => {
  const number = 1000
  const begins = completeAt(number, SEGMENT_MS)
  const ends = begins + (WINDOW_SEGMENTS + GRACE_SEGMENTS) * SEGMENT_MS
  assert.equal(isServable(number, begins - 1, SEGMENT_MS), false)
  assert.equal(isServable(number, begins, SEGMENT_MS), true)
  assert.equal(isServable(number, ends - 1, SEGMENT_MS), true)
  assert.equal(isServable(number, ends, SEGMENT_MS), false)
})
