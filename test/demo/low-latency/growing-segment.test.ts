import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../support/barrier.ts'
import { get } from '../../support/client.ts'
import { chunked, NUMBER, openLowLatency, PART_MS, START, tracks } from './demo.ts'

const track = tracks.find(({ name }) => name === '360p') ?? assert.fail()
const WHOLE = Buffer.from(chunked.segment(track, NUMBER))
const PATH = `/ll/dash/360p/${NUMBER}.m4s`
const NEVER = 2 ** 53 - 1

/** Where part `part` ends in the segment. */
function endOf(part: number): number {
  const { offset, size } = chunked.placeOf(track, { number: NUMBER, part })
  return offset + size
}

test('a segment in production comes a chunk at each instant at which one is made, without a length', async (t) => {
  const { url, clock } = await openLowLatency(t, { start: START + 50 })
  let received = 0
  const growing = get(`${url}${PATH}`, {
    onData: (chunk) => {
      received += chunk.byteLength
    },
  })
  await clock.waitedFor(1)
  clock.advance(PART_MS - 50)
  for (let part = 0; part < 4; part += 1) {
    await until(() => received === endOf(part), `chunk ${part} has come`)
    await clock.waitedFor(1)
    clock.advance(PART_MS - 1)
    // An answer in the meantime shows that time went by, and no byte too many came.
    await get(`${url}/live/time`)
    assert.equal(received, endOf(part))
    clock.advance(1)
  }
  const { status, headers, body, isWhole } = await growing
  assert.equal(status, 200)
  assert.ok(isWhole)
  assert.deepEqual(body, WHOLE)
  assert.equal(headers['content-length'], undefined)
  assert.equal(headers['transfer-encoding'], 'chunked')
})

test('a viewer who joins later gets at once what is made, and once complete all of it with its length', async (t) => {
  const { url, clock } = await openLowLatency(t, { start: START + 3 * PART_MS })
  let received = 0
  const joining = get(`${url}${PATH}`, {
    onData: (chunk) => {
      received += chunk.byteLength
    },
  })
  await until(() => received === endOf(2), 'three chunks have come')
  await clock.waitedFor(1)
  clock.advance(PART_MS)
  await clock.waitedFor(1)
  clock.advance(PART_MS)
  assert.deepEqual((await joining).body, WHOLE)
  const { headers, body } = await get(`${url}${PATH}`)
  assert.equal(Number(headers['content-length']), WHOLE.byteLength)
  assert.ok(headers.etag)
  assert.deepEqual(body, WHOLE)
})

test('a segment that has not begun to be made, or is long gone, is not there', async (t) => {
  const { url } = await openLowLatency(t)
  for (const number of [NUMBER + 1, NUMBER - 40, 0, 999_999_999_999_999]) {
    assert.equal((await get(`${url}/ll/dash/360p/${number}.m4s`)).status, 404, String(number))
  }
  assert.equal((await get(`${url}/ll/dash/720p/${NUMBER}.m4s`)).status, 404)
})

test('a segment whose encoder stops in its middle breaks off, and is never shown as ended', async (t) => {
  const { url, clock } = await openLowLatency(t, { madeUntil: () => START + 2 * PART_MS })
  const broken = get(`${url}${PATH}`)
  await clock.waitedFor(1)
  for (let waited = 0; waited < 6000; waited += PART_MS) {
    clock.advance(PART_MS)
    if (waited + PART_MS < 6000) await clock.waitedFor(1)
  }
  const { isWhole, body } = await broken
  assert.equal(isWhole, false)
  assert.deepEqual(body, WHOLE.subarray(0, endOf(1)))
})

test('a range of a growing segment is held until it exists, and ends where what exists ends', async (t) => {
  const { url, clock } = await openLowLatency(t, { start: START + PART_MS })
  const path = `${url}/ll/ranges/360p/${NUMBER}.m4s`
  const there = await get(path, { headers: { range: 'bytes=8-' } })
  assert.equal(there.status, 206)
  assert.equal(there.headers['content-range'], `bytes 8-${endOf(0) - 1}/*`)
  assert.deepEqual(there.body, WHOLE.subarray(8, endOf(0)))

  const hinted = get(path, { headers: { range: `bytes=${endOf(0)}-` } })
  const exact = get(path, { headers: { range: `bytes=${endOf(0)}-${endOf(1) - 1}` } })
  await clock.waitedFor(2)
  clock.advance(PART_MS)
  for (const { status, headers, body } of await Promise.all([hinted, exact])) {
    assert.equal(status, 206)
    assert.equal(headers['content-range'], `bytes ${endOf(0)}-${endOf(1) - 1}/*`)
    assert.deepEqual(body, WHOLE.subarray(endOf(0), endOf(1)))
  }
})

test('a range that names no end follows the segment to its end (RFC 8673)', async (t) => {
  const { url, clock } = await openLowLatency(t, { start: START + PART_MS })
  let received = 0
  const following = get(`${url}/ll/ranges/360p/${NUMBER}.m4s`, {
    headers: { range: `bytes=${endOf(0)}-${NEVER}` },
    onData: (chunk) => {
      received += chunk.byteLength
    },
  })
  for (let part = 1; part <= 4; part += 1) {
    await clock.waitedFor(1)
    clock.advance(PART_MS)
    await until(() => received === endOf(part) - endOf(0), `part ${part} has come`)
  }
  const { status, headers, body, isWhole } = await following
  assert.equal(status, 206)
  assert.equal(headers['content-range'], `bytes ${endOf(0)}-${NEVER}/*`)
  assert.equal(headers['content-length'], undefined)
  assert.ok(isWhole)
  assert.deepEqual(body, WHOLE.subarray(endOf(0)))
})

test('a suffix, and a range that may lie beyond the end, wait for the whole to be known', async (t) => {
  const { url, clock } = await openLowLatency(t)
  const path = `${url}/ll/ranges/360p/${NUMBER}.m4s`
  const suffix = get(path, { headers: { range: 'bytes=-4' } })
  const beyond = [`bytes=${WHOLE.byteLength}-`, `bytes=${WHOLE.byteLength}-${NEVER}`].map((range) =>
    get(path, { headers: { range } }),
  )
  await clock.waitedFor(3)
  clock.advance(2000)
  const { status, headers, body } = await suffix
  assert.equal(status, 206)
  assert.equal(
    headers['content-range'],
    `bytes ${WHOLE.byteLength - 4}-${WHOLE.byteLength - 1}/${WHOLE.byteLength}`,
  )
  assert.deepEqual(body, WHOLE.subarray(-4))
  for (const one of await Promise.all(beyond)) {
    assert.equal(one.status, 416)
    assert.equal(one.headers['content-range'], `bytes */${WHOLE.byteLength}`)
  }
})

test('several ranges, nonsense, and an If-Range that nothing can match get the segment as it grows', async (t) => {
  const { url, clock } = await openLowLatency(t, { start: START + 4 * PART_MS })
  const asked = [
    { range: 'bytes=0-1,4-5' },
    { range: 'bytes=5-3' },
    { range: 'items=0-1' },
    { range: 'bytes=0-1', 'if-range': '"x"' },
  ].map((headers) => get(`${url}${PATH}`, { headers }))
  await clock.waitedFor(asked.length)
  clock.advance(PART_MS)
  for (const { status, body } of await Promise.all(asked)) {
    assert.equal(status, 200)
    assert.deepEqual(body, WHOLE)
  }
})
