/** What the segments of one rendition are called, as viewers write it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Renditions } from '../../src/cache/prefetch/renditions.ts'
import { Streams } from '../../src/cache/streams.ts'

test('segments of one rendition differ in the last number before the ending', () => {
  const renditions = new Renditions(new Streams())
  const names = ['/a/v1/s10.m4s', '/a/v1/s9.m4s?t=4', '/a/v2/s9.m4s', '/a/12-3.mp4', '/a/1.2.3']
  assert.deepEqual(
    names.map((name) => renditions.nameOf(name)),
    ['/a/v1/s#.m4s', '/a/v1/s#.m4s', '/a/v2/s#.m4s', '/a/12-#.mp4', '/a/1.#.3'],
  )
})

test('a path of a hundred thousand digits takes no longer to read than its length', () => {
  const renditions = new Renditions(new Streams())
  const before = process.cpuUsage()
  const path = `/${'1'.repeat(100_000)}/s.ts`
  assert.equal(renditions.nameOf(path), path)
  const { user } = process.cpuUsage(before)
  // Looked at from each of its digits it would take half a minute.
  assert.ok(user < 5_000_000, `${user} µs`)
})
