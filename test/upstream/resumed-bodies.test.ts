/** A body that stops in the middle goes on, from wherever the rest of the same thing can be had; else it breaks visibly. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { type Fault, openFileOrigin, type ServedFile } from '../support/file-origin.ts'
import { openRawOrigin } from '../support/raw-origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const BODY = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz')
const TAGGED: ServedFile = { body: BODY, etag: '"1"' }
const DATED: ServedFile = { body: BODY, lastModified: 'Wed, 31 Dec 2025 00:00:00 GMT' }
const UPSTREAM = { connectTimeout: '500ms', headTimeout: '300ms', idleTimeout: '200ms', resumeTimeout: '3s' }

const at = (after: number, how: Fault['how'] = 'close'): Fault => ({ after, how })
const firstAt =
  (fault: Fault) =>
  (_request: unknown, nth: number): Fault | undefined =>
    nth === 1 ? fault : undefined

function openRelais(
  t: TestContext,
  origins: readonly { url: string }[],
  upstream: Record<string, unknown> = {},
  route: Record<string, unknown> = {},
): Promise<TestRelais> {
  const routes = [{ prefix: '/', origins: origins.map(({ url }) => url), ...route }]
  return openTestRelais(t, { file: { routes, upstream: { ...UPSTREAM, ...upstream } } })
}

async function resumptions(relais: TestRelais): Promise<(readonly [number, number])[]> {
  const { routes } = await settled(relais)
  return (routes[0]?.origins ?? []).map(({ resumptions: { tried, succeeded } }) => [tried, succeeded])
}

async function getWhole(relais: TestRelais, body = BODY): Promise<void> {
  const answer = await get(`${relais.url}/seg1.ts`)
  assert.equal(String(answer.body), String(body))
  assert.equal(answer.isWhole, true)
  await settled(relais)
  const hit = await get(`${relais.url}/seg1.ts`)
  assert.match(String(hit.headers['cache-status']), /; hit/)
  assert.equal(String(hit.body), String(body))
}

/** What came is the beginning, the viewer can tell that it is no more, and nothing is kept. */
async function getBroken(relais: TestRelais, came?: string): Promise<void> {
  // A reset may overtake what was sent before it, the head included.
  const seen = await get(`${relais.url}/seg1.ts`).catch(() => undefined)
  assert.notEqual(seen?.isWhole, true)
  const body = String(seen?.body ?? '')
  assert.ok((came ?? String(BODY)).startsWith(body), body)
  assert.equal((await settled(relais)).memory.entries, 0)
}

for (const how of ['close', 'reset', 'silence'] as const) {
  for (const isChunked of [false, true]) {
    const framing = isChunked ? 'chunks' : 'a length'
    test(`a body with ${framing} that stops by ${how} is continued by a range with its ETag`, async (t) => {
      const origin = await openFileOrigin(t, () => ({ ...TAGGED, isChunked }), firstAt(at(10, how)))
      const relais = await openRelais(t, [origin])
      await getWhole(relais)
      assert.deepEqual(
        origin.asked.map(({ range, ifRange }) => [range, ifRange]),
        [
          [undefined, undefined],
          [isChunked ? 'bytes=10-' : 'bytes=10-35', '"1"'],
        ],
      )
      assert.deepEqual(await resumptions(relais), [[1, 1]])
      assert.equal((await relais.stats()).origin.errors, 1)
      assert.equal((await relais.stats()).cuts, 0)
    })
  }
}

test('a strong Last-Modified serves where there is no ETag', async (t) => {
  const origin = await openFileOrigin(t, () => DATED, firstAt(at(10)))
  await getWhole(await openRelais(t, [origin]))
  assert.equal(origin.asked[1]?.ifRange, DATED.lastModified)
})

test('a body that stops again and again is continued each time from where it stopped', async (t) => {
  const origin = await openFileOrigin(
    t,
    () => TAGGED,
    (_request, nth) => (nth <= 9 ? at(3, nth % 2 === 0 ? 'close' : 'reset') : undefined),
  )
  await getWhole(await openRelais(t, [origin]))
  assert.deepEqual(
    origin.asked.slice(1).map(({ range }) => range),
    Array.from({ length: 9 }, (_, index) => `bytes=${3 * (index + 1)}-35`),
  )
})

