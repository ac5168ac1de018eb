/** How connections to a sibling are made, kept, shared out and let go of. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { barrier, until } from '../../support/barrier.ts'
import { freePort } from '../../support/free-port.ts'
import { openRawOrigin } from '../../support/raw-origin.ts'
import { openTestWire, untilGone } from './support/test-wire.ts'

const EMPTY = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'

test('no more connections are made than are allowed, and who waits comes in his turn', async (t) => {
  const sockets: Socket[] = []
  const origin = await openRawOrigin(t, (socket) => sockets.push(socket))
  const { ask, wire } = openTestWire(t, origin.url, { connections: 2 })
  const order: number[] = []
  const all = [1, 2, 3, 4, 5].map((nth) => ask({}, { ended: () => order.push(nth) }))
  await until(() => sockets.length === 2, 'two requests came')
  assert.deepEqual(wire.counts(), { connections: 2, idle: 0, waiting: 3 })
  for (let count = 0; count < 5; count++) {
    await until(() => sockets.length > 0, 'a request came')
    sockets.shift()?.write(EMPTY)
    await until(() => order.length === count + 1, 'it was answered')
  }
  await Promise.all(all.map(({ over }) => over))
  assert.deepEqual(order.slice(2), [3, 4, 5])
  assert.deepEqual(wire.counts(), { connections: 2, idle: 2, waiting: 0 })
})

test('no more requests wait than are allowed: the next one is refused at once', async (t) => {
  const origin = await openRawOrigin(t, () => undefined)
  const { ask, wire } = openTestWire(t, origin.url, { connections: 1, queue: 2 })
  for (let count = 0; count < 3; count++) ask()
  const refused = ask()
  assert.deepEqual(refused.words, [])
  await refused.over
  assert.equal(refused.error?.code, 'CONNECTION_LIMIT')
  assert.equal(wire.counts().waiting, 2)
})

test('who leaves the queue is not asked for, and takes no place', async (t) => {
  const sockets: Socket[] = []
  const origin = await openRawOrigin(t, (socket) => sockets.push(socket))
  const { ask, wire } = openTestWire(t, origin.url, { connections: 1, queue: 1 })
  const first = ask()
  const second = ask()
  second.exchange.leave()
  assert.equal(wire.counts().waiting, 0)
  const third = ask()
  await until(() => sockets.length === 1, 'the first one came')
  sockets[0]?.write(EMPTY)
  await first.over
  await until(() => sockets.length === 2, 'the third one came')
  sockets[1]?.write(EMPTY)
  await third.over
  assert.deepEqual([second.words, third.words], [[], ['head', 'ended']])
  assert.equal(origin.requests, 2)
})

test('who leaves before the head or in the middle of a body hears no more, and the connection ends', async (t) => {
  const starts = ['', 'HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nx']
  const origin = await openRawOrigin(t, (socket, _, nth) => socket.write(starts[nth - 1] ?? EMPTY))
  const wire = openTestWire(t, origin.url)
  const early = wire.ask()
  await until(() => origin.requests === 1, 'it was sent')
  early.exchange.leave()
  await untilGone(wire)
  const late = wire.ask()
  await until(() => late.words.length === 2, 'a piece came')
  late.exchange.leave()
  await untilGone(wire)
  assert.deepEqual([early.words, late.words], [[], ['head', 'piece']])
})

test('a connection whose answer is nearly over carries the next request, though nobody wants the rest', async (t) => {
  const rest = barrier()
  const origin = await openRawOrigin(t, async (socket) => {
    socket.write('HTTP/1.1 503 No\r\ncontent-length: 10\r\n\r\nhello')
    await rest.opened
    socket.write('world')
  })
  const { ask, wire } = openTestWire(t, origin.url)
  const asked = ask({}, { head: () => asked.exchange.leave() })
  await until(() => asked.words.length > 0, 'the head came')
  assert.equal(wire.counts().connections, 1)
  rest.open()
  await until(() => wire.counts().idle === 1, 'the connection is free')
  await ask().over
  assert.deepEqual(asked.words, ['head'])
  assert.equal(wire.counts().connections, 1)
})

test('a rest that nobody wants and that does not come is waited for in vain only for a while', async (t) => {
  const origin = await openRawOrigin(t, (socket) =>
    socket.write('HTTP/1.1 503 No\r\ncontent-length: 10\r\n\r\nhello'),
  )
  const wire = openTestWire(t, origin.url, { bodyMs: 50 })
  const asked = wire.ask({}, { head: () => asked.exchange.leave() })
  await until(() => asked.words.length > 0, 'the head came')
  await untilGone(wire)
})

test('connection: close is believed', async (t) => {
  const origin = await openRawOrigin(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nConnection: Close\r\ncontent-length: 0\r\n\r\n'),
  )
  const wire = openTestWire(t, origin.url)
  const asked = wire.ask()
  await asked.over
  assert.deepEqual(asked.words, ['head', 'ended'])
  await untilGone(wire)
})

test('a connection that is not used is closed before its owner closes it', async (t) => {
  const origin = await openRawOrigin(t, (socket) => socket.write(EMPTY))
  const wire = openTestWire(t, origin.url, { idleMs: 60 })
  await wire.ask().over
  assert.equal(wire.wire.counts().idle, 1)
  await untilGone(wire)
  assert.deepEqual(wire.wire.counts(), { connections: 0, idle: 0, waiting: 0 })
})

/** The first request of a connection is answered; what its second one meets is `second`. */
async function stale(t: Parameters<typeof openRawOrigin>[0], second: (socket: Socket) => unknown) {
  const seen = new Set<Socket>()
  return openRawOrigin(t, (socket) => {
    if (seen.has(socket)) return second(socket)
    seen.add(socket)
    return socket.write(EMPTY)
  })
}

