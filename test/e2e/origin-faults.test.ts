/** What origins do wrong, and what viewers see of it: an honest error or a cut, never half a thing as a whole. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openRawOrigin, type RawOrigin } from '../support/raw-origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const IMPATIENT = { upstream: { connectTimeout: '500ms', headTimeout: '300ms', idleTimeout: '300ms' } }
const PLAYLIST = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n'
const HEALTHY = 'HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 7\r\n\r\nhealthy'

/** Does wrong at the first `times` requests and is healthy afterwards. */
async function openFaulty(
  t: TestContext,
  fault: (socket: Socket) => unknown,
  times = 1,
): Promise<{ origin: RawOrigin; relais: TestRelais }> {
  const origin = await openRawOrigin(t, (socket, _head, nth) => {
    if (nth <= times) fault(socket)
    else socket.write(HEALTHY)
  })
  return { origin, relais: await openTestRelais(t, { origins: [origin.url], file: IMPATIENT }) }
}

/** Nothing of the fault is left behind: the next viewer has the origin asked anew, and its answer is stored. */
async function recovers(relais: TestRelais, origin: RawOrigin, times = 1): Promise<void> {
  assert.equal((await settled(relais)).memory.bytes, 0)
  relais.clock.advance(1_000)
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'healthy')
  const hit = await get(`${relais.url}/seg1.ts`)
  assert.match(String(hit.headers['cache-status']), /; hit/)
  assert.equal(origin.requests, times + 1)
}

const BEFORE_THE_HEAD: readonly [string, (socket: Socket) => unknown, number, string][] = [
  ['closes before its head', (socket) => socket.end(), 502, 'CONNECTION_TERMINATED'],
  ['resets before its head', (socket) => socket.resetAndDestroy(), 502, 'CONNECTION_TERMINATED'],
  ['is silent before its head', () => undefined, 504, 'RESPONSE_TIMEOUT'],
  ['falls silent in its head', (socket) => socket.write('HTTP/1.1 200 OK\r\nx-a: '), 504, 'RESPONSE_TIMEOUT'],
  [
    'closes in the middle of its head',
    (socket) => socket.end('HTTP/1.1 200 OK\r\nx-a: '),
    502,
    'CONNECTION_TERMINATED',
  ],
  ['sends garbage', (socket) => socket.end('220 mail.example ESMTP\r\n\r\n'), 502, 'RESPONSE_PROTOCOL'],
  [
    'sends a field without a colon',
    (socket) => socket.end('HTTP/1.1 200 OK\r\nnonsense\r\n\r\nbody'),
    502,
    'RESPONSE_PROTOCOL',
  ],
  [
    'sends two lengths',
    (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nbody!'),
    502,
    'RESPONSE_PROTOCOL',
  ],
  [
    'sends a head of more than 64 KB',
    (socket) =>
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-length: 0\r\n${`x-a: ${'y'.repeat(1000)}\r\n`.repeat(70)}\r\n`,
      ),
    502,
    'RESPONSE_HEAD_TOO_LARGE',
  ],
]

for (const [what, fault, status, code] of BEFORE_THE_HEAD) {
  test(`an origin that ${what} is ${status} ${code}`, async (t) => {
    // A connection that closes before its head may have been an old one, so a second one is tried.
    const times = code === 'CONNECTION_TERMINATED' ? 2 : 1
    const { origin, relais } = await openFaulty(t, fault, times)
    const answer = await get(`${relais.url}/seg1.ts`)
    assert.equal(answer.status, status)
    assert.equal(JSON.parse(String(answer.body)).error, code)
    assert.match(String(answer.headers['proxy-status']), /^test;error=[a-z_]+;next-hop="127\.0\.0\.1:\d+"/)
    assert.equal(answer.headers['cache-control'], 'no-store')
    const { requests, origin: asked } = await relais.stats()
    assert.equal(requests.error, 1)
    assert.equal(asked.errors, 1)
    await recovers(relais, origin, times)
  })
}

const IN_THE_BODY: readonly [string, string, (socket: Socket) => unknown][] = [
  ['closes before its declared length', 'content-length: 100', (socket) => socket.end('first')],
  [
    'resets before its declared length',
    'content-length: 100',
    (socket) => socket.write('first', () => socket.resetAndDestroy()),
  ],
  ['falls silent in the middle', 'content-length: 100', (socket) => socket.write('first')],
  [
    'closes in the middle of its chunks',
    'transfer-encoding: chunked',
    (socket) => socket.end('5\r\nfirst\r\n'),
  ],
  [
    'falls silent in the middle of its chunks',
    'transfer-encoding: chunked',
    (socket) => socket.write('5\r\nfirst\r\n'),
  ],
  ['closes within a chunk', 'transfer-encoding: chunked', (socket) => socket.end('ff\r\nfirst')],
  ['sends a chunk of no size', 'transfer-encoding: chunked', (socket) => socket.end('5\r\nfirst\r\nzz\r\n')],
]

for (const [what, framing, fault] of IN_THE_BODY) {
  test(`an origin that ${what} has every viewer cut off, and nothing is stored`, async (t) => {
    const { origin, relais } = await openFaulty(t, (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\n${framing}\r\n\r\n`, () => fault(socket))
    })
    const viewers = [openViewer(`${relais.url}/seg1.ts`), openViewer(`${relais.url}/seg1.ts`)]
    for (const { answer } of viewers) {
      const { isWhole } = await answer.catch(() => ({ isWhole: false }))
      assert.equal(isWhole, false)
    }
    await recovers(relais, origin)
    assert.equal((await relais.stats()).origin.errors, 1)
  })

  test(`an origin that ${what} cuts off the viewer of what may not be stored`, async (t) => {
    const { relais } = await openFaulty(t, (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncache-control: no-store\r\n${framing}\r\n\r\n`, () => fault(socket))
    })
    const { isWhole } = await openViewer(`${relais.url}/seg1.ts`).answer.catch(() => ({ isWhole: false }))
    assert.equal(isWhole, false)
    await settled(relais)
  })

  test(`an origin that ${what} of a playlist is an error, for nobody has seen half of it`, async (t) => {
    const { relais } = await openFaulty(t, (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\n${framing}\r\n\r\n`, () => fault(socket))
    })
    const { status, body } = await get(`${relais.url}/live.m3u8`)
    assert.ok(status === 502 || status === 504)
    assert.match(JSON.parse(String(body)).error, /^(RESPONSE_|READ_TIMEOUT)/)
    assert.equal((await settled(relais)).memory.entries, 0)
  })
}

