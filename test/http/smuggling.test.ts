/** Requests written so that two servers read them differently: none hides a second one, by what the origin gets to see. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { exchange } from '../support/wire.ts'

const POST = 'POST /a HTTP/1.1\r\nhost: x\r\n'
const GET = 'GET /a HTTP/1.1\r\nhost: x\r\n'
const CHUNKED = `${POST}transfer-encoding: chunked\r\n\r\n`
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n'
const NEXT = 'GET /next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'

interface Scene {
  readonly relais: TestRelais
  readonly origin: TestOrigin
  /** Every byte that reached the origin. */
  readonly seen: () => string
}

async function open(t: TestContext): Promise<Scene> {
  const bytes: Buffer[] = []
  const origin = await openOrigin(t, async (request, response) => {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>))
    reply(response, `<${request.method} ${request.url} ${body}>`, { 'cache-control': 'max-age=60' })
  })
  origin.server.on('connection', (socket) => socket.on('data', (chunk: Buffer) => bytes.push(chunk)))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  return { relais, origin, seen: () => Buffer.concat(bytes).toString('latin1') }
}

function statuses(answer: string): string[] {
  return [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status = '']) => status)
}

/** By what it is about: the bytes of a request that is answered 4xx, and the last of its connection. */
const REFUSED: Readonly<Record<string, string>> = {
  'CL.TE': `${POST}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  'TE.CL': `${POST}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n5c\r\n${SMUGGLED}\r\n0\r\n\r\n`,
  'TE.CL of a GET': `${GET}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n`,
  'a coding before chunked': `${POST}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  'a coding in front of nothing': `${POST}transfer-encoding: ,chunked\r\n\r\n0\r\n\r\n`,
  'codings on two lines': `${POST}transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  'chunked on two lines': `${POST}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  'chunked, then identity': `${POST}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  'identity with a length': `${POST}transfer-encoding: identity\r\ncontent-length: 5\r\n\r\n0\r\n\r\n`,
  'an unknown coding': `${POST}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`,
  'no coding': `${POST}transfer-encoding: \r\ncontent-length: 5\r\n\r\n0\r\n\r\n`,
  'a quoted coding': `${POST}transfer-encoding: "chunked"\r\n\r\n0\r\n\r\n`,
  'a coding with a parameter': `${POST}transfer-encoding: chunked;q=1\r\n\r\n0\r\n\r\n`,
  'a coding behind a vertical tab': `${POST}transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
  'white space behind a coding': `${POST}transfer-encoding: chunked \t\r\n\r\n0\r\n\r\n`,
  'a space before the colon of a coding': `${POST}transfer-encoding : chunked\r\n\r\n0\r\n\r\n`,
  'a folded coding': `${POST}transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n`,
  'a coding from HTTP/1.0': 'POST /a HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  'a coding from HTTP/1.0 that stays':
    'POST /a HTTP/1.0\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  'two lengths': `${POST}content-length: 5\r\ncontent-length: 6\r\n\r\n0\r\n\r\n`,
  'one length twice': `${POST}content-length: 5\r\ncontent-length: 5\r\n\r\n0\r\n\r\n`,
  'a list of lengths': `${POST}content-length: 5, 5\r\n\r\n0\r\n\r\n`,
  'a length with a sign': `${POST}content-length: +5\r\n\r\n0\r\n\r\n`,
  'a length below zero': `${POST}content-length: -5\r\n\r\n0\r\n\r\n`,
  'a length beyond 64 bits': `${POST}content-length: 18446744073709551621\r\n\r\n0\r\n\r\n`,
  'a length of two words': `${POST}content-length: 5 5\r\n\r\n0\r\n\r\n`,
  'an empty length': `${POST}content-length: \r\n\r\n0\r\n\r\n`,
  'a folded length': `${POST}content-length:\r\n 5\r\n\r\n0\r\n\r\n`,
  'a folded field': `${GET}a: b\r\n c\r\n\r\n`,
  'a first line of fields that is folded': 'GET /a HTTP/1.1\r\n host: x\r\nhost: y\r\n\r\n',
  'bare LF after the request line': 'GET /a HTTP/1.1\nhost: x\r\n\r\n',
  'bare LF after a field': `GET /a HTTP/1.1\r\nhost: x\na: b\r\n\r\n`,
  'bare LF for the empty line': 'GET /a HTTP/1.1\r\nhost: x\r\n\n',
  'bare CR in a value': `${GET}a: b\rc\r\n\r\n`,
  'bare CR for the empty line': 'GET /a HTTP/1.1\r\nhost: x\r\n\r',
  'bare CR in a name': `${GET}a\rb: c\r\n\r\n`,
  'NUL in a value': `${GET}a: b\0c\r\n\r\n`,
  'NUL in a name': `${GET}a\0: b\r\n\r\n`,
  'NUL in the target': 'GET /a\0b HTTP/1.1\r\nhost: x\r\n\r\n',
  'a control character in a value': `${GET}a: b\x01c\r\n\r\n`,
  'a space before a colon': `${GET}a : b\r\n\r\n`,
  'a tab before a colon': `${GET}a\t: b\r\n\r\n`,
  'a field without a name': `${GET}: b\r\n\r\n`,
  'a field without a colon': `${GET}a\r\n\r\n`,
  'a space before the method': ' GET /a HTTP/1.1\r\nhost: x\r\n\r\n',
  'a tab in the request line': 'GET\t/a HTTP/1.1\r\nhost: x\r\n\r\n',
  'a space in the target': 'GET /a b HTTP/1.1\r\nhost: x\r\n\r\n',
  'a space behind the version': 'GET /a HTTP/1.1 \r\nhost: x\r\n\r\n',
  'a tab in the target': 'GET /a\tb HTTP/1.1\r\nhost: x\r\n\r\n',
  'no version': 'GET /a\r\n',
  'a version of tomorrow': 'GET /a HTTP/1.2\r\nhost: x\r\n\r\n',
  'a version in lower case': 'GET /a http/1.1\r\nhost: x\r\n\r\n',
  'no host': 'GET /a HTTP/1.1\r\n\r\n',
  'two hosts': 'GET /a HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n',
  'one host twice': 'GET /a HTTP/1.1\r\nhost: x\r\nHost: x\r\n\r\n',
  'a host that is none': 'GET /a HTTP/1.1\r\nhost: x/y@z w\r\n\r\n',
  'no host beside the absolute form': 'GET http://x/a HTTP/1.1\r\n\r\n',
  'a GET with a length': `${GET}content-length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'a GET with chunks': `${GET}transfer-encoding: chunked\r\n\r\n24\r\n${SMUGGLED}\r\n0\r\n\r\n`,
  'a HEAD with a length': `HEAD /a HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n0\r\n\r\n`,
}

for (const [what, bytes] of Object.entries(REFUSED)) {
  test(`${what} is answered 4xx, the connection closed, and the origin sees nothing`, async (t) => {
    const { relais, origin } = await open(t)
    const answer = await exchange(t, relais.url, bytes + SMUGGLED + NEXT)
    assert.equal(statuses(answer).length, 1, answer)
    assert.match(answer, /^HTTP\/1\.1 4\d\d [\s\S]*\r\nconnection: close\r\n/i)
    assert.match(answer, /\r\nproxy-status: test;error=http_request_error/i)
    assert.equal(origin.count(), 0)
  })
}

test('what is refused is refused for a stored response as well', async (t) => {
  const { relais, origin } = await open(t)
  await exchange(t, relais.url, `${GET}connection: close\r\n\r\n`)
  for (const what of ['no host', 'two hosts', 'one host twice', 'a host that is none'] as const) {
    const answer = await exchange(t, relais.url, `${REFUSED[what]}${NEXT}`)
    assert.deepEqual(statuses(answer), ['400'], what)
  }
  assert.equal(origin.count(), 1)
})

/** Broken in the middle of content that is passed on while it comes: the origin must not take it for whole. */
const BROKEN: Readonly<Record<string, string>> = {
  'a chunk size with bare LF': `${CHUNKED}1\nZ\n0\n\n`,
  'a chunk size that is none': `${CHUNKED}zz\r\nZ\r\n0\r\n\r\n`,
  'a chunk size with a prefix': `${CHUNKED}0x1\r\nZ\r\n0\r\n\r\n`,
  'a chunk size with a space': `${CHUNKED}1 \r\nZ\r\n0\r\n\r\n`,
  'a chunk size beyond 64 bits': `${CHUNKED}10000000000000001\r\nZ\r\n0\r\n\r\n`,
  'a chunk longer than its size': `${CHUNKED}1\r\nZX\r\n0\r\n\r\n`,
  'a chunk extension with bare LF': `${CHUNKED}1;a\nb\r\nZ\r\n0\r\n\r\n`,
  'a chunk extension with bare CR': `${CHUNKED}1;a\rb\r\nZ\r\n0\r\n\r\n`,
  'a chunk extension of 100 KB': `${CHUNKED}1;a=${'b'.repeat(100_000)}\r\nZ\r\n0\r\n\r\n`,
  'a trailer that names a length': `${CHUNKED}1\r\nZ\r\n0\r\ncontent-length: 9\r\n\r\n`,
  'a trailer with bare LF': `${CHUNKED}1\r\nZ\r\n0\r\na: b\n\r\n`,
}

for (const [what, bytes] of Object.entries(BROKEN)) {
  test(`${what} breaks the request off, and nothing behind it reaches the origin`, async (t) => {
    const { relais, origin, seen } = await open(t)
    const answer = await exchange(t, relais.url, bytes + SMUGGLED + NEXT)
    assert.ok(statuses(answer).length <= 1, answer)
    assert.doesNotMatch(answer, /^HTTP\/1\.1 2/)
    await relais.close()
    assert.equal(origin.count('/smuggled'), 0)
    assert.equal(origin.count('/next'), 0)
    // As chunks it can only be whole with the last one, which is not to be made up here.
    assert.doesNotMatch(seen(), /\r\n0\r\n/)
  })
}

/** Content on its way to the origin, its length told before it or in front of each chunk. */
const ABC = /^POST \/a [\s\S]*(?:\r\ncontent-length: 3\r\n\r\nabc|\r\n\r\n3\r\nabc\r\n0\r\n\r\n)(?:GET|$)/
const HELD = /^POST \/a [\s\S]*(?:\r\ncontent-length: 35\r\n|\r\n\r\n23)\r\nGET \/smuggled HTTP/

/** Unusual, and read by everyone in one way: two requests, and what the origin gets of the first. */
const READ: Readonly<Record<string, readonly [string, RegExp]>> = {
  'content in chunks': [`${CHUNKED}3\r\nabc\r\n0\r\n\r\n`, ABC],
  'a request in chunks': [`${CHUNKED}23\r\n${SMUGGLED}\r\n0\r\n\r\n`, HELD],
  'a request as content': [`${POST}content-length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`, HELD],
  'a chunk extension': [`${CHUNKED}3;a=b\r\nabc\r\n0\r\n\r\n`, ABC],
  'a trailer': [`${CHUNKED}3\r\nabc\r\n0\r\nx-more: 1\r\n\r\n`, ABC],
  'CHUNKED in capitals': [`${POST}Transfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n`, ABC],
  'a length with zeros in front': [
    `${POST}content-length: 0003\r\n\r\nabc`,
    /\r\ncontent-length: 3\r\n.*abc/s,
  ],
  'a length that Connection names': [
    `${POST}connection: content-length\r\ncontent-length: 3\r\n\r\nabc`,
    /\r\ncontent-length: 3\r\n.*abc/s,
  ],
  'a field that looks like a length': [`${POST}content_length: 5\r\ncontent-length: 3\r\n\r\nabc`, /abc/],
  'a POST without content': [`${POST}\r\n`, /^POST \/a .*\r\ncontent-length: 0\r\n/s],
  'the absolute form of elsewhere': [
    'GET http://elsewhere.example/a HTTP/1.1\r\nhost: x\r\n\r\n',
    /^GET \/a HTTP\/1\.1\r\n.*host: 127\.0\.0\.1:\d+\r\n/s,
  ],
  'empty lines before a request': [`\r\n\r\n${GET}\r\n`, /^GET \/a HTTP\/1\.1\r\n/],
  'two spaces in the request line': ['GET  /a  HTTP/1.1\r\nhost: x\r\n\r\n', /^GET \/a HTTP\/1\.1\r\n/],
  'an empty host': ['GET /a HTTP/1.1\r\nhost: \r\n\r\n', /host: 127\.0\.0\.1:\d+\r\n/],
  'an IPv6 host': ['GET /a HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n', /host: 127\.0\.0\.1:\d+\r\n/],
}

for (const [what, [bytes, sent]] of Object.entries(READ)) {
  test(`${what} is one request, and what follows is the next`, async (t) => {
    const { relais, origin, seen } = await open(t)
    const answer = await exchange(t, relais.url, bytes + NEXT)
    assert.deepEqual(statuses(answer), ['200', '200'], answer)
    assert.deepEqual(
      origin.asked.map(({ target }) => target),
      ['/a', '/next'],
    )
    assert.match(seen(), sent)
  })
}

test('what was sent behind a refused request is not acted upon, be it stored or not', async (t) => {
  const { relais, origin } = await open(t)
  await exchange(t, relais.url, NEXT)
  const write = 'DELETE /next HTTP/1.1\r\nhost: x\r\n\r\n'
  const answer = await exchange(t, relais.url, `GET /b HTTP/1.1\r\n\r\n${write}${NEXT}`)
  assert.deepEqual(statuses(answer), ['400'])
  assert.deepEqual(
    origin.asked.map(({ method }) => method),
    ['GET'],
  )
})