for (const [how, end] of [
  ['ended', (socket: Socket) => socket.end()],
  ['reset', (socket: Socket) => socket.resetAndDestroy()],
] as const) {
  test(`a request on a kept connection that is ${how} just then is sent once more`, async (t) => {
    const origin = await stale(t, end)
    const { ask, wire } = openTestWire(t, origin.url)
    await ask().over
    const asked = ask()
    await asked.over
    assert.deepEqual(asked.words, ['head', 'ended'])
    assert.equal(origin.requests, 3)
    assert.equal(wire.counts().connections, 1)
  })
}

test('it is sent once more on a new connection, and not twice', async (t) => {
  let isHostile = false
  const origin = await openRawOrigin(t, (socket) => (isHostile ? socket.end() : socket.write(EMPTY)))
  const { ask } = openTestWire(t, origin.url)
  await Promise.all([ask().over, ask().over, ask().over])
  isHostile = true
  const asked = ask()
  await asked.over
  assert.equal(asked.error?.code, 'CONNECTION_TERMINATED')
  assert.equal(origin.requests, 5)
})

test('it is not sent once more when something of an answer came, or when the connection was new', async (t) => {
  const origin = await stale(t, (socket) => socket.end('HTTP/1.1 2'))
  const { ask } = openTestWire(t, origin.url)
  await ask().over
  const asked = ask()
  await asked.over
  assert.equal(asked.error?.code, 'CONNECTION_TERMINATED')
  assert.equal(origin.requests, 2)
  const deaf = await openRawOrigin(t, (socket) => socket.end())
  const other = openTestWire(t, deaf.url).ask()
  await other.over
  assert.equal(other.error?.code, 'CONNECTION_TERMINATED')
  assert.equal(deaf.requests, 1)
})

test('who waits behind a connection that broke gets one of his own', async (t) => {
  const origin = await openRawOrigin(t, (socket, _, nth) =>
    nth === 1 ? socket.destroy() : socket.write(EMPTY),
  )
  const { ask } = openTestWire(t, origin.url, { connections: 1 })
  const [first, second] = [ask(), ask()]
  await Promise.all([first.over, second.over])
  assert.deepEqual([first.words, second.words], [['failed'], ['head', 'ended']])
})

test('where nobody listens, each request is told so', async (t) => {
  const wire = openTestWire(t, `http://127.0.0.1:${await freePort()}`, { connections: 1 })
  const all = [wire.ask(), wire.ask()]
  await Promise.all(all.map(({ over }) => over))
  assert.deepEqual(
    all.map(({ error }) => error?.code),
    ['CONNECTION_REFUSED', 'CONNECTION_REFUSED'],
  )
  assert.equal(wire.wires.open, 0)
})

test('a connection that does not stand in time is given up', async (t) => {
  // It hears the beginning of TLS, and says nothing.
  const origin = await openRawOrigin(t, () => undefined)
  const wire = openTestWire(t, origin.url.replace('http:', 'https:'), { connectMs: 60 })
  const asked = wire.ask()
  await asked.over
  assert.equal(asked.error?.code, 'CONNECTION_TIMEOUT')
  assert.equal(wire.wires.open, 0)
})

test('when the node closes, what is under way and what waits fails, and nothing is sent any more', async (t) => {
  const origin = await openRawOrigin(t, () => undefined)
  const { ask, wire, wires } = openTestWire(t, origin.url, { connections: 1 })
  const before = [ask(), ask(), ask()]
  await until(() => origin.requests === 1, 'the first one was sent')
  wires.close()
  const after = ask()
  await Promise.all([...before, after].map(({ over }) => over))
  for (const { words, error } of [...before, after]) {
    assert.deepEqual(words, ['failed'])
    assert.equal(error?.code, 'CONNECTION_TERMINATED')
  }
  assert.deepEqual(wire.counts(), { connections: 0, idle: 0, waiting: 0 })
  assert.equal(origin.requests, 1)
})
