/** Ranges: cut from what is stored and from what still comes, and never at the cost of waiting for the unasked. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get, type Response } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const KB = 1024
const MB = 1024 * KB
const MODIFIED = 'Wed, 01 Jan 2025 00:00:00 GMT'
const FRESH = { 'cache-control': 'max-age=60', etag: '"1"', 'last-modified': MODIFIED }

function rangeOf(url: string, range: string, more: Record<string, string> = {}): Promise<Response> {
  return get(url, { headers: { range, ...more } })
}

test('a range of a stored response is cut from it', async (t) => {
  const body = randomBytes(300 * KB)
  const origin = await openOrigin(t, (_request, response) => reply(response, body, FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/film.mp4`
  await get(url)
  for (const [range, first, last] of [
    ['bytes=0-0', 0, 0],
    ['bytes=1000-1999', 1000, 1999],
    [`bytes=${100 * KB}-`, 100 * KB, 300 * KB - 1],
    ['bytes=-500', 300 * KB - 500, 300 * KB - 1],
    [`bytes=${300 * KB - 1}-${400 * KB}`, 300 * KB - 1, 300 * KB - 1],
  ] as const) {
    const answer = await rangeOf(url, range)
    assert.equal(answer.status, 206, range)
    assert.equal(answer.headers['content-range'], `bytes ${first}-${last}/${300 * KB}`)
    assert.ok(answer.body.equals(body.subarray(first, last + 1)), range)
  }
  assert.equal(origin.count(), 1)
})

test('a range beyond the end is 416, and one that is none is ignored', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, '0123456789', FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/film.mp4`
  await get(url)
  for (const range of ['bytes=10-', 'bytes=10-20', 'bytes=-0']) {
    const answer = await rangeOf(url, range)
    assert.equal(answer.status, 416, range)
    assert.equal(answer.headers['content-range'], 'bytes */10')
  }
  for (const range of ['bytes=5-2', 'lines=0-1', 'bytes=', 'bytes=0-1,1-2,2-3']) {
    const answer = await rangeOf(url, range)
    assert.equal(answer.status, 200, range)
    assert.equal(String(answer.body), '0123456789')
  }
})

test('If-Range cuts the range only from the representation that the viewer has', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, '0123456789', FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/film.mp4`
  await get(url)
  assert.equal((await rangeOf(url, 'bytes=0-3', { 'if-range': '"1"' })).status, 206)
  assert.equal((await rangeOf(url, 'bytes=0-3', { 'if-range': '"2"' })).status, 200)
  assert.equal((await rangeOf(url, 'bytes=0-3', { 'if-range': 'W/"1"' })).status, 200)
  assert.equal((await rangeOf(url, 'bytes=0-3', { 'if-range': MODIFIED })).status, 206)
  assert.equal((await rangeOf(url, 'bytes=0-3', { 'if-range': 'Thu, 02 Jan 2025 00:00:00 GMT' })).status, 200)
})

test('a range of what is not stored has the whole filled once where the origin ignores ranges, and is cut from it', async (t) => {
  const body = randomBytes(200 * KB)
  const origin = await openOrigin(t, (_request, response) => reply(response, body, FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/seg1.m4s`
  const answer = await rangeOf(url, 'bytes=1000-1999')
  assert.equal(answer.status, 206)
  assert.ok(answer.body.equals(body.subarray(1000, 2000)))
  assert.equal(origin.asked[0]?.headers.range, 'bytes=0-2097151')
  await settled(relais)
  assert.match(String((await get(url)).headers['cache-status']), /; hit/)
  assert.equal(origin.count(), 1)
})

test('a range is cut from a body that still comes, whose length is known', async (t) => {
  const body = randomBytes(200 * KB)
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': String(body.byteLength) })
    response.write(body.subarray(0, 100 * KB))
    await rest.opened
    response.end(body.subarray(100 * KB))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/seg1.m4s`
  const viewer = openViewer(url)
  await viewer.reached(100 * KB)
  // What has come is given at once.
  const come = await rangeOf(url, 'bytes=1000-1999')
  assert.equal(come.status, 206)
  assert.equal(come.headers['content-range'], `bytes 1000-1999/${200 * KB}`)
  assert.ok(come.body.equals(body.subarray(1000, 2000)))
  // What reaches beyond the tip begins at once, and waits for the rest.
  const across = openViewer(url, { headers: { range: `bytes=${99 * KB}-${101 * KB - 1}` } })
  await across.reached(KB)
  const ahead = openViewer(url, { headers: { range: 'bytes=-1000' } })
  const { status, headers } = await ahead.head
  assert.equal(status, 206)
  assert.equal(headers['content-range'], `bytes ${200 * KB - 1000}-${200 * KB - 1}/${200 * KB}`)
  assert.equal((await rangeOf(url, `bytes=${200 * KB}-`)).status, 416)
  rest.open()
  assert.ok((await across.answer).body.equals(body.subarray(99 * KB, 101 * KB)))
  assert.ok((await ahead.answer).body.equals(body.subarray(-1000)))
  assert.ok((await viewer.answer).body.equals(body))
  assert.equal(origin.count(), 1)
  await settled(relais)
})

test('a range is cut from a body that still comes, whose length nobody knows', async (t) => {
  const body = randomBytes(200 * KB)
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, FRESH)
    response.write(body.subarray(0, 100 * KB))
    await rest.opened
    response.end(body.subarray(100 * KB))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/seg1.m4s`
  const viewer = openViewer(url)
  await viewer.reached(100 * KB)
  const come = await rangeOf(url, 'bytes=1000-1999')
  assert.equal(come.status, 206)
  assert.equal(come.headers['content-range'], 'bytes 1000-1999/*')
  assert.ok(come.body.equals(body.subarray(1000, 2000)))
  // These can only be told when the end is known.
  const open = rangeOf(url, `bytes=${150 * KB}-`)
  const suffix = rangeOf(url, 'bytes=-1000')
  const beyond = rangeOf(url, `bytes=${200 * KB}-${300 * KB}`)
  await until(async () => (await relais.stats()).requests.total === 5, 'all of them have the head')
  rest.open()
  const [opened, last, none] = await Promise.all([open, suffix, beyond])
  assert.equal(opened.headers['content-range'], `bytes ${150 * KB}-${200 * KB - 1}/${200 * KB}`)
  assert.ok(opened.body.equals(body.subarray(150 * KB)))
  assert.ok(last.body.equals(body.subarray(-1000)))
  assert.equal(none.status, 416)
  assert.equal(none.headers['content-range'], `bytes */${200 * KB}`)
  assert.ok((await viewer.answer).body.equals(body))
  assert.equal(origin.count(), 1)
  await settled(relais)
})

