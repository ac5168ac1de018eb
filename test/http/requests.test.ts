/** Requests as they come over the wire: what is refused, what is read how, and that nobody smuggles one past. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { exchange, openWire } from '../support/wire.ts'

const FRESH = { 'cache-control': 'max-age=60' }

/** An origin that answers everything with its own request line, and a Relais before it. */
async function open(
  t: TestContext,
  http: Record<string, unknown> = {},
): Promise<{ origin: TestOrigin; relais: TestRelais }> {
  const origin = await openOrigin(t, async (request, response) => {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>))
    reply(response, `<${request.method} ${request.url} ${body}>`, FRESH)
  })
  const relais = await openTestRelais(t, {
    origins: [origin.url],
    file: { http: { drainTimeout: '1s', ...http } },
  })
  return { origin, relais }
}

/** Sends one request and expects the connection to be closed after an error of this status and name. */
async function refused(
  t: TestContext,
  relais: TestRelais,
  bytes: string,
  status: number,
  name: string,
): Promise<void> {
  const answer = await exchange(t, relais.url, bytes)
  const shown = JSON.stringify(bytes.slice(0, 100))
  assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), `${shown} was answered ${answer}`)
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  const told = JSON.parse(body) as Record<string, unknown>
  assert.equal(told['error'], name, shown)
  assert.deepEqual(Object.keys(told), ['error', 'message', 'requestId'])
  assert.match(head, /\r\nproxy-status: test;error=http_request_error/i)
  assert.match(head, /\r\ncache-control: no-store/i)
  assert.doesNotMatch(head, /\r\ncache-status:/i)
}

test('what is not HTTP is refused, and the connection closed', async (t) => {
  const { origin, relais } = await open(t)
  for (const bytes of [
    'GET\r\n\r\n',
    'hello world\r\n\r\n',
    'GET /a HTTP/9.9\r\nhost: x\r\n\r\n',
    'FOO /a HTTP/1.1\r\nhost: x\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'GET /a HTTP/1.1\nhost: x\n\n',
    'GET /a HTTP/1.1\r\nhost: x\na: b\r\n\r\n',
    'GET /a HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n',
    'GET /a HTTP/1.1\r\nhost: x\r\na : b\r\n\r\n',
    'GET /a HTTP/1.1\r\nhost: x\r\na: b\0c\r\n\r\n',
    'GET elsewhere.example:80 HTTP/1.1\r\nhost: x\r\n\r\n',
  ])
    await refused(t, relais, bytes, 400, 'BAD_REQUEST')
  assert.equal(origin.count(), 0)
})

test('a body whose length can be read in two ways is refused, and nothing after it is taken for a request', async (t) => {
  const { origin, relais } = await open(t)
  const next = 'GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n'
  for (const fields of [
    'content-length: 4\r\ntransfer-encoding: chunked',
    'transfer-encoding: chunked\r\ncontent-length: 4',
    'content-length: 4\r\ncontent-length: 5',
    'content-length: 4, 5',
    'content-length: +4',
    'content-length: 0x4',
    'content-length: -4',
    'transfer-encoding: xchunked',
    'transfer-encoding: chunked, identity',
    'transfer-encoding : chunked',
    'transfer-encoding: chunked\r\ntransfer-encoding: identity',
  ])
    await refused(
      t,
      relais,
      `POST /a HTTP/1.1\r\nhost: x\r\n${fields}\r\n\r\n0\r\n\r\n${next}`,
      400,
      'BAD_REQUEST',
    )
  assert.equal(origin.count('/smuggled'), 0)
})

test('a chunk size that is none breaks the request off', async (t) => {
  const { origin, relais } = await open(t)
  const head = 'POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n'
  await exchange(t, relais.url, `${head}zz\r\nab\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n`)
  assert.equal(origin.count('/smuggled'), 0)
})

test('a head that is too large is refused with 431', async (t) => {
  const { origin, relais } = await open(t)
  const long = 'a'.repeat(17 * 1024)
  await refused(t, relais, `GET /a HTTP/1.1\r\nhost: x\r\na: ${long}\r\n\r\n`, 431, 'HEAD_TOO_LARGE')
  await refused(t, relais, `GET /${long} HTTP/1.1\r\nhost: x\r\n\r\n`, 431, 'HEAD_TOO_LARGE')
  assert.equal(origin.count(), 0)
})

test('a head that does not arrive in time is answered 408, and the connection closed', async (t) => {
  const { relais } = await open(t, { headTimeout: '50ms' })
  await refused(t, relais, 'GET /a HTTP/1.1\r\nhost: x\r\n', 408, 'REQUEST_TIMEOUT')
})