test('a body of which only the end of the framing is missing is whole', async (t) => {
  const lines = 'content-range: bytes 0-35/36\r\ntransfer-encoding: chunked\r\ncache-control: no-store\r\n'
  const origin = await openRawOrigin(t, (socket) =>
    socket.end(`HTTP/1.1 206 Partial Content\r\n${lines}\r\n24\r\n${BODY}\r\n`),
  )
  const relais = await openRelais(t, [origin])
  const headers = { range: 'bytes=0-35', 'if-match': '"1"' }
  const answer = await get(`${relais.url}/seg1.ts`, { headers })
  assert.equal(answer.isWhole, true)
  assert.equal(String(answer.body), String(BODY))
  assert.equal(origin.requests, 1)
})

test('fifty viewers notice nothing of a body that stops', async (t) => {
  const origin = await openFileOrigin(t, () => TAGGED, firstAt(at(10, 'reset')))
  const relais = await openRelais(t, [origin])
  const viewers = Array.from({ length: 50 }, () => openViewer(`${relais.url}/seg1.ts`))
  for (const { answer } of viewers) {
    const { body, isWhole } = await answer
    assert.equal(String(body), String(BODY))
    assert.equal(isWhole, true)
  }
  assert.equal(origin.asked.length, 2)
})

test('a playlist that stops is continued before anyone sees it', async (t) => {
  const body = Buffer.from('#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n')
  const origin = await openFileOrigin(t, () => ({ body, etag: '"1"' }), firstAt(at(10)))
  const relais = await openRelais(t, [origin])
  const answer = await get(`${relais.url}/live.m3u8`)
  assert.equal(answer.status, 200)
  assert.equal(String(answer.body), String(body))
})

test('what is passed to one viewer is continued as well', async (t) => {
  const file = { ...TAGGED, fields: 'vary: *\r\n' }
  const origin = await openFileOrigin(t, () => file, firstAt(at(10)))
  const relais = await openRelais(t, [origin])
  const answer = await get(`${relais.url}/seg1.ts`)
  assert.equal(String(answer.body), String(BODY))
  assert.equal(answer.isWhole, true)
  assert.deepEqual(await resumptions(relais), [[1, 1]])
})

test("a viewer's own range is continued from its place in the whole", async (t) => {
  const origin = await openFileOrigin(t, () => TAGGED, firstAt(at(3)))
  const relais = await openRelais(t, [origin])
  const headers = { range: 'bytes=10-19', 'if-match': '"1"' }
  const answer = await get(`${relais.url}/seg1.ts`, { headers })
  assert.equal(answer.status, 206)
  assert.equal(String(answer.body), 'abcdefghij')
  assert.equal(answer.isWhole, true)
  assert.deepEqual(
    origin.asked.map(({ range }) => range),
    ['bytes=10-19', 'bytes=13-19'],
  )
})

test('the whole in answer to the rest of a part is cut on both sides', async (t) => {
  const file = { ...TAGGED }
  const origin = await openFileOrigin(
    t,
    (_request, nth) => (nth === 1 ? file : { ...file, isWholeOnly: true }),
    firstAt(at(3)),
  )
  const relais = await openRelais(t, [origin])
  const headers = { range: 'bytes=10-19', 'if-match': '"1"' }
  const answer = await get(`${relais.url}/seg1.ts`, { headers })
  assert.equal(String(answer.body), 'abcdefghij')
  assert.equal(answer.isWhole, true)
})

test('an origin without ranges sends the same whole again, and what has come is skipped', async (t) => {
  for (const isChunked of [false, true]) {
    const file = { ...TAGGED, isChunked, isWholeOnly: true }
    const origin = await openFileOrigin(t, () => file, firstAt(at(10)))
    await getWhole(await openRelais(t, [origin]))
    assert.equal(origin.asked.length, 2)
  }
})

