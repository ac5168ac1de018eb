/** Viewers in numbers and with manners of all kinds: many, slow, stalled, waiting, idle, gone. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'
import { openWire } from '../support/wire.ts'

const FRESH = { 'cache-control': 'max-age=60' }
const MANY = 5_000

test('a viewer who leaves in the middle is a cut and no trouble', async (t) => {
  let slow: ServerResponse | undefined
  const origin = await openOrigin(t, (_request, response) => {
    slow = response
    response.writeHead(200, { 'content-length': '8', ...FRESH })
    response.write('half')
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const leaving = openViewer(`${relais.url}/a.ts`)
  const staying = openViewer(`${relais.url}/a.ts`)
  await Promise.all([leaving.reached(4), staying.reached(4)])
  leaving.leave()
  await until(async () => (await relais.stats()).cuts === 1, 'the cut is counted')
  slow?.end('half')
  assert.equal((await staying.answer).body.toString(), 'halfhalf')
  const { requests, cuts } = await settled(relais)
  assert.deepEqual([requests.total, requests.error, cuts], [2, 0, 1])
  assert.deepEqual(
    relais.log.filter(({ level }) => Number(level) > 30),
    [],
  )
})

test('a viewer who takes nothing is let go, from memory or from a growing body, while others are served', async (t) => {
  // Larger than what the system's buffers take.
  const large = randomBytes(16 * 1024 * 1024)
  const origin = await openOrigin(t, (_request, response) => reply(response, large, FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url], file: { http: { stallTimeout: '300ms' } } })
  const ask = 'GET /a.ts HTTP/1.1\r\nhost: x\r\n\r\n'
  const stalled: Socket[] = []
  const stall = async (): Promise<void> => {
    const wire = await openWire(t, relais.url)
    wire.socket.pause()
    wire.write(ask)
    stalled.push(wire.socket)
  }
  await stall()
  assert.ok((await get(`${relais.url}/a.ts`)).body.equals(large))
  await stall()
  assert.ok((await get(`${relais.url}/a.ts`)).body.equals(large))
  // Let go: the connections are gone at the server though neither of these two viewers ever read or closed.
  await until(async () => (await relais.stats()).viewers === 0, 'the stalled are let go')
  assert.equal(stalled.length, 2)
  const { requests } = await relais.stats()
  assert.equal(requests.total, 4)
})

test('a viewer who reads in small pieces gets all of it', async (t) => {
  const large = randomBytes(12 * 1024 * 1024)
  const origin = await openOrigin(t, (_request, response) => reply(response, large, FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url], file: { http: { stallTimeout: '2s' } } })
  for (const outcome of ['miss', 'hit'] as const) {
    const { hostname, port } = new URL(relais.url)
    const socket = connect({ host: hostname, port: Number(port), readableHighWaterMark: 16 * 1024 } as never)
    socket.write('GET /a.ts HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    let received = 0
    // One piece a turn of the event loop, never more.
    for await (const chunk of socket) {
      received += (chunk as Buffer).byteLength
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.ok(received > large.byteLength, outcome)
    assert.equal((await relais.stats()).requests[outcome], 1)
  }
})

test('a viewer who waits for a slow origin for longer than the stall timeout is not let go', async (t) => {
  const waiting: ServerResponse[] = []
  const origin = await openOrigin(t, (_request, response) => void waiting.push(response))
  const relais = await openTestRelais(t, { origins: [origin.url], file: { http: { stallTimeout: '50ms' } } })
  const patient = [get(`${relais.url}/a.ts`), get(`${relais.url}/b.ts`, { method: 'POST' })]
  await origin.reached(2)
  // Two idle connections that come later are let go first: so much time has passed on this server.
  for (let count = 0; count < 2; count++) await (await openWire(t, relais.url)).closed
  for (const response of waiting) reply(response, 'at last', FRESH)
  for (const { body, isWhole } of await Promise.all(patient)) {
    assert.equal(body.toString(), 'at last')
    assert.equal(isWhole, true)
  }
})

test('an idle connection is closed after the keep-alive timeout', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x', FRESH))
  const relais = await openTestRelais(t, {
    origins: [origin.url],
    file: { http: { keepAliveTimeout: '50ms' } },
  })
  const wire = await openWire(t, relais.url, 'GET /a.ts HTTP/1.1\r\nhost: x\r\n\r\n')
  assert.match(await wire.closed, /connection: keep-alive[\s\S]*\r\n\r\nx$/i)
})

test('no more connections are held than agreed, and one that leaves makes room', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x', FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url], file: { http: { maxConnections: 3 } } })
  const held = [await openWire(t, relais.url), await openWire(t, relais.url), await openWire(t, relais.url)]
  for (const wire of held) {
    wire.write('GET /a.ts HTTP/1.1\r\nhost: x\r\n\r\n')
    await wire.seen(/\r\n\r\nx$/)
  }
  const refused = await openWire(t, relais.url, 'GET /a.ts HTTP/1.1\r\nhost: x\r\n\r\n')
  assert.equal(await refused.closed, '')
  held[0]?.socket.destroy()
  await until(async () => (await relais.readStats()).viewers === 2, 'there is room')
  assert.equal((await get(`${relais.url}/a.ts`)).status, 200)
})

test(`${MANY} viewers at once, each on a connection of its own, are all served at the cost of one fill`, async (t) => {
  const body = randomBytes(4096)
  let begun: ServerResponse | undefined
  const origin = await openOrigin(t, (_request, response) => {
    begun = response
  })
  const relais = await openTestRelais(t, {
    origins: [origin.url],
    file: { http: { maxConnections: MANY + 100, drainTimeout: '1s' }, log: { access: false } },
  })
  const { hostname, port } = new URL(relais.url)
  const sockets: Socket[] = []
  t.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  let answered = 0
  let wrong = 0
  const open = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, resolve)
      sockets.push(socket)
      let received = 0
      socket.on('error', reject)
      socket.on('data', (chunk) => {
        const before = received
        received += chunk.byteLength
        if (before === 0 && !chunk.toString('latin1').startsWith('HTTP/1.1 200 ')) wrong++
        if (before < body.byteLength && received > body.byteLength) answered++
      })
      socket.write('GET /a.ts HTTP/1.1\r\nhost: x\r\n\r\n')
    })
  // In groups, for what the system lets wait at a port is bounded.
  for (let count = 0; count < MANY; count += 250) await Promise.all(Array.from({ length: 250 }, open))
  await until(async () => (await relais.stats()).viewers === MANY, 'all are connected', 60_000)
  assert.equal(answered, 0)
  if (begun !== undefined) reply(begun, body, FRESH)
  await until(() => answered === MANY, 'all are served', 60_000)
  assert.equal(wrong, 0)
  assert.equal(origin.count(), 1)
  const { requests } = await relais.stats()
  assert.deepEqual([requests.total, requests.miss, requests.error], [MANY, 1, 0])
})