test('what a viewer has got when the origin breaks off is the beginning of the body', async (t) => {
  const { relais } = await openFaulty(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 100\r\n\r\nfirst')
  })
  const viewer = openViewer(`${relais.url}/seg1.ts`)
  await viewer.reached(5)
  const { body, isWhole } = await viewer.answer
  assert.equal(String(body), 'first')
  assert.equal(isWhole, false)
})

test('of an origin that sends more than it declared, what it declared is stored', async (t) => {
  const origin = await openRawOrigin(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 5\r\n\r\nfirstMORE'),
  )
  const relais = await openTestRelais(t, { origins: [origin.url], file: IMPATIENT })
  const first = await get(`${relais.url}/seg1.ts`)
  assert.equal(String(first.body), 'first')
  await settled(relais)
  const second = await get(`${relais.url}/seg1.ts`)
  assert.equal(String(second.body), 'first')
  assert.match(String(second.headers['cache-status']), /; hit/)
})

test('what an origin sends after its answer is no answer to the next request', async (t) => {
  const poison = 'HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 6\r\n\r\npoison'
  const origin = await openRawOrigin(t, (socket, head) => {
    if (head.includes('/seg1.ts')) {
      socket.write(`HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 5\r\n\r\nfirst${poison}`)
    } else {
      socket.write(HEALTHY)
    }
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: IMPATIENT })
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'first')
  await settled(relais)
  assert.equal(String((await get(`${relais.url}/seg2.ts`)).body), 'healthy')
})

