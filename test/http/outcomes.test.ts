/** What became of a request is told three times, in Cache-Status, in the log and in /stats, and always the same. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { parseList } from 'structured-headers'
import type { Outcome } from '../../src/cache/cache.ts'
import { barrier, until } from '../support/barrier.ts'
import { type GetOptions, get, type Response } from '../support/client.ts'
import { type Handler, openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const OUTCOMES = ['hit', 'stale', 'miss', 'collapsed', 'pass', 'error'] as const

interface Scene {
  readonly relais: TestRelais
  readonly origin: TestOrigin
  readonly ask: (path: string, options?: GetOptions) => Promise<Told>
}

/** One answer, and the line of the log that tells of it. */
interface Told {
  readonly answer: Response
  readonly line: Readonly<Record<string, unknown>>
}

async function open(t: TestContext, handler: Handler, route: Record<string, unknown> = {}): Promise<Scene> {
  const origin = await openOrigin(t, handler)
  const file = { routes: [{ prefix: '/', origins: [origin.url], ...route }] }
  const relais = await openTestRelais(t, { file })
  const ask = async (path: string, options?: GetOptions): Promise<Told> => {
    const before = lines(relais).length
    const answer = await get(relais.url + path, options)
    await until(() => lines(relais).length > before, 'its line of the log')
    return { answer, line: lines(relais)[before] ?? {} }
  }
  return { relais, origin, ask }
}

function lines(relais: TestRelais): readonly Readonly<Record<string, unknown>>[] {
  return relais.log.filter(({ msg }) => msg === 'request')
}

/** The outcome that a Cache-Status speaks of; what it says beside that must fit as well. */
function outcomeOf(field: string): Outcome {
  const member = parseList(field).at(-1)
  assert.ok(member !== undefined, field)
  const [node, parameters] = member
  assert.equal(String(node), 'test')
  const ttl = Number(parameters.get('ttl') ?? 1)
  const fwd = parameters.get('fwd')?.toString()
  if (parameters.get('hit') === true) {
    assert.equal(fwd, undefined, field)
    assert.equal(parameters.has('stored') || parameters.has('collapsed'), false, field)
    assert.equal(parameters.has('detail'), ttl <= 0, field)
    return ttl > 0 ? 'hit' : 'stale'
  }
  assert.ok(fwd !== undefined && Number.isInteger(parameters.get('fwd-status')), field)
  if (parameters.get('collapsed') === true) return 'collapsed'
  // What is shared has a lifetime; what belongs to one viewer has none here.
  return parameters.has('ttl') ? 'miss' : 'pass'
}

/** Throws unless field, log and what is expected agree. */
function assertTold({ answer, line }: Told, outcome: Outcome, member: string): void {
  const field = String(answer.headers['cache-status'])
  assert.equal(field, member)
  assert.equal(line['cacheStatus'], field)
  assert.equal(line['outcome'], outcome)
  assert.equal(outcomeOf(field), outcome)
}

/** Throws unless /stats has counted exactly these. */
async function assertCounted(relais: TestRelais, counts: Partial<Record<Outcome, number>>): Promise<void> {
  const { requests } = await settled(relais)
  const counted = Object.fromEntries(OUTCOMES.map((name) => [name, requests[name]]))
  assert.deepEqual(counted, { ...Object.fromEntries(OUTCOMES.map((name) => [name, 0])), ...counts })
  const logged = Object.fromEntries(
    OUTCOMES.map((name) => [name, lines(relais).filter(({ outcome }) => outcome === name).length]),
  )
  assert.deepEqual(logged, counted)
}

test('a miss, then hits of all kinds: whole, HEAD, 304, 206, several parts, 416', async (t) => {
  const body = 'x'.repeat(1000)
  const { relais, ask } = await open(t, (_request, response) =>
    reply(response, body, { 'cache-control': 'max-age=60', etag: '"1"' }),
  )
  assertTold(await ask('/a.ts'), 'miss', 'test; fwd=uri-miss; fwd-status=200; stored; ttl=60')
  relais.clock.advance(1000)
  for (const [status, options] of [
    [200, {}],
    [200, { method: 'HEAD' }],
    [304, { headers: { 'if-none-match': '"1"' } }],
    [206, { headers: { range: 'bytes=0-9' } }],
    [206, { headers: { range: 'bytes=0-9,500-509' } }],
    [416, { headers: { range: 'bytes=1000-' } }],
  ] as const) {
    const told = await ask('/a.ts', options)
    assert.equal(told.answer.status, status)
    assertTold(told, 'hit', 'test; hit; ttl=59')
  }
  await assertCounted(relais, { miss: 1, hit: 6 })
})

