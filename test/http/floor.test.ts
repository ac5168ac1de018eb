/** The plain proxy: what is not for a cache passes as it came, both ways, and is never kept. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { openWire } from '../support/wire.ts'

const FRESH = { 'cache-control': 'max-age=60' }

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(message as AsyncIterable<Buffer>))
}

async function open(t: TestContext): Promise<{ origin: TestOrigin; relais: TestRelais }> {
  const origin = await openOrigin(t, async (request, response) => {
    reply(response, `${request.method} ${await bodyOf(request)}`, { ...FRESH, 'x-origin': 'yes' }, 207)
  })
  return { origin, relais: await openTestRelais(t, { origins: [origin.url] }) }
}

/** The lines of the access log. */
function lines(relais: TestRelais): readonly Record<string, unknown>[] {
  return relais.log.filter(({ msg }) => msg === 'request')
}

function troubles(relais: TestRelais): readonly Record<string, unknown>[] {
  return relais.log.filter(({ level }) => Number(level) > 30)
}

test('methods that no cache knows pass with body, status and fields', async (t) => {
  const { origin, relais } = await open(t)
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'QUERY', 'REPORT']) {
    const headers = { 'content-type': 'application/x-own', 'x-viewer': 'yes', 'content-length': '4' }
    const answer = await get(`${relais.url}/a?b=c`, { method, headers, body: 'body' })
    assert.equal(answer.status, 207)
    assert.equal(answer.headers['x-origin'], 'yes')
    assert.equal(answer.body.toString(), `${method} body`)
    const asked = origin.asked.at(-1)
    assert.equal(asked?.method, method)
    assert.equal(asked?.target, '/a?b=c')
    assert.equal(asked?.headers['x-viewer'], 'yes')
    assert.equal(asked?.headers['content-type'], 'application/x-own')
    assert.equal(asked?.headers['content-length'], '4')
  }
  assert.equal((await relais.stats()).requests.pass, 8)
})

test('a body passes whatever type it claims to be', async (t) => {
  const origin = await openOrigin(t, async (request, response) => reply(response, await bodyOf(request)))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const type of ['text/plain', 'application/json', 'nonsense', 'multipart/form-data', '']) {
    const body = '{ not json \u00ff\u0000'
    const answer = await get(relais.url, { method: 'POST', headers: { 'content-type': type }, body })
    assert.equal(answer.status, 200, type)
    assert.equal(answer.body.toString(), body, type)
  }
})

