/** Answers as they leave: their fields, their bytes, their line in the log, and that connections outlive them. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { pino } from 'pino'
import { Audience } from '../../src/cache/audience/audience.ts'
import type { Cache } from '../../src/cache/cache.ts'
import { RouteTable } from '../../src/cache/routes.ts'
import { Streams } from '../../src/cache/streams.ts'
import { Door } from '../../src/http/door.ts'
import { type Destination, Forwarder } from '../../src/http/forwarder.ts'
import { openFront } from '../../src/http/front.ts'
import { HeadLines } from '../../src/http/head-lines.ts'
import { Sender } from '../../src/http/send.ts'
import { Traffic } from '../../src/http/traffic.ts'
import { formatHttpDate } from '../../src/rfc/http-date.ts'
import { openAgent } from '../../src/upstream/agent.ts'
import { Budget } from '../../src/upstream/budget.ts'
import { Origin } from '../../src/upstream/origin.ts'
import { upstreamError } from '../../src/upstream/upstream-error.ts'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { testClock } from '../support/clock.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais, testConfig } from '../support/relais.ts'
import { openWire } from '../support/wire.ts'

const SEGMENT = randomBytes(1_500_000)

async function open(
  t: TestContext,
  headers: Record<string, string> = {},
  file: Record<string, unknown> = {},
): Promise<{ origin: TestOrigin; relais: TestRelais }> {
  const clock = testClock()
  const date = formatHttpDate(clock.now())
  const origin = await openOrigin(t, (_request, response) => {
    reply(response, SEGMENT, { 'cache-control': 'max-age=60', etag: '"a"', date, ...headers })
  })
  return { origin, relais: await openTestRelais(t, { origins: [origin.url], clock, file }) }
}

/** Waits for so many lines of the access log. */
async function lines(relais: TestRelais, count: number): Promise<readonly Record<string, unknown>[]> {
  const all = (): Record<string, unknown>[] => relais.log.filter(({ msg }) => msg === 'request')
  await until(() => all().length >= count, `${count} lines of the access log`)
  return all()
}

test('a hit says how old it is, how long it lasts, and whom it passed', async (t) => {
  const { relais } = await open(t, { 'cache-status': 'edge; hit; ttl=9', via: '1.1 edge', 'x-origin': 'yes' })
  const first = await get(`${relais.url}/a.ts`)
  assert.equal(
    first.headers['cache-status'],
    'edge; hit; ttl=9, test; fwd=uri-miss; fwd-status=200; stored; ttl=60',
  )
  relais.clock.advance(7_000)
  const { headers, body } = await get(`${relais.url}/a.ts`)
  assert.equal(headers['cache-status'], 'edge; hit; ttl=9, test; hit; ttl=53')
  assert.equal(headers.age, '7')
  assert.equal(headers.via, '1.1 edge, 1.1 test')
  assert.equal(headers.date, first.headers.date)
  assert.equal(headers['content-length'], String(SEGMENT.length))
  assert.equal(headers['accept-ranges'], 'bytes')
  assert.equal(headers['x-origin'], 'yes')
  assert.ok(body.equals(SEGMENT))
})

test('every answer from memory leaves its connection in order: 200, HEAD, 304, 206, 416', async (t) => {
  const { origin, relais } = await open(t)
  await get(`${relais.url}/a.ts`)
  const asked: readonly (readonly [string, string, number, number])[] = [
    ['GET', '', 200, SEGMENT.length],
    ['GET', 'if-none-match: "a"\r\n', 304, 0],
    ['GET', 'range: bytes=10-19\r\n', 206, 10],
    ['GET', 'range: bytes=-5\r\n', 206, 5],
    ['GET', `range: bytes=${SEGMENT.length}-\r\n`, 416, 0],
    ['HEAD', '', 200, 0],
    ['HEAD', 'if-none-match: "a"\r\n', 304, 0],
    ['HEAD', `range: bytes=${SEGMENT.length}-\r\n`, 200, 0],
  ]
  const wire = await openWire(t, relais.url)
  let end = 0
  for (const [method, fields, status, size] of asked) {
    wire.write(`${method} /a.ts HTTP/1.1\r\nhost: x\r\n${fields}\r\n`)
    await until(() => wire.received.indexOf('\r\n\r\n', end) >= 0, 'a head')
    const headEnd = wire.received.indexOf('\r\n\r\n', end) + 4
    const head = wire.received.slice(end, headEnd)
    assert.match(head, new RegExp(`^HTTP/1.1 ${status} `), `${method} ${fields}`)
    assert.match(head, /\r\ncache-status: test; hit; ttl=60\r\n/)
    assert.match(head, /\r\nConnection: keep-alive\r\n/i)
    end = headEnd + size
    await until(() => wire.received.length >= end, 'the body')
    if (status === 206) {
      const [, first = ''] = /content-range: bytes (\d+)-/.exec(head) ?? []
      const part = Buffer.from(wire.received.slice(headEnd, end), 'latin1')
      assert.ok(part.equals(SEGMENT.subarray(Number(first), Number(first) + size)))
    }
    if (status === 416) assert.match(head, new RegExp(`content-range: bytes \\*/${SEGMENT.length}\r\n`))
  }
  assert.equal(wire.received.length, end)
  assert.equal(origin.count(), 1)
})