test('a host that is named twice is refused', async (t) => {
  const { origin, relais } = await open(t)
  const bytes = 'GET /a HTTP/1.1\r\nhost: x\r\nhost: y\r\nconnection: close\r\n\r\n'
  await refused(t, relais, bytes, 400, 'BAD_REQUEST')
  assert.equal(origin.count(), 0)
})

test('HTTP/1.1 without a host is refused', async (t) => {
  const { origin, relais } = await open(t)
  assert.match(await exchange(t, relais.url, 'GET /a HTTP/1.1\r\n\r\n'), /^HTTP\/1.1 400 /)
  assert.equal(origin.count(), 0)
})

test('dot segments and NUL never reach the origin, whatever the method', async (t) => {
  const { origin, relais } = await open(t)
  for (const method of ['GET', 'HEAD', 'POST', 'DELETE']) {
    for (const path of ['/a/../b', '/a/%2e%2E/b', '/a/..%2fb', '/a/..\\b', '/a%00']) {
      const bytes = `${method} ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`
      if (method === 'HEAD')
        assert.match(await exchange(t, relais.url, bytes), /^HTTP\/1.1 400 [\s\S]*\r\n\r\n$/)
      else await refused(t, relais, bytes, 400, 'BAD_TARGET')
    }
  }
  assert.equal(origin.count(), 0)
})

test('a path reaches the origin byte for byte, what URL parsers change included', async (t) => {
  const { origin, relais } = await open(t)
  const targets = [
    '//elsewhere.example/a',
    '/a//b///c',
    '/%41%2f%61',
    '/a|b"c^d{e}`f\\g;h=1/x..y?a=|"^`{}',
    '/a#b?c',
    '/?',
    "/a?sig=a%2Fb+c%20d==&e='",
  ]
  for (const target of targets) {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const answer = await exchange(
        t,
        relais.url,
        `${method} ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
      )
      assert.match(answer, /^HTTP\/1.1 200 /, `${method} ${target}`)
    }
    assert.equal(origin.count(target), 3, target)
  }
})

test('a path whose percent signs mean nothing is the origin’s to judge for questions, and refused for the rest', async (t) => {
  const { origin, relais } = await open(t)
  for (const target of ['/%zz', '/%ff?a=%zz&b=|']) {
    for (const [method, status] of [
      ['GET', 200],
      ['POST', 400],
      ['OPTIONS', 400],
    ] as const) {
      const answer = await exchange(
        t,
        relais.url,
        `${method} ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
      )
      assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), `${method} ${target}: ${answer}`)
    }
    assert.equal(origin.count(target), 1, target)
  }
})

test('the absolute form is served as the origin form: never an open proxy', async (t) => {
  const { origin, relais } = await open(t)
  for (const method of ['GET', 'POST']) {
    const line = `${method} http://elsewhere.example:81/a?b|c HTTP/1.1`
    const answer = await exchange(
      t,
      relais.url,
      `${line}\r\nhost: elsewhere.example:81\r\nconnection: close\r\n\r\n`,
    )
    assert.match(answer, new RegExp(`<${method} /a\\?b\\|c >$`))
  }
  const origins = origin.asked.map(({ headers }) => headers.host)
  assert.deepEqual(origins, [new URL(origin.url).host, new URL(origin.url).host])
  assert.match(
    await exchange(
      t,
      relais.url,
      'GET ftp://elsewhere.example/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
    ),
    /^HTTP\/1.1 400 /,
  )
})

test('CONNECT and TRACE are not passed on', async (t) => {
  const { origin, relais } = await open(t)
  const tunnel = 'CONNECT elsewhere.example:443 HTTP/1.1\r\nhost: elsewhere.example:443\r\n\r\n'
  assert.doesNotMatch(await exchange(t, relais.url, tunnel), /^HTTP\/1.1 2/)
  const trace = 'TRACE /a HTTP/1.1\r\nhost: x\r\ncookie: secret\r\nconnection: close\r\n\r\n'
  assert.match(await exchange(t, relais.url, trace), /^HTTP\/1.1 404 [\s\S]*NOT_FOUND/)
  assert.equal(origin.count(), 0)
})

