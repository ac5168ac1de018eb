/** The end of service: what is under way may finish, nothing new begins, and nobody holds it up for longer than agreed. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { openViewer } from '../support/viewer.ts'
import { openWire } from '../support/wire.ts'

const FRESH = { 'cache-control': 'max-age=60' }

test('a response under way finishes, and its connection with it, while new viewers are refused', async (t) => {
  let response: ServerResponse | undefined
  const origin = await openOrigin(t, (_request, begun) => {
    response = begun
    begun.writeHead(200, { 'content-length': '8', ...FRESH })
    begun.write('half')
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { http: { drainTimeout: '30s' } } })
  const viewer = openViewer(`${relais.url}/slow.ts`)
  await viewer.reached(4)
  let isClosed = false
  const closing = relais.close().then(() => {
    isClosed = true
  })
  await assert.rejects(get(`${relais.url}/other.ts`), { code: 'ECONNREFUSED' })
  assert.equal(isClosed, false)
  response?.end('half')
  const { body, isWhole } = await viewer.answer
  assert.equal(body.toString(), 'halfhalf')
  assert.equal(isWhole, true)
  await closing
})

test('a response that takes longer than the drain timeout is cut', async (t) => {
  const origin = await openOrigin(t, (_request, response) => {
    response.writeHead(200, { 'content-length': '8', ...FRESH })
    response.write('half')
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { http: { drainTimeout: '50ms' } } })
  const viewer = openViewer(`${relais.url}/endless.ts`)
  await viewer.reached(4)
  await relais.close()
  const { body, isWhole } = await viewer.answer
  assert.equal(body.toString(), 'half')
  assert.equal(isWhole, false)
})

test('an idle connection is closed at once', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x', FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url], file: { http: { drainTimeout: '30s' } } })
  const wire = await openWire(t, relais.url, 'GET /a.ts HTTP/1.1\r\nhost: x\r\n\r\n')
  await wire.seen(/\r\n\r\nx$/)
  await relais.close()
  await wire.closed
})

test('while it drains a hit, a miss and a question for its health are the last of their connections', async (t) => {
  let slow: ServerResponse | undefined
  const origin = await openOrigin(t, (request, response) => {
    if (request.url === '/slow.ts') slow = response
    else reply(response, `<${request.url}>`, FRESH)
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { http: { drainTimeout: '30s' } } })
  await get(`${relais.url}/hit.ts`)
  const begun = await Promise.all(
    ['/hit.ts', '/miss.ts', '/-/ready', '/-/live'].map((path) =>
      openWire(t, relais.url, `GET ${path} HTTP/1.1\r\n`),
    ),
  )
  const viewer = openViewer(`${relais.url}/slow.ts`)
  await origin.reached(2)
  // A head that has begun to arrive is a request under way; it counts only once the server has read of it.
  await until(async () => (await relais.stats()).viewers >= 5, 'all are connected')
  const closing = relais.close()
  for (const wire of begun) wire.write('host: x\r\n\r\n')
  const [hit, miss, ready, live] = await Promise.all(begun.map((wire) => wire.closed))
  assert.match(hit ?? '', /^HTTP\/1.1 200 [\s\S]*connection: close[\s\S]*<\/hit.ts>$/i)
  assert.match(miss ?? '', /^HTTP\/1.1 200 [\s\S]*connection: close[\s\S]*<\/miss.ts>$/i)
  assert.match(ready ?? '', /^HTTP\/1.1 503 [\s\S]*connection: close[\s\S]*"draining"/i)
  assert.match(live ?? '', /^HTTP\/1.1 200 [\s\S]*connection: close[\s\S]*"live"/i)
  slow?.end('x')
  await viewer.answer
  await closing
})

test('a WebSocket holds a drain up for no longer than agreed, and does not keep the port open', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x'))
  const sockets = new Set<Socket>()
  origin.server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    sockets.add(socket)
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
    )
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { http: { drainTimeout: '100ms' } } })
  const wire = await openWire(
    t,
    relais.url,
    'GET /live HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n' +
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  await until(() => sockets.size === 1, 'the origin has the WebSocket')
  await wire.seen(/^HTTP\/1.1 101 /)
  const closing = relais.close()
  await assert.rejects(get(relais.url), { code: 'ECONNREFUSED' })
  // This viewer never answers the close frame.
  await closing
  await wire.closed
  for (const socket of sockets) socket.destroy()
})
