/** One fill for all who ask: they read it while it comes, none of them owns it, and none holds up another. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const KB = 1024
const MB = 1024 * KB
const FRESH = { 'cache-control': 'max-age=60' }

test('100 viewers of a cold segment cost one origin request and read it while it comes', async (t) => {
  const body = randomBytes(256 * KB)
  const half = 128 * KB
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': String(body.byteLength) })
    response.write(body.subarray(0, half))
    await rest.opened
    response.end(body.subarray(half))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const viewers = Array.from({ length: 100 }, () => openViewer(`${relais.url}/seg1.ts`))
  await Promise.all(viewers.map((viewer) => viewer.reached(half)))
  const late = openViewer(`${relais.url}/seg1.ts`)
  await late.reached(half)
  assert.equal((await relais.stats()).fills, 1)
  rest.open()
  for (const { answer } of [...viewers, late]) {
    const { status, isWhole, body: came } = await answer
    assert.equal(status, 200)
    assert.ok(isWhole)
    assert.ok(came.equals(body))
  }
  assert.equal(origin.count(), 1)
  const { requests, memory } = await settled(relais)
  assert.equal(requests.miss, 1)
  assert.equal(requests.collapsed, 100)
  assert.equal(memory.entries, 1)
})

test('a body of unknown length is shared while it comes', async (t) => {
  const body = randomBytes(300 * KB)
  const half = 100 * KB
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, FRESH)
    response.write(body.subarray(0, half))
    await rest.opened
    response.end(body.subarray(half))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const viewers = Array.from({ length: 5 }, () => openViewer(`${relais.url}/chunk.m4s`))
  await Promise.all(viewers.map((viewer) => viewer.reached(half)))
  rest.open()
  for (const { answer } of viewers) assert.ok((await answer).body.equals(body))
  const { headers, body: again } = await get(`${relais.url}/chunk.m4s`)
  assert.match(String(headers['cache-status']), /^test; hit/)
  assert.ok(again.equals(body))
  assert.equal(origin.count(), 1)
})

test('the viewer who caused a fill leaves, and the others get all of it', async (t) => {
  const body = randomBytes(4 * MB)
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': String(body.byteLength) })
    response.write(body.subarray(0, MB))
    await rest.opened
    response.end(body.subarray(MB))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const leader = openViewer(`${relais.url}/seg1.ts`)
  await leader.reached(MB)
  const others = [openViewer(`${relais.url}/seg1.ts`), openViewer(`${relais.url}/seg1.ts`)]
  await Promise.all(others.map((viewer) => viewer.reached(MB)))
  leader.leave()
  await until(async () => (await relais.stats()).cuts === 1, 'the leader is missed')
  relais.clock.advance(5_000)
  rest.open()
  for (const { answer } of others) assert.ok((await answer).body.equals(body))
  const { memory, requests } = await settled(relais)
  assert.equal(memory.entries, 1)
  assert.equal(requests.miss, 1)
  assert.equal(requests.collapsed, 2)
  assert.equal(origin.count(), 1)
})

test('the viewer who caused a fill leaves before its head, and the others get all of it', async (t) => {
  const head = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    await head.opened
    response.writeHead(200, FRESH)
    response.end('segment')
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const leader = openViewer(`${relais.url}/seg1.ts`)
  await origin.reached(1)
  const other = openViewer(`${relais.url}/seg1.ts`)
  await until(async () => (await relais.stats()).viewers === 2, 'two viewers are connected')
  leader.leave()
  await until(async () => (await relais.stats()).requests.total === 1, 'the leader is counted')
  head.open()
  assert.equal(String((await other.answer).body), 'segment')
  await settled(relais)
})

test('all leave before the head, and the origin is not kept busy', async (t) => {
  const gone = Promise.withResolvers<void>()
  const origin = await openOrigin(t, (_request, response) => {
    response.on('close', gone.resolve)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const viewers = [openViewer(`${relais.url}/seg1.ts`), openViewer(`${relais.url}/seg1.ts`)]
  await origin.reached(1)
  await until(async () => (await relais.stats()).viewers === 2, 'two viewers are connected')
  for (const viewer of viewers) viewer.leave()
  await gone.promise
  await settled(relais)
  origin.answer((_request, response) => response.writeHead(200, FRESH).end('again'))
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'again')
})

test('all leave a large fill, and it is given up at the origin and not stored', async (t) => {
  const gone = Promise.withResolvers<boolean>()
  const more = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': String(16 * MB) })
    response.write(Buffer.alloc(MB))
    response.on('close', () => gone.resolve(response.writableFinished))
    await more.opened
    response.write(Buffer.alloc(MB))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const viewers = [openViewer(`${relais.url}/seg1.ts`), openViewer(`${relais.url}/seg1.ts`)]
  await Promise.all(viewers.map((viewer) => viewer.reached(MB)))
  for (const viewer of viewers) viewer.leave()
  await until(async () => (await relais.stats()).cuts === 2, 'both are missed')
  relais.clock.advance(1_001)
  more.open()
  assert.equal(await gone.promise, false)
  const { memory } = await settled(relais)
  assert.equal(memory.entries, 0)
  assert.equal(memory.bytes, 0)
})

test('all leave a large fill that is nearly done, and it is stored', async (t) => {
  const body = randomBytes(4 * MB)
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': String(body.byteLength) })
    response.write(body.subarray(0, 3 * MB))
    await rest.opened
    response.end(body.subarray(3 * MB))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const viewer = openViewer(`${relais.url}/seg1.ts`)
  await viewer.reached(3 * MB)
  viewer.leave()
  await until(async () => (await relais.stats()).cuts === 1, 'the viewer is missed')
  relais.clock.advance(10_000)
  rest.open()
  assert.equal((await settled(relais)).memory.entries, 1)
  assert.ok((await get(`${relais.url}/seg1.ts`)).body.equals(body))
  assert.equal(origin.count(), 1)
})

test('all leave a small fill, and it is finished and stored', async (t) => {
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, FRESH)
    response.write('first ')
    await rest.opened
    response.end('second')
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const viewer = openViewer(`${relais.url}/seg1.ts`)
  await viewer.reached(6)
  viewer.leave()
  await until(async () => (await relais.stats()).cuts === 1, 'the viewer is missed')
  relais.clock.advance(10_000)
  rest.open()
  await settled(relais)
  const { body, headers } = await get(`${relais.url}/seg1.ts`)
  assert.equal(String(body), 'first second')
  assert.match(String(headers['cache-status']), /^test; hit/)
  assert.equal(origin.count(), 1)
})

test('a viewer who takes nothing holds up neither the fill nor another viewer', async (t) => {
  const body = randomBytes(16 * MB)
  const origin = await openOrigin(t, (_request, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': String(body.byteLength) })
    response.end(body)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const stalled = Array.from({ length: 3 }, () => openViewer(`${relais.url}/seg1.ts`, { paused: true }))
  await Promise.all(stalled.map((viewer) => viewer.head))
  assert.ok((await get(`${relais.url}/seg1.ts`)).body.equals(body))
  // The fill has ended while the others have not begun to read.
  await settled(relais)
  assert.deepEqual(
    stalled.map((viewer) => viewer.received),
    [0, 0, 0],
  )
  for (const viewer of stalled) viewer.resume()
  for (const { answer } of stalled) assert.ok((await answer).body.equals(body))
  assert.equal(origin.count(), 1)
})

test('a fill goes on while its only viewer takes nothing', async (t) => {
  const body = randomBytes(16 * MB)
  const origin = await openOrigin(t, (_request, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': String(body.byteLength) })
    response.end(body)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const stalled = openViewer(`${relais.url}/seg1.ts`, { paused: true })
  await stalled.head
  assert.equal((await settled(relais)).memory.entries, 1)
  stalled.resume()
  assert.ok((await stalled.answer).body.equals(body))
})

test('an origin that fails before the head fails all who waited for it', async (t) => {
  const failure = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    await failure.opened
    response.destroy()
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const viewers = Array.from({ length: 10 }, () => openViewer(`${relais.url}/seg1.ts`))
  await origin.reached(1)
  await until(async () => (await relais.stats()).viewers === 10, 'all are connected')
  failure.open()
  for (const { answer } of viewers) assert.equal((await answer).status, 502)
  const { requests } = await settled(relais)
  assert.equal(requests.error, 10)
})