test('a large head within the bound reaches the viewer', async (t) => {
  const fields = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [`x-${index}`, 'y'.repeat(1000)]),
  )
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment', fields))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const { headers } = await openViewer(`${relais.url}/seg1.ts`).head
  assert.equal(String(headers['x-39']).length, 1000)
})

test('an early answer (103) is passed over, and the answer stored', async (t) => {
  const origin = await openRawOrigin(t, (socket) =>
    socket.write(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${HEALTHY}`),
  )
  const relais = await openTestRelais(t, { origins: [origin.url], file: IMPATIENT })
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'healthy')
  await settled(relais)
  assert.match(String((await get(`${relais.url}/seg1.ts`)).headers['cache-status']), /; hit/)
})

test("a page with a segment's name is passed on and not stored when the origin is silent of lifetimes", async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, '<html>sorry</html>', { 'content-type': 'text/html; charset=utf-8' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), '<html>sorry</html>')
  assert.equal((await settled(relais)).memory.entries, 0)
  origin.answer((_request, response) => reply(response, 'segment', { 'content-type': 'video/mp2t' }))
  relais.clock.advance(1_000)
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'segment')
  assert.match(String((await get(`${relais.url}/seg1.ts`)).headers['cache-status']), /; hit/)
})

for (const [path, type, page] of [
  ['/live.m3u8', 'text/html', '<html>sorry</html>'],
  ['/live.m3u8', 'application/vnd.apple.mpegurl', '<!doctype html><title>Login</title>'],
  ['/live.m3u8', 'application/vnd.apple.mpegurl', ''],
  ['/live.mpd', 'application/dash+xml', '{"error":"none"}'],
  ['/live.mpd', 'application/dash+xml', '<MPD><Period>'],
] as const) {
  test(`${JSON.stringify(page)} in the place of ${path} is 502 and never stored`, async (t) => {
    const headers = { 'content-type': type, 'cache-control': 'max-age=60' }
    const origin = await openOrigin(t, (_request, response) => reply(response, page, headers))
    const relais = await openTestRelais(t, { origins: [origin.url] })
    for (let viewer = 1; viewer <= 2; viewer++) {
      const answer = await get(relais.url + path)
      assert.equal(answer.status, 502)
      assert.equal(JSON.parse(String(answer.body)).error, 'BAD_MANIFEST')
      assert.equal(origin.count(), viewer)
    }
    assert.equal((await settled(relais)).memory.entries, 0)
  })
}

test('a stale playlist stands in for a page in its place, where it may', async (t) => {
  for (const [directives, status] of [
    ['max-age=2, stale-if-error=60', 200],
    ['max-age=2, must-revalidate', 502],
  ] as const) {
    const origin = await openOrigin(t, (_request, response) =>
      reply(response, PLAYLIST, { 'cache-control': directives }),
    )
    const relais = await openTestRelais(t, { origins: [origin.url] })
    await get(`${relais.url}/live.m3u8`)
    relais.clock.advance(3_000)
    origin.answer((_request, response) =>
      reply(response, '<html>sorry</html>', { 'content-type': 'text/html' }),
    )
    const answer = await get(`${relais.url}/live.m3u8`)
    assert.equal(answer.status, status)
    if (status === 200) assert.equal(String(answer.body), PLAYLIST)
    await settled(relais)
  }
})

test('redirects are for the viewer to follow', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, '', { location: '/elsewhere.ts' }, 302),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const answer = await get(`${relais.url}/seg1.ts`)
  assert.equal(answer.status, 302)
  assert.equal(answer.headers.location, '/elsewhere.ts')
  assert.equal(origin.count(), 1)
})

test('an origin that closes kept connections without a word costs no viewer an answer', async (t) => {
  const origin = await openRawOrigin(t, (socket) => socket.write(HEALTHY, () => socket.end()))
  const relais = await openTestRelais(t, { origins: [origin.url], file: IMPATIENT })
  for (let segment = 0; segment < 20; segment++) {
    assert.equal((await get(`${relais.url}/seg${segment}.ts`)).status, 200)
    await until(async () => (await relais.stats()).viewers === 0, 'the viewer is gone')
  }
})
