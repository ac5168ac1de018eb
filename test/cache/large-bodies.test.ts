/** Bodies larger than what may be held: passed on within a bounded memory, and nobody else pays for them. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { barrier } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const MB = 1024 * 1024
const FRESH = { 'cache-control': 'max-age=60' }
const SMALL = { memory: { maxBytes: '8MB', maxEntryBytes: '1MB' } }

/** At the pace of whoever takes it. */
async function pour(
  response: ServerResponse,
  chunk: Buffer,
  times: number,
  onSent?: () => void,
): Promise<void> {
  for (let time = 0; time < times && !response.destroyed; time++) {
    if (!response.write(chunk)) await moved(response)
    onSent?.()
  }
}

function moved(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}

test('a body too large to keep and small enough to hold while it passes is shared, and not stored', async (t) => {
  const body = randomBytes(3 * MB)
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': String(body.byteLength) })
    response.write(body.subarray(0, MB))
    await rest.opened
    response.end(body.subarray(MB))
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: SMALL })
  const viewers = Array.from({ length: 10 }, () => openViewer(`${relais.url}/seg1.ts`))
  await Promise.all(viewers.map((viewer) => viewer.reached(MB)))
  rest.open()
  for (const { answer } of viewers) assert.ok((await answer).body.equals(body))
  assert.equal(origin.count(), 1)
  const { memory } = await settled(relais)
  assert.equal(memory.entries, 0)
  assert.equal(memory.bytes, 0)
  assert.ok(memory.declined > 0)
})

test('a body larger than any store takes is passed to each viewer, not stored and not shared', async (t) => {
  const body = randomBytes(6 * MB)
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': String(body.byteLength) })
    response.write(body.subarray(0, MB))
    await rest.opened
    response.end(body.subarray(MB))
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: SMALL })
  const viewers = Array.from({ length: 4 }, () => openViewer(`${relais.url}/film.mkv`))
  await Promise.all(viewers.map((viewer) => viewer.reached(MB)))
  rest.open()
  for (const { answer } of viewers) {
    const { headers, body: came } = await answer
    assert.ok(came.equals(body))
    assert.equal(headers['content-length'], String(body.byteLength))
  }
  assert.equal(origin.count(), 4)
  const { memory, requests } = await settled(relais)
  assert.equal(requests.pass, 4)
  assert.equal(memory.bytes, 0)
})

test('a viewer of a passed body who stops reading does not make Relais take it in', async (t) => {
  let taken = 0
  const origin = await openOrigin(t, async (request, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': String(100 * MB) })
    const isStalled = request.url === '/stalled.mkv'
    await pour(response, Buffer.alloc(MB), 100, () => {
      if (isStalled) taken++
    })
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: SMALL })
  const stalled = openViewer(`${relais.url}/stalled.mkv`, { paused: true, keep: false })
  await stalled.head
  // Time enough for a hundred megabytes: another viewer takes as many meanwhile.
  const other = openViewer(`${relais.url}/other.mkv`, { keep: false })
  assert.ok((await other.answer).isWhole)
  assert.ok(taken < 50, `${taken} of 100 MB were taken for a viewer who takes nothing`)
  stalled.leave()
  await settled(relais)
})

test('200 MB without a length pass within a bounded memory, and others are served meanwhile', async (t) => {
  const size = 200 * MB
  const chunk = randomBytes(MB)
  const origin = await openOrigin(t, async (request, response) => {
    if (request.url !== '/endless.ts') {
      reply(response, 'segment', FRESH)
      return
    }
    response.writeHead(200, FRESH)
    await pour(response, chunk, 200)
    response.end()
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: SMALL })
  await get(`${relais.url}/seg1.ts`)
  const before = process.memoryUsage().rss
  const viewer = openViewer(`${relais.url}/endless.ts`, { keep: false })
  let peak = 0
  for (let step = 1; step <= 20; step++) {
    await viewer.reached((step * size) / 20)
    const { memory } = await relais.stats()
    assert.ok(memory.bytes <= memory.maxBytes)
    peak = Math.max(peak, process.memoryUsage().rss)
    assert.match(String((await get(`${relais.url}/seg1.ts`)).headers['cache-status']), /; hit/)
  }
  assert.ok((await viewer.answer).isWhole)
  assert.equal(viewer.received, size)
  // Loosely: origin, Relais and viewer share this process and its garbage.
  assert.ok(peak - before < 150 * MB, `${Math.round((peak - before) / MB)} MB more are resident`)
  const { memory } = await settled(relais)
  assert.equal(memory.entries, 1)
})