test('OPTIONS of the server as a whole is not the origin’s', async (t) => {
  const { origin, relais } = await open(t)
  const answer = await exchange(t, relais.url, 'OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  assert.match(answer, /^HTTP\/1.1 404 [\s\S]*NO_ROUTE/)
  assert.equal(origin.count(), 0)
})

test('the body of a GET is never read as a request, be it refused or answered from memory', async (t) => {
  const { origin, relais } = await open(t)
  const body = 'GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n'
  const bytes =
    `GET /a HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}` +
    'GET /next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'
  const refusedOne = await exchange(t, relais.url, bytes)
  assert.match(refusedOne, /^HTTP\/1.1 400 [\s\S]*UNEXPECTED_BODY/)
  await exchange(t, relais.url, 'GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  const answeredOne = await exchange(t, relais.url, bytes)
  assert.match(answeredOne, /^HTTP\/1.1 200 [\s\S]*<GET \/a >HTTP\/1.1 200 [\s\S]*<GET \/next >$/)
  assert.equal(origin.count('/smuggled'), 0)
})

test('pipelined requests are answered in order, hits not before what came first', async (t) => {
  const { origin, relais } = await open(t)
  await exchange(t, relais.url, 'GET /hit HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  const one = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n${more}\r\n`
  const bytes = one('/cold') + one('/hit') + one('/other') + one('/hit', 'connection: close\r\n')
  const answer = await exchange(t, relais.url, bytes)
  assert.deepEqual(answer.match(/<GET [^ ]+ >/g), [
    '<GET /cold >',
    '<GET /hit >',
    '<GET /other >',
    '<GET /hit >',
  ])
  assert.equal(origin.count('/hit'), 1)
})

test('a malformed request behind a slow one does not tear into the answer under way', async (t) => {
  const origin = await openOrigin(t, (_request, response) => {
    response.writeHead(200, { 'content-length': '10', ...FRESH })
    response.write('12345')
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const wire = await openWire(t, relais.url, 'GET /slow HTTP/1.1\r\nhost: x\r\n\r\n')
  await wire.seen(/12345$/)
  wire.write('nonsense\r\n\r\n')
  assert.match(await wire.closed, /\r\n\r\n12345$/)
})

test('an HTTP/1.0 client gets a body that ends with the connection, or with its length', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    response.writeHead(200, request.url === '/passed' ? { 'cache-control': 'no-store' } : FRESH)
    response.end('unknown length')
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const path of ['/kept', '/kept', '/passed']) {
    const answer = await exchange(t, relais.url, `GET ${path} HTTP/1.0\r\n\r\n`)
    assert.match(answer, /^HTTP\/1.1 200 [\s\S]*\r\nconnection: close\r\n[\s\S]*\r\nunknown length$/i)
    assert.doesNotMatch(answer, /transfer-encoding/i)
  }
  assert.equal(origin.count('/kept'), 1)
})

test('an HTTP/1.0 client that asks for it keeps its connection', async (t) => {
  const { relais } = await open(t)
  const one = 'GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n'
  const wire = await openWire(t, relais.url, one)
  await wire.seen(/<GET \/a >/)
  wire.write('GET /a HTTP/1.0\r\n\r\n')
  assert.match(
    await wire.closed,
    /connection: keep-alive[\s\S]*<GET \/a >[\s\S]*connection: close[\s\S]*<GET \/a >$/i,
  )
})

test('an offer of h2c is ignored and not passed on, and the answer comes from the cache', async (t) => {
  const { origin, relais } = await open(t)
  const offer = 'upgrade: h2c\r\nconnection: upgrade, http2-settings, close\r\nhttp2-settings: AAA'
  for (const status of [/fwd=uri-miss/, /; hit/]) {
    const answer = await exchange(t, relais.url, `GET /a HTTP/1.1\r\nhost: x\r\n${offer}\r\n\r\n`)
    assert.match(answer, /^HTTP\/1.1 200 /)
    assert.match(answer, status)
  }
  const [asked] = origin.asked
  assert.equal(asked?.headers.upgrade, undefined)
  assert.equal(asked?.headers['http2-settings'], undefined)
})

test('who waits for 100 Continue is told to go on; other expectations are ignored', async (t) => {
  const { origin, relais } = await open(t)
  const head = (expected: string): string =>
    `POST /a HTTP/1.1\r\nhost: x\r\nexpect: ${expected}\r\ncontent-length: 4\r\nconnection: close\r\n\r\n`
  const wire = await openWire(t, relais.url, head('100-continue'))
  await wire.seen(/^HTTP\/1.1 100 Continue\r\n\r\n/)
  wire.write('body')
  assert.match(await wire.closed, /HTTP\/1.1 200 [\s\S]*<POST \/a body>$/)
  assert.match(await exchange(t, relais.url, `${head('tea')}body`), /^HTTP\/1.1 200 [\s\S]*<POST \/a body>$/)
  assert.deepEqual(
    origin.asked.map(({ headers }) => headers.expect),
    [undefined, undefined],
  )
})