test('HEAD of an error has no body', async (t) => {
  const { relais } = await open(t)
  const wire = await openWire(t, relais.url, 'HEAD /a/../b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  assert.match(await wire.closed, /^HTTP\/1.1 400 [\s\S]*\r\n\r\n$/)
})

test('an error made here names itself, its request and the upstream, and is no answer of a cache', async (t) => {
  const { origin, relais } = await open(t)
  await origin.close()
  const { status, headers, body } = await get(`${relais.url}/a.ts`)
  assert.equal(status, 502)
  const told = JSON.parse(body.toString())
  assert.deepEqual(Object.keys(told), ['error', 'message', 'requestId'])
  assert.equal(told.error, 'CONNECTION_REFUSED')
  assert.match(headers['proxy-status']?.toString() ?? '', /^test;error=connection_refused;next-hop=/)
  assert.equal(headers['cache-status'], undefined)
  assert.equal(headers['cache-control'], 'no-store')
  const [line] = await lines(relais, 1)
  assert.equal(line?.['requestId'], told.requestId)
})

test('only-if-cached without a stored response is a 504 and no trouble', async (t) => {
  const { origin, relais } = await open(t)
  const answer = await get(`${relais.url}/a.ts`, { headers: { 'cache-control': 'only-if-cached' } })
  assert.equal(answer.status, 504)
  assert.equal(JSON.parse(answer.body.toString()).error, 'ONLY_IF_CACHED')
  assert.equal(origin.count(), 0)
  assert.deepEqual(
    relais.log.filter(({ level }) => Number(level) > 30),
    [],
  )
})

test('a path under no route is a 404 that says so', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x'))
  const relais = await openTestRelais(t, { file: { routes: [{ prefix: '/vod/', origins: [origin.url] }] } })
  const answer = await get(`${relais.url}/live/a.ts`)
  assert.equal(answer.status, 404)
  assert.equal(origin.count(), 0)
})

