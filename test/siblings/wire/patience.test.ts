/** How long a sibling is waited for: its silence has a bound, and the deafness of this node is no silence. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barrier, until } from '../../support/barrier.ts'
import { openRawOrigin } from '../../support/raw-origin.ts'
import { openTestWire, untilGone } from './support/test-wire.ts'

test('who says nothing in time is given up, connection and all', async (t) => {
  const origin = await openRawOrigin(t, () => undefined)
  const wire = openTestWire(t, origin.url)
  const startedAt = performance.now()
  const asked = wire.ask({ silenceMs: 80 })
  await asked.over
  assert.equal(asked.error?.code, 'RESPONSE_TIMEOUT')
  assert.match(asked.error?.message ?? '', /not a word within 80 ms/)
  assert.ok(performance.now() - startedAt >= 79)
  await untilGone(wire)
})

test('time in the queue is silence too', async (t) => {
  const origin = await openRawOrigin(t, () => undefined)
  const { ask, wire } = openTestWire(t, origin.url, { connections: 1 })
  ask()
  const asked = ask({ silenceMs: 80 })
  await asked.over
  assert.equal(asked.error?.code, 'RESPONSE_TIMEOUT')
  assert.equal(wire.counts().waiting, 0)
  assert.equal(origin.requests, 1)
})

test('who says that it is on the way has as long as a head may take', async (t) => {
  const late = barrier()
  const origin = await openRawOrigin(t, async (socket) => {
    socket.write('HTTP/1.1 102 Processing\r\n\r\n')
    await late.opened
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
  })
  const { ask } = openTestWire(t, origin.url)
  const asked = ask({ silenceMs: 200 })
  await until(() => origin.requests === 1, 'it came')
  // Who hears nothing is late with more patience than that.
  const other = await openRawOrigin(t, () => undefined)
  await openTestWire(t, other.url).ask({ silenceMs: 500 }).over
  assert.deepEqual(asked.words, [])
  late.open()
  await asked.over
  assert.deepEqual(asked.words, ['head', 'ended'])
})

test('who says for ever that it is on the way is given up', async (t) => {
  const origin = await openRawOrigin(t, (socket) => {
    const say = (): void => {
      if (!socket.destroyed) socket.write('HTTP/1.1 102 Processing\r\n\r\n', () => setImmediate(say))
    }
    say()
  })
  const wire = openTestWire(t, origin.url)
  const asked = wire.ask({ headMs: 100 })
  await asked.over
  assert.equal(asked.error?.code, 'RESPONSE_TIMEOUT')
  assert.match(asked.error?.message ?? '', /only interim responses/)
  await untilGone(wire)
})

test('who falls silent in the middle of a body is given up, unless nobody reads it', async (t) => {
  const rest = barrier()
  const origin = await openRawOrigin(t, async (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello')
    await rest.opened
    socket.write('world')
  })
  const { ask } = openTestWire(t, origin.url, { bodyMs: 80 })
  const paused = ask({}, { head: () => paused.exchange.pause() })
  await until(() => paused.words.length > 0, 'a head came')
  const silent = ask()
  await silent.over
  assert.equal(silent.error?.code, 'READ_TIMEOUT')
  assert.deepEqual(silent.words, ['head', 'piece', 'failed'])
  assert.ok(!paused.words.includes('failed'))
  rest.open()
  paused.exchange.resume()
  await paused.over
  assert.equal(paused.words.at(-1), 'ended')
})

test('time in which this node stood still is no silence of another', async (t) => {
  const origin = await openRawOrigin(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
  )
  const { ask } = openTestWire(t, origin.url)
  await ask().over
  const asked = ask({ silenceMs: 1_000 })
  // Whoever answers lives in this process as well: nothing is said or heard meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_100)
  await asked.over
  assert.deepEqual(asked.words, ['head', 'ended'])
})