test('a continuation that brings less than was asked for is continued in turn', async (t) => {
  const origin = await openRawOrigin(t, (socket, head, nth) => {
    const common = 'cache-control: max-age=60\r\netag: "1"\r\n'
    if (nth === 1) return socket.end(`HTTP/1.1 200 OK\r\n${common}content-length: 36\r\n\r\n0123456789`)
    const first = Number(/range: bytes=(\d+)-/.exec(head)?.[1])
    const last = Math.min(first + 9, 35)
    const range = `content-range: bytes ${first}-${last}/36\r\ncontent-length: ${last - first + 1}\r\n`
    return socket.write(`HTTP/1.1 206 Partial\r\n${common}${range}\r\n${BODY.subarray(first, last + 1)}`)
  })
  await getWhole(await openRelais(t, [origin]))
  assert.equal(origin.requests, 4)
})

test('the next origin has the rest when the first one is gone', async (t) => {
  const first = await openFileOrigin(
    t,
    () => TAGGED,
    (_request, nth) => (nth === 1 ? at(10) : at(0, 'silence')),
  )
  const second = await openFileOrigin(t, () => TAGGED)
  const relais = await openRelais(t, [first, second])
  // Asked for the rest it does not even send a head within its patience.
  await getWhole(relais)
  assert.deepEqual(
    second.asked.map(({ range, ifRange }) => [range, ifRange]),
    [['bytes=10-35', '"1"']],
  )
})

test('after a silence the next origin is asked first, and the silent one last for a while', async (t) => {
  const first = await openFileOrigin(t, () => TAGGED, firstAt(at(10, 'silence')))
  const second = await openFileOrigin(t, () => TAGGED)
  const relais = await openRelais(t, [first, second])
  await getWhole(relais)
  assert.equal(first.asked.length, 1)
  assert.deepEqual(await resumptions(relais), [
    [0, 0],
    [1, 1],
  ])
  await get(`${relais.url}/seg2.ts`)
  assert.equal(first.asked.length, 1)
})

test('another version at the next origin is refused, and the first one asked again', async (t) => {
  const first = await openFileOrigin(
    t,
    () => TAGGED,
    (_request, nth) => (nth <= 2 ? at(nth === 1 ? 10 : 0, 'silence') : undefined),
  )
  const second = await openFileOrigin(t, () => ({
    body: Buffer.from(String(BODY).toUpperCase()),
    etag: '"2"',
  }))
  await getWhole(await openRelais(t, [first, second]))
  assert.equal(second.asked.length, 1)
})

const CHANGED: readonly [string, (body: Buffer) => ServedFile][] = [
  ['another ETag', (body) => ({ body, etag: '"2"' })],
  ['another ETag and without ranges', (body) => ({ body, etag: '"2"', isWholeOnly: true })],
  ['no ETag any more', (body) => ({ body, isWholeOnly: true })],
  ['a weak ETag', (body) => ({ body, etag: 'W/"1"', isWholeOnly: true })],
  [
    'the same ETag and another length',
    () => ({ body: BODY.subarray(0, 30), etag: '"1"', isWholeOnly: true }),
  ],
  ['the same ETag and another total', () => ({ body: BODY.subarray(0, 30), etag: '"1"' })],
]

for (const [what, changed] of CHANGED) {
  test(`a body that comes again with ${what} breaks, and nothing of it is kept`, async (t) => {
    const upper = Buffer.from(String(BODY).toUpperCase())
    const origin = await openFileOrigin(
      t,
      (_request, nth) => (nth === 1 ? TAGGED : changed(upper)),
      firstAt(at(10)),
    )
    const relais = await openRelais(t, [origin])
    await getBroken(relais, '0123456789')
    assert.equal(origin.asked.length, 2)
    assert.deepEqual(await resumptions(relais), [[1, 0]])
  })
}

const COMMON = 'cache-control: max-age=60\r\netag: "1"\r\n'
const LYING: readonly [string, string][] = [
  ['begins elsewhere', 'HTTP/1.1 206 P\r\netag: "1"\r\ncontent-range: bytes 9-35/36\r\n'],
  ['has another total', 'HTTP/1.1 206 P\r\netag: "1"\r\ncontent-range: bytes 10-35/40\r\n'],
  ['has another ETag', 'HTTP/1.1 206 P\r\netag: "2"\r\ncontent-range: bytes 10-35/36\r\n'],
  ['has no ETag', 'HTTP/1.1 206 P\r\ncontent-range: bytes 10-35/36\r\n'],
  ['has no Content-Range', 'HTTP/1.1 206 P\r\netag: "1"\r\n'],
  [
    'has another coding',
    'HTTP/1.1 206 P\r\netag: "1"\r\ncontent-encoding: gzip\r\ncontent-range: bytes 10-35/36\r\n',
  ],
]

