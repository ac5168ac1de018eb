/** Answers that contradict themselves or the request are errors: believed, they would end in wrong bytes somewhere. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { get, raw } from '../support/client.ts'
import { openRawOrigin } from '../support/raw-origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'

const IMPATIENT = { upstream: { connectTimeout: '500ms', headTimeout: '300ms', idleTimeout: '300ms' } }
const OK = 'HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\n'
const LENGTH = 'content-length: 4\r\n'
const CHUNKED = 'transfer-encoding: chunked\r\n'
const CHUNKS = '\r\n4\r\nbody\r\n0\r\n\r\n'

/** Each form could be read in two ways, by this proxy in one and by the next in the other. */
const SMUGGLING: readonly [string, string][] = [
  ['two lengths that differ', `${OK}${LENGTH}content-length: 5\r\n\r\nbody!`],
  ['two lengths that agree', `${OK}${LENGTH}${LENGTH}\r\nbody`],
  ['a list of lengths', `${OK}content-length: 4, 4\r\n\r\nbody`],
  ['a length with a sign', `${OK}content-length: +4\r\n\r\nbody`],
  ['a length beyond all numbers', `${OK}content-length: 99999999999999999999\r\n\r\nbody`],
  ['a length before a transfer coding', `${OK}${LENGTH}${CHUNKED}${CHUNKS}`],
  ['a transfer coding before a length', `${OK}${CHUNKED}${LENGTH}${CHUNKS}`],
  ['an unknown transfer coding', `${OK}transfer-encoding: xchunked\r\n\r\nbody`],
  ['a transfer coding that is none', `${OK}transfer-encoding: identity\r\n\r\nbody`],
  ['a transfer coding that was not offered', `${OK}transfer-encoding: gzip, chunked\r\n${CHUNKS}`],
  ['a transfer coding that is not the last', `${OK}transfer-encoding: chunked, gzip\r\n${CHUNKS}`],
  ['two transfer codings', `${OK}${CHUNKED}${CHUNKED}${CHUNKS}`],
  ['a folded line', `${OK}x-a: b\r\n c: d\r\n${LENGTH}\r\nbody`],
  ['a folded length', `${OK}content-length:\r\n 4\r\n\r\nbody`],
  ['lines that end in LF alone', `HTTP/1.1 200 OK\ncache-control: max-age=60\ncontent-length: 4\n\nbody`],
  ['one line that ends in LF alone', `${OK}x-a: b\n${LENGTH}\r\nbody`],
  ['a head that ends in LF alone', `${OK}${LENGTH}\nbody`],
  ['a CR within a line', `${OK}x-a: b\rc: d\r\n${LENGTH}\r\nbody`],
  ['a space before a colon', `${OK}content-length : 4\r\n\r\nbody`],
  ['a NUL in a value', `${OK}x-a: b\0c\r\n${LENGTH}\r\nbody`],
  ['a status below all', `HTTP/1.1 099 OK\r\n${LENGTH}\r\nbody`],
  ['a change of protocol', 'HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
  ['half a change of protocol', 'HTTP/1.1 101 Switching\r\n\r\n'],
]

async function answerTo(t: TestContext, bytes: string, headers: Record<string, string> = {}) {
  const origin = await openRawOrigin(t, (socket) => socket.write(Buffer.from(bytes, 'latin1')))
  const relais = await openTestRelais(t, { origins: [origin.url], file: IMPATIENT })
  const answer = await get(`${relais.url}/seg1.ts`, { headers })
  return { answer, relais, origin }
}

for (const [what, bytes] of SMUGGLING) {
  test(`a response with ${what} is 502 RESPONSE_PROTOCOL and never stored`, async (t) => {
    const { answer, relais, origin } = await answerTo(t, bytes)
    assert.equal(answer.status, 502)
    assert.equal(JSON.parse(String(answer.body)).error, 'RESPONSE_PROTOCOL')
    assert.match(String(answer.headers['proxy-status']), /http_protocol_error/)
    assert.equal(origin.requests, 1)
    const { memory, routes } = await settled(relais)
    assert.equal(memory.entries, 0)
    assert.equal(routes[0]?.origins[0]?.underWay, 0)
  })
}

const BROKEN_CHUNKS: readonly [string, string][] = [
  ['a size that ends in LF alone', '4\nbody\n0\n\n'],
  ['an open quote in an extension', '4;a="b\r\nbody\r\n0\r\n\r\n'],
  ['more bytes than its size', '4\r\nbodyX\r\n0\r\n\r\n'],
  ['a space behind its size', '4 \r\nbody\r\n0\r\n\r\n'],
]

for (const [what, chunks] of BROKEN_CHUNKS) {
  test(`a chunk with ${what} cuts the viewer off, and nothing is stored`, async (t) => {
    const origin = await openRawOrigin(t, (socket) =>
      socket.write(`${OK}etag: "1"\r\n${CHUNKED}\r\n${chunks}`),
    )
    const relais = await openTestRelais(t, { origins: [origin.url], file: IMPATIENT })
    const { isWhole } = await get(`${relais.url}/seg1.ts`).catch(() => ({ isWhole: false }))
    assert.equal(isWhole, false)
    assert.equal((await settled(relais)).memory.entries, 0)
    // What such chunks brought cannot be relied on, so nobody is asked for the rest.
    assert.equal(origin.requests, 1)
  })
}

const PART = 'HTTP/1.1 206 Partial Content\r\ncache-control: max-age=60\r\netag: "1"\r\n'
const PASSED = { range: 'bytes=4-7', 'if-match': '"1"' }
const LYING_RANGES: readonly [string, string][] = [
  ['another start', 'content-range: bytes 0-3/10\r\n'],
  ['a later end', 'content-range: bytes 4-8/10\r\n'],
  ['no range at all', ''],
  ['a malformed range', 'content-range: bytes 4-x/10\r\n'],
  ['a range beyond its total', 'content-range: bytes 4-7/6\r\n'],
  ['the range of a 416', 'content-range: bytes */10\r\n'],
  ['two ranges', 'content-range: bytes 4-7/10\r\ncontent-range: bytes 4-7/10\r\n'],
  ['another unit', 'content-range: items 4-7/10\r\n'],
  ['a range shorter than its length', 'content-range: bytes 4-6/10\r\n'],
]

for (const [what, code, bytes, headers] of [
  ['a 304 that nobody asked for', 'RESPONSE_PROTOCOL', 'HTTP/1.1 304 Not Modified\r\netag: "1"\r\n\r\n', {}],
  [
    'a part that nobody asked for',
    'RESPONSE_RANGE',
    `${PART}${LENGTH}content-range: bytes 0-3/10\r\n\r\nbody`,
    {},
  ],
  ...LYING_RANGES.map(
    ([what, range]) =>
      [`a part with ${what}`, 'RESPONSE_RANGE', `${PART}${LENGTH}${range}\r\nbody`, PASSED] as const,
  ),
] as const) {
  test(`${what} is 502 ${code}`, async (t) => {
    const { answer, relais, origin } = await answerTo(t, bytes, headers)
    assert.equal(answer.status, 502)
    assert.equal(JSON.parse(String(answer.body)).error, code)
    assert.equal(origin.requests, 1)
    assert.equal((await settled(relais)).memory.entries, 0)
  })
}

test('where parts lie from the start the whole is asked for, and cut here', async (t) => {
  const origin = await openRawOrigin(t, (socket, head) => {
    if (/^range:/im.test(head)) socket.write(`${PART}${LENGTH}content-range: bytes 90-93/94\r\n\r\nlies`)
    else socket.write(`${OK}content-length: 10\r\n\r\n0123456789`)
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: IMPATIENT })
  const answer = await get(`${relais.url}/film.mp4`, { headers: { range: 'bytes=4-7' } })
  assert.equal(answer.status, 206)
  assert.equal(String(answer.body), '4567')
  assert.equal(origin.requests, 2)
})

for (const [what, range, contentRange] of [
  ['the part that was asked for', 'bytes=4-7', 'bytes 4-7/10'],
  ['less than was asked for', 'bytes=4-9', 'bytes 4-7/10'],
  ['a part of unknown whole', 'bytes=4-7', 'bytes 4-7/*'],
  ['an open part', 'bytes=4-', 'bytes 4-7/8'],
  ['a suffix', 'bytes=-4', 'bytes 4-7/8'],
] as const) {
  test(`${what} reaches the viewer`, async (t) => {
    const bytes = `${PART}${LENGTH}content-range: ${contentRange}\r\n\r\nbody`
    const { answer } = await answerTo(t, bytes, { ...PASSED, range })
    assert.equal(answer.status, 206)
    assert.equal(answer.headers['content-range'], contentRange)
    assert.equal(String(answer.body), 'body')
    assert.equal(answer.isWhole, true)
  })
}

test('a part of unknown length that brings more than its range is cut before the viewer gets it', async (t) => {
  const bytes = `${PART}${CHUNKED}content-range: bytes 4-7/10\r\n\r\n6\r\nbodyXX\r\n0\r\n\r\n`
  const origin = await openRawOrigin(t, (socket) => socket.write(bytes))
  const relais = await openTestRelais(t, { origins: [origin.url], file: IMPATIENT })
  const seen = await get(`${relais.url}/seg1.ts`, { headers: PASSED }).catch(() => undefined)
  assert.notEqual(seen?.isWhole, true)
  assert.equal(seen?.body.includes('X') ?? false, false)
})

test('a part that ends before its range without a word cuts the viewer off', async (t) => {
  const bytes = `${PART.replace('etag: "1"\r\n', '')}${CHUNKED}content-range: bytes 4-7/10\r\n\r\n2\r\nbo\r\n0\r\n\r\n`
  const origin = await openRawOrigin(t, (socket) => socket.write(bytes))
  const relais = await openTestRelais(t, { origins: [origin.url], file: IMPATIENT })
  const seen = await get(`${relais.url}/seg1.ts`, { headers: PASSED }).catch(() => undefined)
  assert.notEqual(seen?.isWhole, true)
})

test('a lie has the next origin asked', async (t) => {
  const liar = await openRawOrigin(t, (socket) =>
    socket.write(`${PART}${LENGTH}content-range: bytes 0-3/10\r\n\r\nbody`),
  )
  const honest = await openRawOrigin(t, (socket) => socket.write(`${OK}${LENGTH}\r\nbody`))
  const relais = await openTestRelais(t, { origins: [liar.url, honest.url], file: IMPATIENT })
  const answer = await get(`${relais.url}/seg1.ts`)
  assert.equal(answer.status, 200)
  assert.equal(String(answer.body), 'body')
})

test('interim responses without end are 504, however fast they come', async (t) => {
  const origin = await openRawOrigin(t, (socket) => {
    const again = (): void => {
      if (!socket.destroyed) socket.write('HTTP/1.1 102 Processing\r\n\r\n', () => setImmediate(again))
    }
    again()
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: IMPATIENT })
  const answer = await get(`${relais.url}/seg1.ts`)
  assert.equal(answer.status, 504)
  assert.equal(JSON.parse(String(answer.body)).error, 'RESPONSE_TIMEOUT')
  await settled(relais)
})

test('a thousand cookies reach the one viewer they are for, and are not stored', async (t) => {
  const cookies = Array.from({ length: 1000 }, (_, index) => `set-cookie: c${index}=1\r\n`).join('')
  const origin = await openRawOrigin(t, (socket) => socket.write(`${OK}${cookies}${LENGTH}\r\nbody`))
  const relais = await openTestRelais(t, { origins: [origin.url], file: IMPATIENT })
  // Node's own client drops what comes after the thousandth field.
  const answer = await raw(relais.url, 'GET /seg1.ts HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
  assert.equal(answer.match(/^set-cookie: c\d+=1$/gim)?.length, 1000)
  assert.match(answer, /\r\n\r\nbody$/)
  assert.equal((await settled(relais)).memory.entries, 0)
})

test('cookies beyond 64 KB are 502 RESPONSE_HEAD_TOO_LARGE', async (t) => {
  const cookies = Array.from({ length: 1000 }, (_, index) => `set-cookie: c${index}=${'y'.repeat(70)}\r\n`)
  const { answer } = await answerTo(t, `${OK}${cookies.join('')}${LENGTH}\r\nbody`)
  assert.equal(answer.status, 502)
  assert.equal(JSON.parse(String(answer.body)).error, 'RESPONSE_HEAD_TOO_LARGE')
})