test('a failed fill is one line of trouble, however many waited for it', async (t) => {
  const all = barrier()
  const origin = await openOrigin(t, async (request) => {
    await all.opened
    request.socket.destroy()
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const answers = Array.from({ length: 20 }, () => get(`${relais.url}/a.ts`))
  await until(async () => (await relais.stats()).waiting === 20, 'all are connected')
  all.open()
  for (const { status } of await Promise.all(answers)) assert.equal(status, 502)
  const troubles = relais.log.filter(({ level }) => Number(level) > 30)
  // Those who came when the first fill had failed already waited for another one.
  // Each fill asks twice: a connection that closes at once may have been an old one.
  assert.equal(troubles.length * 2, origin.count())
})

test('the access log has one line a request: hit, miss, error, passed and cut', async (t) => {
  const { origin, relais } = await open(t)
  await get(`${relais.url}/a.ts?x=1`)
  await get(`${relais.url}/a.ts?x=1`)
  await get(`${relais.url}/a.ts?x=1`, { headers: { range: 'bytes=0-9' } })
  await get(`${relais.url}/a/../b`)
  await get(`${relais.url}/a.ts`, { method: 'POST' })
  const [miss, hit, part, error, passed] = await lines(relais, 5)
  for (const line of [miss, hit, part, error, passed]) {
    assert.equal(typeof line?.['durationMs'], 'number')
    assert.equal(typeof line?.['firstByteMs'], 'number')
    assert.equal(line?.['isCut'], false)
  }
  const of = (line: Record<string, unknown> | undefined): unknown[] =>
    ['method', 'path', 'status', 'outcome', 'bytes', 'kind', 'cacheStatus'].map((name) => line?.[name])
  const kind = 'segment'
  const size = SEGMENT.length
  assert.deepEqual(of(miss), [
    'GET',
    '/a.ts?x=1',
    200,
    'miss',
    size,
    kind,
    'test; fwd=uri-miss; fwd-status=200; stored; ttl=60',
  ])
  assert.deepEqual(of(hit), ['GET', '/a.ts?x=1', 200, 'hit', size, kind, 'test; hit; ttl=60'])
  assert.deepEqual(of(part), ['GET', '/a.ts?x=1', 206, 'hit', 10, kind, 'test; hit; ttl=60'])
  assert.deepEqual(of(error).slice(0, 4), ['GET', '/a/../b', 400, 'error'])
  assert.deepEqual(of(passed), [
    'POST',
    '/a.ts',
    200,
    'pass',
    size,
    undefined,
    'test; fwd=method; fwd-status=200',
  ])
  origin.answer((_request, response) => {
    response.writeHead(200, { 'content-length': '10' })
    response.write('half')
  })
  await get(`${relais.url}/b.ts`, { onData: () => origin.server.closeAllConnections() })
  const cut = (await lines(relais, 6)).at(-1)
  assert.deepEqual([cut?.['status'], cut?.['bytes'], cut?.['isCut']], [200, 4, true])
  const ids = (await lines(relais, 6)).map(({ requestId }) => requestId)
  assert.equal(new Set(ids).size, 6)
})

test('no request is logged when the access log is off', async (t) => {
  const { relais } = await open(t, {}, { log: { access: false } })
  await get(`${relais.url}/a.ts`)
  await get(`${relais.url}/a.ts`)
  await get(`${relais.url}/a/../b`)
  await get(`${relais.url}/a.ts`, { method: 'POST' })
  await relais.close()
  assert.deepEqual(
    relais.log.filter(({ msg }) => msg === 'request'),
    [],
  )
})

test('every request is counted as exactly one outcome, and in its route', async (t) => {
  const { relais } = await open(t)
  await get(`${relais.url}/a.ts`)
  for (const headers of [{}, { range: 'bytes=0-9' }, { 'if-none-match': '"a"' }])
    await get(`${relais.url}/a.ts`, { headers })
  await get(`${relais.url}/a.ts`, { method: 'POST' })
  await get(`${relais.url}/a/../b`)
  const { requests, routes, bytes } = await relais.stats()
  assert.deepEqual(requests, { total: 6, hit: 3, stale: 0, miss: 1, collapsed: 0, pass: 1, error: 1 })
  assert.deepEqual(routes[0]?.requests, requests)
  assert.equal(bytes.toViewers, routes[0]?.bytesToViewers)
})

test('a broken cache is still a working proxy', async (t) => {
  const origin = await openOrigin(t, (request, response) => reply(response, `from ${request.url}`))
  const { http, upstream } = testConfig({ origins: [origin.url] })
  const agent = openAgent(upstream)
  const clock = testClock().now
  const { connections, queue, queueTimeout, headTimeout } = upstream
  const budget = new Budget({ connections, queue, queueTimeoutMs: queueTimeout })
  const held = { dispatcher: agent, budget }
  const context = { dispatcher: agent, budget, held, floorBudget: budget, headTimeoutMs: headTimeout, clock }
  const source = new Origin(origin.url, context)
  const route = {
    prefix: '/',
    base: '/',
    cookies: 'forward',
    requestDirectives: 'ignore',
    ignoreQuery: new Set<string>(),
    source,
  } as const
  const broken = {
    immediate: () => {
      throw new TypeError('broken at once')
    },
    answer: () => Promise.reject(new TypeError('broken')),
  } as unknown as Cache
  const troubles: unknown[] = []
  const traffic = new Traffic()
  const destinationOf = (): Destination => ({
    address: origin.url,
    host: source.name,
    path: '/',
    admit: (target, signal) => source.admit(target, signal),
  })
  const door = new Door({
    cache: broken,
    routes: new RouteTable([route]),
    sender: new Sender(new HeadLines('test'), 'test'),
    forwarder: new Forwarder({
      node: 'test',
      clock,
      destinationOf,
      onWritten: () => undefined,
      failure: upstreamError,
    }),
    traffic,
    audience: new Audience(new Streams(), clock),
    clock,
    nextRequestId: () => 'id',
    onAccount: undefined,
    onTrouble: (error) => troubles.push(error),
  })
  const floor = { door, routes: [route], node: 'test', destinationOf, onPurge: () => undefined, pool: agent }
  const { app, drain } = await openFront(floor, http, pino({ level: 'silent' }), () => undefined)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.after(async () => {
    await drain()
    await app.close()
    await agent.destroy()
  })
  const answer = await get(`${url}/a?b`)
  assert.equal(answer.status, 200)
  assert.equal(answer.body.toString(), 'from /a?b')
  assert.equal(answer.headers['cache-status'], 'test; fwd=bypass; fwd-status=200')
  assert.equal(troubles.length, 2)
  assert.equal(traffic.total().requests.pass, 1)
  assert.equal(traffic.total().requests.total, 1)
})

test('answers on one connection leave no listeners behind', async (t) => {
  const { relais } = await open(t)
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => {
    warnings.push(warning)
  }
  process.on('warning', onWarning)
  t.after(() => process.off('warning', onWarning))
  const wire = await openWire(t, relais.url)
  for (let count = 1; count <= 40; count++) {
    const method = count % 2 === 0 ? 'POST' : 'GET'
    wire.write(`${method} /a.ts HTTP/1.1\r\nhost: x\r\nrange: bytes=0-0\r\ncontent-length: 0\r\n\r\n`)
  }
  await until(async () => (await relais.stats()).requests.total === 40, 'all are answered')
  assert.deepEqual(warnings, [])
})