test('a large body streams through in both directions, byte for byte', async (t) => {
  const sent = randomBytes(8 * 1024 * 1024)
  const firstHalf = barrier()
  const origin = await openOrigin(t, async (request, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream' })
    request.once('data', firstHalf.open)
    for await (const chunk of request) response.write(chunk)
    response.end()
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const answer = await new Promise<Buffer>((resolve, reject) => {
    const outgoing = httpRequest(`${relais.url}/upload`, { method: 'PUT', agent: false }, (response) => {
      bodyOf(response).then(resolve, reject)
    })
    outgoing.on('error', reject)
    outgoing.write(sent.subarray(0, 1024 * 1024))
    // The origin has some of it while the rest has not been sent.
    void firstHalf.opened.then(() => outgoing.end(sent.subarray(1024 * 1024)))
  })
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
  assert.equal(digest(answer), digest(sent))
})

test('a licence is asked for each time, whatever its freshness says', async (t) => {
  const { origin, relais } = await open(t)
  for (let count = 1; count <= 3; count++) {
    const answer = await get(`${relais.url}/licence`, { method: 'POST', body: `challenge ${count}` })
    assert.equal(answer.body.toString(), `POST challenge ${count}`)
    assert.equal(answer.headers['cache-status'], 'test; fwd=method; fwd-status=207')
    assert.equal(answer.headers['age'], undefined)
  }
  assert.equal(origin.count(), 3)
  assert.equal((await relais.stats()).memory.entries, 0)
})

test('a write that went through makes the stored response forgotten, one that failed does not', async (t) => {
  let status = 200
  const origin = await openOrigin(t, (request, response) =>
    reply(response, 'x', FRESH, request.method === 'GET' ? 200 : status),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/a`
  const gets = (): number => origin.asked.filter(({ method }) => method === 'GET').length
  await get(url)
  status = 500
  await get(url, { method: 'PUT', body: 'y' })
  status = 404
  await get(url, { method: 'DELETE' })
  await get(url, { method: 'OPTIONS' })
  await get(url)
  assert.equal(gets(), 1)
  for (const [count, method] of ['POST', 'PUT', 'DELETE', 'PATCH'].entries()) {
    status = count % 2 === 0 ? 200 : 303
    await get(url, { method })
    await get(url)
    assert.equal(gets(), count + 2, method)
  }
})

test('fields of one connection stay on it; Via and CDN-Loop are added', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'x', { connection: 'keep-alive, x-of-origin', 'x-of-origin': '1', via: '1.1 before' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const headers = {
    connection: 'close, x-of-viewer',
    'x-of-viewer': '1',
    'keep-alive': 'timeout=1, max=nonsense',
    'proxy-connection': 'keep-alive',
    te: 'trailers',
    via: '1.0 earlier',
    'cdn-loop': 'other',
    'x-kept': '1',
  }
  const answer = await get(relais.url, { method: 'POST', headers })
  const asked = origin.asked[0]?.headers ?? {}
  for (const name of ['x-of-viewer', 'keep-alive', 'proxy-connection', 'te']) {
    assert.equal(asked[name], undefined, name)
  }
  assert.equal(asked['x-kept'], '1')
  assert.equal(asked.via, '1.0 earlier, 1.1 test')
  assert.equal(asked['cdn-loop'], 'other, test')
  assert.equal(asked.host, new URL(origin.url).host)
  assert.equal(answer.headers['x-of-origin'], undefined)
  assert.equal(answer.headers.via, '1.1 before, 1.1 test')
})

test('a request that has been here before is refused, whatever its method', async (t) => {
  const { origin, relais } = await open(t)
  for (const method of ['POST', 'GET']) {
    const answer = await get(relais.url, { method, headers: { 'cdn-loop': 'other, test' } })
    assert.equal(answer.status, 508)
    assert.equal(JSON.parse(answer.body.toString()).error, 'LOOP')
  }
  assert.equal(origin.count(), 0)
})

test('a route that drops cookies drops those of passed requests as well', async (t) => {
  const { origin } = await open(t)
  const routes = [{ prefix: '/', origins: [origin.url], cookies: 'drop' }]
  const relais = await openTestRelais(t, { file: { routes } })
  await get(relais.url, { method: 'POST', headers: { cookie: 'a=b' } })
  assert.equal(origin.asked[0]?.headers.cookie, undefined)
})

test('a route’s prefix is replaced by the origin’s path, and back again in Location', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, '', { location: '/content/next?x=%41' }, 303),
  )
  const routes = [{ prefix: '/vod/', origins: [`${origin.url}/content/`] }]
  const relais = await openTestRelais(t, { file: { routes } })
  const answer = await get(`${relais.url}/vod/a%2Fb?c`, { method: 'POST' })
  assert.equal(origin.asked[0]?.target, '/content/a%2Fb?c')
  assert.equal(answer.headers.location, '/vod/next?x=%41')
  assert.equal((await get(`${relais.url}/other`, { method: 'POST' })).status, 404)
  assert.equal((await get(`${relais.url}/%76od/a`, { method: 'POST' })).status, 404)
  assert.equal(origin.count(), 1)
})

test('a POST to an origin that is down is a 502 that says so, and is one line of trouble', async (t) => {
  const { origin, relais } = await open(t)
  await origin.close()
  const answer = await get(`${relais.url}/a`, { method: 'POST', body: 'x' })
  assert.equal(answer.status, 502)
  const told = JSON.parse(answer.body.toString())
  assert.equal(told.error, 'CONNECTION_REFUSED')
  const host = new URL(origin.url).host
  assert.equal(
    answer.headers['proxy-status'],
    `test;error=connection_refused;next-hop="${host}";details="CONNECTION_REFUSED"`,
  )
  assert.equal(answer.headers['cache-status'], undefined)
  assert.deepEqual(
    troubles(relais).map(({ requestId }) => requestId),
    [told.requestId],
  )
  assert.equal((await relais.stats()).requests.error, 1)
})

test('an answer that breaks off is cut for the viewer, never ended', async (t) => {
  const origin = await openOrigin(t, (_request, response) => {
    response.writeHead(200)
    response.write('half')
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const answer = get(relais.url, { method: 'POST', onData: () => origin.server.closeAllConnections() })
  assert.equal((await answer).isWhole, false)
  assert.equal((await relais.stats()).cuts, 1)
  assert.equal(troubles(relais).length, 1)
})

test('a viewer who leaves in the middle of an upload or an answer is no trouble, and the origin is let go', async (t) => {
  const gone = barrier()
  const origin = await openOrigin(t, (request, response) => {
    response.on('close', gone.open)
    request.resume()
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const wire = await openWire(
    t,
    relais.url,
    'POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nonly so much',
  )
  await origin.reached(1)
  wire.socket.destroy()
  await gone.opened
  await until(() => lines(relais).length === 1, 'the request is logged')
  const [line] = lines(relais)
  assert.equal(line?.['status'], 0)
  assert.equal(line?.['outcome'], 'pass')
  assert.equal(line?.['isCut'], true)
  assert.deepEqual(troubles(relais), [])
  assert.equal((await relais.stats()).requests.pass, 1)
})

test('an origin that answers before it has read the body closes the viewer’s connection, and nothing is misread', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'too large', {}, 413))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const wire = await openWire(t, relais.url, 'POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nsome')
  await wire.seen(/too large$/)
  wire.write('GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n')
  assert.match(await wire.closed, /^HTTP\/1.1 413 [\s\S]*connection: close/i)
  assert.equal(origin.count('/smuggled'), 0)
})

/** A text of fewer than 126 bytes as a frame of RFC 6455 section 5.2; what a client sends is masked, here with zeros. */
function frame(text: string, isMasked: boolean): Buffer {
  const length = Buffer.byteLength(text)
  const mask = isMasked ? [0, 0, 0, 0] : []
  return Buffer.concat([Buffer.from([0x81, isMasked ? 0x80 | length : length, ...mask]), Buffer.from(text)])
}

function handshake(path: string, fields = ''): string {
  const own = 'upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13'
  return `GET ${path} HTTP/1.1\r\nhost: x\r\n${own}\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n${fields}\r\n`
}

test('a WebSocket passes both ways, with the viewer’s fields', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, '', {}, 404))
  const asked: IncomingMessage[] = []
  let ended = (): unknown => undefined
  origin.server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    asked.push(request)
    ended = () => socket.destroy()
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n' +
        `sec-websocket-accept: ${accept}\r\nsec-websocket-protocol: own\r\n\r\n`,
    )
    socket.once('data', () => socket.write(frame('from the origin', false)))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const fields =
    'authorization: Bearer x\r\ncookie: a=b\r\norigin: http://page.example\r\nsec-websocket-protocol: own\r\n'
  const wire = await openWire(t, relais.url, handshake('/live?a=%41', fields))
  await wire.seen(/^HTTP\/1.1 101 [\s\S]*sec-websocket-protocol: own[\s\S]*\r\n\r\n/i)
  wire.write(frame('from the viewer', true))
  await wire.seen(/from the origin$/)
  wire.socket.destroy()
  ended()
  const [first] = asked
  assert.equal(first?.url, '/live?a=%41')
  assert.equal(first?.headers.authorization, 'Bearer x')
  assert.equal(first?.headers.cookie, 'a=b')
  assert.equal(first?.headers.origin, 'http://page.example')
  assert.equal(first?.headers.via, '1.1 test')
  assert.equal(first?.headers['sec-websocket-protocol'], 'own')
})

test('no WebSocket is opened to the office or to a path with dot segments, and an origin that is down ends it', async (t) => {
  const { origin, relais } = await open(t)
  for (const [path, status] of [
    ['/-/x', 404],
    // RFC 9110 section 7.8: an upgrade may be ignored, and leaves a GET.
    ['/metrics', 200],
    ['/a/../b', 400],
  ] as const) {
    const wire = await openWire(t, relais.url, handshake(path))
    assert.match(await wire.closed, new RegExp(`^HTTP/1.1 ${status} `))
  }
  assert.equal(origin.count(), 0)
  await origin.close()
  const wire = await openWire(t, relais.url, handshake('/live'))
  // Which way it ends is not the point; that it ends, and that Relais lives on, is. A close frame wants an answer.
  await wire.seen(/\r\n\r\n|^$/)
  wire.socket.end(Buffer.from([0x88, 0x80, 0, 0, 0, 0]))
  await wire.closed
  assert.equal((await get(`${relais.url}/-/live`)).status, 200)
})

test('a POST is refused at once while the circuit of its origin is open, and closes it when it is answered', async (t) => {
  const origin = await openOrigin(t, (_request, response) => response.destroy())
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const circuit = async (): Promise<unknown> => (await relais.stats()).routes[0]?.origins[0]?.circuit
  for (let nth = 0; (await circuit()) === 'closed'; nth++) {
    assert.ok(nth < 10, 'the circuit opens')
    await get(`${relais.url}/${nth}.ts`)
  }
  const before = origin.count()
  const refused = await get(`${relais.url}/a`, { method: 'POST', body: 'body' })
  assert.equal(refused.status, 503)
  assert.equal(JSON.parse(refused.body.toString()).error, 'DESTINATION_UNAVAILABLE')
  assert.ok(Number(refused.headers['retry-after']) >= 1)
  assert.equal(origin.count(), before)
  origin.answer((_request, response) => reply(response, 'here again'))
  relais.clock.advance(1_000)
  assert.equal((await get(`${relais.url}/a`, { method: 'POST', body: 'body' })).status, 200)
  assert.equal(origin.count(), before + 1)
  assert.equal(await circuit(), 'closed')
})

test('POSTs that an origin declines do not take it away from anybody else', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    if (request.method === 'POST') reply(response, 'no', {}, 503)
    else reply(response, 'here', FRESH)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (let nth = 0; nth < 12; nth++) {
    assert.equal((await get(`${relais.url}/${nth}`, { method: 'POST' })).status, 503)
  }
  assert.equal(origin.count(), 12)
  assert.equal((await get(`${relais.url}/a.ts`)).status, 200)
})

test('no more POSTs are at an origin than it may have at once, and no more wait than may', async (t) => {
  const { opened, open: goOn } = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    await opened
    reply(response, 'done')
  })
  const upstream = { connections: 2, queue: 1 }
  const relais = await openTestRelais(t, { origins: [origin.url], file: { upstream } })
  const post = (path: string): ReturnType<typeof get> => get(relais.url + path, { method: 'POST', body: 'x' })
  const first = [post('/1'), post('/2')]
  await origin.reached(2)
  // One of these waits and the other is refused, whichever comes first.
  const more = [post('/3'), post('/4')]
  const refused = await Promise.race(more)
  assert.equal(refused.status, 503)
  assert.equal(JSON.parse(refused.body.toString()).error, 'CONNECTION_LIMIT')
  assert.equal(origin.count(), 2)
  goOn()
  const statuses = (await Promise.all([...first, ...more])).map(({ status }) => status)
  assert.deepEqual(statuses.toSorted(), [200, 200, 200, 503])
  assert.equal(origin.count(), 3)
})