test('a range far ahead of what has come is asked of the origin, and costs it no more', async (t) => {
  const size = 20 * MB
  const rest = barrier()
  const origin = await openOrigin(t, async (request, response) => {
    if (request.headers.range === 'bytes=15000000-15000999') {
      reply(
        response,
        Buffer.alloc(1000, 'r'),
        { ...FRESH, 'content-range': `bytes 15000000-15000999/${size}` },
        206,
      )
      return
    }
    response.writeHead(200, { ...FRESH, 'content-length': String(size), 'accept-ranges': 'bytes' })
    response.write(Buffer.alloc(MB))
    await rest.opened
    response.end(Buffer.alloc(size - MB))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/film.mp4`
  const viewer = openViewer(url, { keep: false })
  await viewer.reached(MB)
  const answer = await rangeOf(url, 'bytes=15000000-15000999')
  assert.equal(answer.status, 206)
  assert.equal(answer.headers['content-range'], `bytes 15000000-15000999/${size}`)
  assert.equal(String(answer.body), 'r'.repeat(1000))
  assert.match(String(answer.headers['cache-status']), /fwd=partial/)
  rest.open()
  assert.ok((await viewer.answer).isWhole)
  assert.equal(viewer.received, size)
  assert.equal(origin.count(), 2)
  await settled(relais)
})

test('a range far ahead of a body whose origin cuts none waits for it, for the origin would send all of it again', async (t) => {
  const size = 20 * MB
  const body = randomBytes(size)
  for (const said of [{}, { 'accept-ranges': 'none' }] as const) {
    const rest = barrier()
    const origin = await openOrigin(t, async (_request, response) => {
      response.writeHead(200, { ...FRESH, ...said, 'content-length': String(size) })
      response.write(body.subarray(0, MB))
      await rest.opened
      response.end(body.subarray(MB))
    })
    const relais = await openTestRelais(t, { origins: [origin.url] })
    const url = `${relais.url}/film.mp4`
    const viewer = openViewer(url, { keep: false })
    await viewer.reached(MB)
    const ahead = openViewer(url, { headers: { range: 'bytes=15000000-15000999' } })
    assert.equal((await ahead.head).headers['content-range'], `bytes 15000000-15000999/${size}`)
    rest.open()
    assert.ok((await ahead.answer).body.equals(body.subarray(15_000_000, 15_001_000)))
    assert.ok((await viewer.answer).isWhole)
    assert.equal(origin.count(), 1)
    await settled(relais)
  }
})

test('who asks for the rest up to 2^53-1 reads along with a body whose end nobody knows', async (t) => {
  const body = randomBytes(200 * KB)
  const second = barrier()
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, FRESH)
    response.write(body.subarray(0, 100 * KB))
    await second.opened
    response.write(body.subarray(100 * KB, 150 * KB))
    await rest.opened
    response.end(body.subarray(150 * KB))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/seg1.m4s`
  const whole = openViewer(url)
  await whole.reached(100 * KB)
  const along = openViewer(url, { headers: { range: `bytes=${80 * KB}-9007199254740991` } })
  const { status, headers } = await along.head
  assert.equal(status, 206)
  assert.equal(headers['content-range'], `bytes ${80 * KB}-9007199254740991/*`)
  assert.equal(headers['content-length'], undefined)
  await along.reached(20 * KB)
  // Byte 120 K has not come: there is nothing to begin with yet.
  const ahead = openViewer(url, { headers: { range: `bytes=${120 * KB}-9007199254740991` } })
  const beyond = openViewer(url, { headers: { range: `bytes=${200 * KB}-9007199254740991` } })
  second.open()
  await ahead.reached(30 * KB)
  await along.reached(70 * KB)
  rest.open()
  assert.ok((await along.answer).body.equals(body.subarray(80 * KB)))
  assert.ok((await ahead.answer).body.equals(body.subarray(120 * KB)))
  assert.equal((await beyond.answer).status, 416)
  const later = await rangeOf(url, `bytes=${80 * KB}-9007199254740991`)
  assert.equal(later.headers['content-range'], `bytes ${80 * KB}-${200 * KB - 1}/${200 * KB}`)
  assert.ok(later.body.equals(body.subarray(80 * KB)))
  assert.equal(origin.count(), 1)
  await settled(relais)
})

test('a range of what may not be stored reaches the origin as it is', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    const headers = { 'cache-control': 'no-store' }
    if (request.headers.range === undefined) reply(response, '0123456789', headers)
    else reply(response, '0123', { ...headers, 'content-range': 'bytes 0-3/10' }, 206)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const answer = await rangeOf(`${relais.url}/film.mp4`, 'bytes=0-3')
  assert.equal(answer.status, 206)
  assert.equal(String(answer.body), '0123')
  assert.equal((await settled(relais)).memory.entries, 0)
})