test('stale, while it is validated and when the origin fails', async (t) => {
  const { relais, origin, ask } = await open(t, (_request, response) =>
    reply(response, 'x', { 'cache-control': 'max-age=10, stale-while-revalidate=10, stale-if-error=100' }),
  )
  await ask('/a.ts')
  relais.clock.advance(15_000)
  const failed = barrier()
  origin.answer((_request, response) => {
    response.on('close', failed.open)
    reply(response, 'no', {}, 500)
  })
  assertTold(await ask('/a.ts'), 'stale', 'test; hit; ttl=-5; detail=stale-while-revalidate')
  await failed.opened
  await settled(relais)
  relais.clock.advance(10_000)
  assertTold(await ask('/a.ts'), 'stale', 'test; hit; ttl=-15; detail=stale-if-error')
  await assertCounted(relais, { miss: 1, stale: 2 })
})

test('a validation that holds says that it was stale and what came of it', async (t) => {
  const { relais, ask } = await open(t, (request, response) => {
    const headers = { 'cache-control': 'max-age=10', etag: '"1"' }
    if (request.headers['if-none-match'] === '"1"') response.writeHead(304, headers).end()
    else reply(response, 'x', headers)
  })
  await ask('/a.ts')
  relais.clock.advance(20_000)
  const member = 'test; fwd=stale; fwd-status=304; stored; ttl=10'
  assertTold(await ask('/a.ts'), 'miss', member)
  await assertCounted(relais, { miss: 2 })
})

test('one who walks along says so', async (t) => {
  const rest = barrier()
  const { relais, origin, ask } = await open(t, async (_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60', 'content-length': '2' })
    response.write('x')
    await rest.opened
    response.end('y')
  })
  const first = openViewer(`${relais.url}/a.ts`)
  await first.reached(1)
  const second = openViewer(`${relais.url}/a.ts`)
  const { headers } = await second.head
  rest.open()
  await Promise.all([first.answer, second.answer])
  await until(() => lines(relais).length === 2, 'both lines of the log')
  const line = lines(relais).find(({ outcome }) => outcome === 'collapsed') ?? {}
  const answer = { ...(await second.answer), headers }
  const member = 'test; fwd=uri-miss; fwd-status=200; stored; collapsed; ttl=60'
  assertTold({ answer, line }, 'collapsed', member)
  assert.equal(origin.count(), 1)
  assertTold(await ask('/a.ts'), 'hit', 'test; hit; ttl=60')
  await assertCounted(relais, { miss: 1, collapsed: 1, hit: 1 })
})

test('what is not for keeping says why, and those after it pass by', async (t) => {
  const { relais, ask } = await open(t, (_request, response) =>
    reply(response, 'x', { 'cache-control': 'private' }),
  )
  assertTold(await ask('/a.ts'), 'pass', 'test; fwd=uri-miss; fwd-status=200; detail=private')
  assertTold(await ask('/a.ts'), 'pass', 'test; fwd=bypass; fwd-status=200')
  await assertCounted(relais, { pass: 2 })
})

test('one who waited for another in vain says so', async (t) => {
  const rest = barrier()
  const { relais, origin, ask } = await open(t, async (request, response) => {
    if (request.url === '/a.ts') await rest.opened
    reply(response, 'x', { 'cache-control': 'private' })
  })
  const first = get(`${relais.url}/a.ts`)
  await origin.reached(1)
  const second = get(`${relais.url}/a.ts`)
  await until(async () => (await relais.stats()).viewers >= 2, 'both are connected')
  // What came before this one on another connection has been read when this one is answered.
  await ask('/b.ts')
  rest.open()
  await first
  const { headers } = await second
  await until(() => lines(relais).length === 3, 'all lines of the log')
  const line = lines(relais).find(({ cacheStatus }) => cacheStatus === headers['cache-status']) ?? {}
  assertTold({ answer: await second, line }, 'pass', 'test; fwd=bypass; fwd-status=200; collapsed=?0')
  await assertCounted(relais, { pass: 3 })
})

test('what is not for a cache says whether it was the method or the request', async (t) => {
  const { relais, ask } = await open(
    t,
    (_request, response) => reply(response, 'x', { 'cache-control': 'max-age=60' }),
    { requestDirectives: 'honour' },
  )
  assertTold(await ask('/a.ts', { method: 'POST' }), 'pass', 'test; fwd=method; fwd-status=200')
  assertTold(await ask('/a.ts', { method: 'HEAD' }), 'pass', 'test; fwd=method; fwd-status=200')
  const unstored = { headers: { 'cache-control': 'no-store' } }
  assertTold(await ask('/a.ts', unstored), 'pass', 'test; fwd=request; fwd-status=200')
  const beyond = { headers: { 'if-match': '"1"' } }
  assertTold(await ask('/a.ts', beyond), 'pass', 'test; fwd=request; fwd-status=200')
  await assertCounted(relais, { pass: 4 })
})

