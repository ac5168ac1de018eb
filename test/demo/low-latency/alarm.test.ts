import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wallAlarm } from '../../../src/demo/low-latency/alarm.ts'

const STAY = new AbortController().signal

test('an instant that is past is not waited for', async () => {
  let asked = 0
  await wallAlarm(() => {
    asked += 1
    return 1000
  })(1000, STAY)
  assert.equal(asked, 1)
})

test('a timer that fires before the clock has come so far is set again', async () => {
  const instants = [997, 998, 999, 1000]
  await wallAlarm(() => instants.shift() ?? assert.fail('asked once too often'))(1000, STAY)
  assert.deepEqual(instants, [])
})

test('a wait ends as soon as its signal says so', async () => {
  const leaving = new AbortController()
  const waiting = wallAlarm(() => 0)(60_000, leaving.signal)
  leaving.abort()
  await assert.rejects(waiting, { name: 'AbortError' })
  await assert.rejects(wallAlarm(() => 0)(60_000, leaving.signal), { name: 'AbortError' })
})