for (const [what, lines] of LYING) {
  test(`a continuation that ${what} is refused`, async (t) => {
    const origin = await openRawOrigin(t, (socket, _head, nth) => {
      if (nth === 1) socket.end(`HTTP/1.1 200 OK\r\n${COMMON}content-length: 36\r\n\r\n0123456789`)
      else socket.write(`${lines}content-length: 26\r\n\r\nABCDEFGHIJKLMNOPQRSTUVWXYZ`)
    })
    await getBroken(await openRelais(t, [origin], { resumeTimeout: '400ms' }), '0123456789')
    const honest = await openFileOrigin(t, () => TAGGED)
    const liar = await openRawOrigin(t, (socket, _head, nth) => {
      if (nth === 1) socket.end(`HTTP/1.1 200 OK\r\n${COMMON}content-length: 36\r\n\r\n0123456789`)
      else socket.write(`${lines}content-length: 26\r\n\r\nABCDEFGHIJKLMNOPQRSTUVWXYZ`)
    })
    await getWhole(await openRelais(t, [liar, honest]))
  })
}

test('a rest of unknown end is refused, for nobody could tell that it was cut', async (t) => {
  const origin = await openRawOrigin(t, (socket, _head, nth) => {
    if (nth === 1)
      socket.end(`HTTP/1.1 200 OK\r\n${COMMON}transfer-encoding: chunked\r\n\r\na\r\n0123456789\r\n`)
    else
      socket.write(
        `HTTP/1.1 206 P\r\n${COMMON}content-range: bytes 10-14/*\r\ncontent-length: 5\r\n\r\nabcde`,
      )
  })
  await getBroken(await openRelais(t, [origin]))
})

test('a coded body is continued in the same coding', async (t) => {
  const body = gzipSync(BODY)
  const file = { body, etag: '"1"', fields: 'content-encoding: gzip\r\n' }
  const origin = await openFileOrigin(t, () => file, firstAt(at(10)))
  const relais = await openRelais(t, [origin])
  const answer = await get(`${relais.url}/seg1.ts`, { headers: { 'accept-encoding': 'gzip' } })
  assert.deepEqual(answer.body, body)
  assert.equal(answer.isWhole, true)
  assert.equal(origin.asked.length, 2)
})

const UNVALIDATED: readonly [string, ServedFile][] = [
  ['a weak ETag', { ...DATED, etag: 'W/"1"' }],
  ['a Last-Modified of this very second', { body: BODY, lastModified: 'Thu, 01 Jan 2026 00:00:00 GMT' }],
]

for (const [what, file] of UNVALIDATED) {
  test(`${what} is not enough to continue a body`, async (t) => {
    const origin = await openFileOrigin(t, () => file, firstAt(at(10)))
    await getBroken(await openRelais(t, [origin]), '0123456789')
    assert.equal(origin.asked.length, 1)
  })

  test(`${what} is enough with equal length and Last-Modified, where the route says so`, async (t) => {
    const origin = await openFileOrigin(t, () => file, firstAt(at(10)))
    await getWhole(await openRelais(t, [origin], {}, { resume: 'same-length' }))
    assert.equal(origin.asked[1]?.ifRange, undefined)
  })
}

for (const [what, changed] of [
  ['another length', { ...DATED, body: Buffer.from(`${BODY}${BODY}`) }],
  ['another Last-Modified', { ...DATED, lastModified: 'Tue, 30 Dec 2025 00:00:00 GMT' }],
  ['no Last-Modified', { body: BODY }],
] as const) {
  test(`${what} breaks a body also where equal length and Last-Modified would do`, async (t) => {
    const file = { ...DATED, etag: 'W/"1"' }
    for (const isWholeOnly of [false, true]) {
      const origin = await openFileOrigin(
        t,
        (_request, nth) => (nth === 1 ? file : { ...changed, etag: 'W/"1"', isWholeOnly }),
        firstAt(at(10)),
      )
      await getBroken(await openRelais(t, [origin], {}, { resume: 'same-length' }), '0123456789')
    }
  })
}