test('a range that is asked of the origin itself says that a part is missing', async (t) => {
  const size = 20 * 1024 * 1024
  const rest = barrier()
  const { relais } = await open(t, async (request, response) => {
    const headers = { 'cache-control': 'max-age=60', 'accept-ranges': 'bytes', etag: '"1"' }
    if (request.headers.range !== undefined) {
      reply(response, 'part', { ...headers, 'content-range': `bytes 15000000-15000003/${size}` }, 206)
      return
    }
    response.writeHead(200, { ...headers, 'content-length': String(size) })
    response.write(Buffer.alloc(1000))
    await rest.opened
    response.end(Buffer.alloc(size - 1000))
  })
  const whole = openViewer(`${relais.url}/seg1.m4s`, { keep: false })
  await whole.reached(1000)
  const answer = await get(`${relais.url}/seg1.m4s`, { headers: { range: 'bytes=15000000-15000003' } })
  await until(() => lines(relais).length === 1, 'its line of the log')
  assertTold({ answer, line: lines(relais)[0] ?? {} }, 'pass', 'test; fwd=partial; fwd-status=206')
  rest.open()
  await whole.answer
})

test('members of caches nearer to the origin stay, ours comes last, whatever the outcome', async (t) => {
  const { ask } = await open(t, (_request, response) => {
    const status = ['edge; hit; ttl=9', '"parent, 1"; fwd=uri-miss']
    response.writeHead(200, { 'cache-control': 'max-age=60', 'cache-status': status, 'content-length': '1' })
    response.end('x')
  })
  const before = 'edge; hit; ttl=9, "parent, 1"; fwd=uri-miss, '
  for (const [method, member] of [
    ['GET', 'test; fwd=uri-miss; fwd-status=200; stored; ttl=60'],
    ['GET', 'test; hit; ttl=60'],
    ['POST', 'test; fwd=method; fwd-status=200'],
  ] as const) {
    const { answer, line } = await ask('/a.ts', { method })
    assert.equal(answer.headers['cache-status'], before + member)
    assert.equal(line['cacheStatus'], member)
  }
})

test('an error made here has no Cache-Status, and its Proxy-Status says what it is and nothing of the inside', async (t) => {
  const { relais, origin, ask } = await open(t, (_request, response) =>
    reply(response, '<html>not a playlist', { 'proxy-status': 'edge; received-status=200' }),
  )
  const { host } = new URL(origin.url)
  const told = async (
    path: string,
    status: number,
    field: string,
    options: GetOptions = {},
  ): Promise<void> => {
    const { answer, line } = await ask(path, options)
    assert.equal(answer.status, status, path)
    assert.equal(answer.headers['cache-status'], undefined)
    assert.equal(answer.headers['proxy-status'], field)
    assert.equal(line['outcome'], 'error')
    assert.equal(line['cacheStatus'], undefined)
  }
  await told('/a/../b', 400, 'test;error=http_request_error;details="BAD_TARGET"')
  await told('/a.ts', 508, 'test;error=proxy_loop_detected;details="LOOP"', {
    headers: { 'cdn-loop': 'test' },
  })
  const onlyStored = { headers: { 'cache-control': 'only-if-cached' } }
  await told('/a.ts', 504, 'test;error=http_request_denied;details="ONLY_IF_CACHED"', onlyStored)
  const received = `next-hop="${host}";received-status=200;details="BAD_MANIFEST"`
  await told('/a.m3u8', 502, `test;error=http_response_body_size;${received}`)
  await origin.close()
  const refused = `test;error=connection_refused;next-hop="${host}";details="CONNECTION_REFUSED"`
  await told('/a.ts', 502, refused)
  await told('/b.ts', 502, refused, { method: 'POST' })
  await assertCounted(relais, { error: 6 })
})

test('an error of the origin is passed on as its own: who sent it, and no error of ours', async (t) => {
  const { relais, origin, ask } = await open(t, (_request, response) =>
    reply(response, 'sorry', { 'proxy-status': 'edge; error=dns_error' }, 503),
  )
  const own = `test;next-hop="${new URL(origin.url).host}";received-status=503`
  for (const [method, path, member] of [
    ['GET', '/a.ts', 'test; fwd=uri-miss; fwd-status=503; detail=status'],
    ['POST', '/a.ts', 'test; fwd=method; fwd-status=503'],
  ] as const) {
    const told = await ask(path, { method })
    assert.equal(told.answer.status, 503)
    assert.equal(told.answer.headers['proxy-status'], `edge; error=dns_error, ${own}`)
    assertTold(told, 'pass', member)
  }
  origin.answer((_request, response) => reply(response, 'no', {}, 403))
  const { answer } = await ask('/b.ts')
  assert.equal(answer.headers['proxy-status'], undefined)
  await assertCounted(relais, { pass: 3 })
})
