/** The internal listener and those who are no siblings: slow, silent, malformed or endless, they cost little and are let go. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { pino } from 'pino'
import type { PeerDoor } from '../../src/http/peer-door.ts'
import { openPeerFront, type PeerBounds } from '../../src/http/peer-front.ts'
import { until } from '../support/barrier.ts'
import { openWire, type Wire } from '../support/wire.ts'

const LONG = 600_000
const BOUNDS: PeerBounds = { headMs: LONG, stallMs: LONG, bodyMs: LONG, maxBodies: 8, maxBodyBytes: 1_000 }

/** A listener whose desk takes everybody for a sibling until the body is here, and answers with its length. */
async function open(
  t: TestContext,
  bounds: Partial<PeerBounds> = {},
): Promise<{ url: string; read: () => number; objects: readonly ServerResponse[] }> {
  let read = 0
  const objects: ServerResponse[] = []
  const door: Pick<PeerDoor, 'answer'> = { answer: (_, response) => void objects.push(response) }
  const desk = {
    mayRead: () => true,
    answer: async ({ body }: { readonly body: string }) => {
      read++
      return { status: 200, fields: {}, body: `${body.length} bytes` }
    },
  }
  // The front asks nothing else of the door.
  const { app } = openPeerFront(door as PeerDoor, pino({ level: 'silent' }), desk, { ...BOUNDS, ...bounds })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => {
    app.server.closeAllConnections()
    return app.close()
  })
  // A server that listens on a port has such an address.
  const { port } = app.server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, read: () => read, objects }
}

function news(length: number, body: string): string {
  return `POST /-/peer/v1/purges HTTP/1.1\r\nhost: a\r\ncontent-length: ${length}\r\n\r\n${body}`
}

test('a connection that says nothing is closed', async (t) => {
  const { url } = await open(t, { headMs: 100 })
  const wire = await openWire(t, url)
  await wire.closed
})

test('a head that trickles is closed when its time is over, however often a byte comes', async (t) => {
  const { url } = await open(t, { headMs: 200 })
  const wire = await openWire(t, url, 'GET /-/peer/v1/obj/a HTTP/1.1\r\nx: ')
  await trickling(wire)
  assert.match(await wire.closed, /^HTTP\/1\.1 408 /)
})

test('what is no HTTP is refused, and the connection closed cleanly', async (t) => {
  const { url } = await open(t)
  for (const [bytes, status] of [
    ['nonsense\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nhost: a\r\na b: c\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nx: ${'y'.repeat(60_000)}\r\n\r\n`, 431],
  ] as const) {
    const wire = await openWire(t, url, bytes)
    assert.match(await wire.closed, new RegExp(`^HTTP/1\\.1 ${status} [^]*connection: close`))
  }
})

test('a connection on which nothing moves is let go, unless an object is waited for', async (t) => {
  const { url, objects } = await open(t, { stallMs: 100 })
  const waiting = await openWire(t, url, 'GET /-/peer/v1/obj/a/b HTTP/1.1\r\nhost: a\r\n\r\n')
  await until(() => objects.length === 1, 'the object is asked for')
  // Nothing has moved on the other for as long when this one is let go.
  const wire = await openWire(t, url, news(100, 'half'))
  assert.equal(await wire.closed, '')
  objects[0]?.end('an object')
  await waiting.seen(/an object/)
})

test('a body that is too long in coming is cut, though its bytes move', async (t) => {
  const { url, read } = await open(t, { bodyMs: 200 })
  const wire = await openWire(t, url, news(1_000_000, 'x'))
  await trickling(wire)
  assert.equal(read(), 0)
})

test('bodies that never end keep nobody out: the oldest makes room, for their number and for their bytes', async (t) => {
  for (const bounds of [{ maxBodies: 3 }, { maxBodyBytes: 350 }]) {
    const { url, read } = await open(t, bounds)
    const endless: Wire[] = []
    for (let count = 0; count < 3; count++) {
      const wire = await openWire(t, url, news(100, ''))
      endless.push(wire)
    }
    const gone: Wire[] = []
    for (const wire of endless) void wire.closed.then(() => gone.push(wire))
    for (let count = 1; count <= 3; count++) {
      const wire = await openWire(t, url, news(100, 'x'.repeat(100)))
      await wire.seen(/100 bytes$/)
    }
    await until(() => gone.length === 1, 'the oldest has made room')
    assert.equal(read(), 3)
  }
})

test('a body of news says how long it is', async (t) => {
  const { url, read } = await open(t)
  const head = 'POST /-/peer/v1/purges HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n'
  const wire = await openWire(t, url, head)
  assert.match(await wire.closed, /^HTTP\/1\.1 411 /)
  assert.equal(read(), 0)
})

/** Sends a byte again and again until the connection is closed. */
async function trickling(wire: Awaited<ReturnType<typeof openWire>>): Promise<void> {
  let isClosed = false
  void wire.closed.then(() => {
    isClosed = true
  })
  await until(() => {
    if (!isClosed) wire.write('y')
    return isClosed
  }, 'it is closed')
}
