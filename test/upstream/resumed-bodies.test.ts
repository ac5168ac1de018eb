/** A body that stops in the middle goes on, from wherever the rest of the same thing can be had; else it breaks visibly. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openFileOrigin } from '../support/file-origin.ts'
import { openRawOrigin } from '../support/raw-origin.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'
import {
  at,
  BODY,
  DATED,
  firstAt,
  getBroken,
  getWhole,
  openRelais,
  resumptions,
  TAGGED,
} from './support/breaking.ts'

const COMMON = 'cache-control: max-age=60\r\netag: "1"\r\n'

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

test('an origin that does not answer for the rest leaves the next one time to do so', async (t) => {
  const first = await openRawOrigin(t, (socket, _head, nth) => {
    if (nth === 1) socket.end(`HTTP/1.1 200 OK\r\n${COMMON}content-length: 36\r\n\r\n0123456789`)
  })
  const second = await openFileOrigin(t, () => TAGGED)
  await getWhole(await openRelais(t, [first, second], { headTimeout: '60s', resumeTimeout: '600ms' }))
  assert.equal(first.requests, 2)
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

test('a Relais that ends asks for the rest of nothing', async (t) => {
  const origin = await openFileOrigin(t, () => TAGGED, firstAt(at(10, 'silence')))
  const relais = await openRelais(t, [origin], { idleTimeout: '60s' })
  const viewer = openViewer(`${relais.url}/seg1.ts`)
  await viewer.reached(10)
  await relais.close()
  await viewer.answer.catch(() => undefined)
  assert.deepEqual(await resumptions(relais), [[0, 0]])
})