test('with equal length and Last-Modified the ETags of two origins may differ, those of one may not', async (t) => {
  const file = { ...DATED, etag: '"1"' }
  const first = await openFileOrigin(t, () => file, firstAt(at(10, 'silence')))
  const second = await openFileOrigin(t, () => ({ ...file, etag: '"other"' }))
  await getWhole(await openRelais(t, [first, second], {}, { resume: 'same-length' }))
  assert.equal(second.asked[0]?.ifRange, undefined)
  const alone = await openFileOrigin(
    t,
    (_request, nth) => (nth === 1 ? file : { ...file, etag: '"other"' }),
    firstAt(at(10)),
  )
  await getBroken(await openRelais(t, [alone], {}, { resume: 'same-length' }), '0123456789')
})

test('a body that only its connection ends is left as it came', async (t) => {
  const origin = await openRawOrigin(t, (socket) => socket.end(`HTTP/1.1 200 OK\r\n${COMMON}\r\n0123456789`))
  const relais = await openRelais(t, [origin])
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), '0123456789')
  assert.equal(origin.requests, 1)
  assert.equal((await settled(relais)).memory.entries, 0)
})

test('without time for it nobody is asked for the rest', async (t) => {
  const origin = await openFileOrigin(t, () => TAGGED, firstAt(at(10)))
  await getBroken(await openRelais(t, [origin], { resumeTimeout: 0 }), '0123456789')
  assert.equal(origin.asked.length, 1)
})

test('a body that nobody goes on with is given up when its time is over', async (t) => {
  const origin = await openFileOrigin(
    t,
    () => TAGGED,
    (_request, nth) => at(nth === 1 ? 10 : 0, 'silence'),
  )
  const relais = await openRelais(t, [origin], { resumeTimeout: '500ms' })
  await getBroken(relais, '0123456789')
  assert.ok(origin.asked.length <= 4, String(origin.asked.length))
  assert.equal((await relais.stats()).routes[0]?.origins[0]?.underWay, 0)
  const broken = relais.log.find(({ msg }) => msg === 'a fill broke off')
  assert.match(JSON.stringify(broken), /10 bytes had come, and nobody went on/)
})

test('five attempts without a single byte are enough', async (t) => {
  const origin = await openFileOrigin(
    t,
    () => TAGGED,
    (_request, nth) => at(nth === 1 ? 10 : 0),
  )
  await getBroken(await openRelais(t, [origin], { resumeTimeout: '20s' }), '0123456789')
  assert.equal(origin.asked.length, 6)
})

test('an origin that breaks off after each byte is not asked for ever', async (t) => {
  const body = Buffer.alloc(1000, 'x')
  const origin = await openFileOrigin(
    t,
    () => ({ body, etag: '"1"' }),
    () => at(1),
  )
  await getBroken(await openRelais(t, [origin]), String(body))
  assert.ok(origin.asked.length > 10 && origin.asked.length <= 65, String(origin.asked.length))
})

test('when the last viewer leaves, nobody is asked for the rest any more', async (t) => {
  const file = { ...TAGGED, fields: 'vary: *\r\n' }
  const origin = await openFileOrigin(
    t,
    () => file,
    (_request, nth) => at(nth === 1 ? 10 : 0),
  )
  const relais = await openRelais(t, [origin], { resumeTimeout: '20s' })
  const viewer = openViewer(`${relais.url}/seg1.ts`)
  // In the longest of its pauses.
  await until(() => origin.asked.length >= 4, 'three attempts')
  viewer.leave()
  await viewer.answer.catch(() => undefined)
  await until(async () => (await relais.stats()).viewers === 0, 'the viewer is gone')
  const asked = origin.asked.length
  await until(
    async () => (await relais.stats()).routes[0]?.origins[0]?.underWay === 0,
    'nothing is under way',
  )
  assert.ok(asked <= 5, String(asked))
  assert.equal(origin.asked.length, asked)
})