test('who comes when the beginning of an endless body is gone gets one of its own, from its beginning', async (t) => {
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, FRESH)
    response.write('begin')
    await pour(response, Buffer.alloc(MB), 12)
    await rest.opened
    response.end()
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: SMALL })
  const first = openViewer(`${relais.url}/endless.ts`, { keep: false })
  await first.reached(12 * MB)
  const second = openViewer(`${relais.url}/endless.ts`)
  await second.reached(12 * MB)
  assert.equal(origin.count(), 2)
  rest.open()
  assert.equal(String((await second.answer).body.subarray(0, 5)), 'begin')
  assert.equal(second.received, 12 * MB + 5)
  assert.ok((await first.answer).isWhole)
  await settled(relais)
})

test('what only the disk takes is shared while it comes, also with who has fallen far behind', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'relais-test-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  const body = randomBytes(24 * MB)
  const [middle, rest] = [barrier(), barrier()]
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, FRESH)
    response.write(body.subarray(0, MB))
    await middle.opened
    response.write(body.subarray(MB, 16 * MB))
    await rest.opened
    response.end(body.subarray(16 * MB))
  })
  const file = { ...SMALL, disk: { path, maxBytes: '100MB' } }
  const relais = await openTestRelais(t, { origins: [origin.url], file })
  const stalled = openViewer(`${relais.url}/film.ts`, { paused: true })
  await stalled.head
  const other = openViewer(`${relais.url}/film.ts`)
  await other.reached(MB)
  middle.open()
  await other.reached(16 * MB)
  // The beginning has left memory long ago, and is read back from disk.
  const late = openViewer(`${relais.url}/film.ts`)
  await late.reached(16 * MB)
  assert.equal(stalled.received, 0)
  rest.open()
  for (const { answer } of [other, late]) assert.ok((await answer).body.equals(body))
  const { disk, memory } = await settled(relais)
  assert.equal(disk.entries, 1)
  assert.equal(memory.entries, 0)
  stalled.resume()
  assert.ok((await stalled.answer).body.equals(body))
  const hit = await get(`${relais.url}/film.ts`)
  assert.match(String(hit.headers['cache-status']), /; hit/)
  assert.ok(hit.body.equals(body))
  assert.equal(origin.count(), 1)
  await relais.close()
})

test('a range of a body that nobody keeps and whose length nobody knows is answered, with the whole where it is wide', async (t) => {
  const body = randomBytes(20 * MB)
  for (const [range, status] of [
    ['bytes=15000000-15000099', 206],
    ['bytes=5000000-', 200],
    ['bytes=0-99,15000000-15000099', 200],
    ['bytes=-100', 200],
  ] as const) {
    const origin = await openOrigin(t, async (_request, response) => {
      response.writeHead(200, FRESH)
      for (let at = 0; at < body.byteLength && !response.destroyed; at += MB) {
        await pour(response, body.subarray(at, at + MB), 1)
      }
      response.end()
    })
    const relais = await openTestRelais(t, {
      origins: [origin.url],
      file: { memory: { maxBytes: '8MB', maxEntryBytes: '6MB' } },
    })
    const answer = await get(`${relais.url}/seg1.ts`, { headers: { range } })
    assert.ok(answer.isWhole, range)
    assert.equal(answer.status, status, range)
    assert.ok(answer.body.equals(status === 200 ? body : body.subarray(15_000_000, 15_000_100)), range)
  }
})
