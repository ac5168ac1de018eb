/** What is stored stays true: of its origin, its version and its time; and it is told apart from what only looks whole. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openRawOrigin } from '../support/raw-origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'
import { openWire } from '../support/wire.ts'

test('what lies on disk is never served for another origin', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'relais-truth-'))
  t.after(() => rm(path, { recursive: true }))
  for (const name of ['first', 'second', 'first']) {
    const origin = await openOrigin(t, (_request, response) =>
      reply(response, name, { 'cache-control': 'max-age=600' }),
    )
    const relais = await openTestRelais(t, { origins: [origin.url], file: { disk: { path } } })
    assert.equal(String((await get(`${relais.url}/a.ts`)).body), name)
    await relais.close()
    await origin.close()
  }
})

test('a body that only the end of its connection ends is passed on and not stored', async (t) => {
  const origin = await openRawOrigin(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\nconnection: close\r\n\r\nhalf of it', () =>
      socket.resetAndDestroy(),
    )
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  await get(`${relais.url}/seg1.ts`)
  assert.equal(origin.requests, 2)
  assert.equal((await settled(relais)).memory.entries, 0)
})

test('a write makes what a running fill brings forgotten, and nobody joins that fill any more', async (t) => {
  const mayGoOn = barrier()
  let version = 1
  const origin = await openOrigin(t, async (request, response) => {
    const body = `version ${version}`
    if (request.method === 'POST') {
      version++
      return reply(response, '')
    }
    response.writeHead(200, { 'content-length': String(body.length), 'cache-control': 'max-age=60' })
    response.flushHeaders()
    if (version === 1) await mayGoOn.opened
    response.end(body)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const first = openViewer(`${relais.url}/a.ts`)
  await first.head
  assert.equal((await get(`${relais.url}/a.ts`, { method: 'POST', body: 'x' })).status, 200)
  assert.equal(String((await get(`${relais.url}/a.ts`)).body), 'version 2')
  mayGoOn.open()
  assert.equal(String((await first.answer).body), 'version 1')
  await settled(relais)
  assert.equal(String((await get(`${relais.url}/a.ts`)).body), 'version 2')
})

test('the bytes of fields are the same on a miss and on a hit', async (t) => {
  const origin = await openRawOrigin(t, (socket) => {
    const head =
      'HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ntransfer-encoding: chunked\r\nx-title: caf\xe9\r\n\r\n'
    socket.write(Buffer.from(`${head}2\r\nab\r\n0\r\n\r\n`, 'latin1'))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const what of ['miss', 'hit']) {
    const { headers } = await get(`${relais.url}/a.ts`)
    assert.equal(headers['x-title'], 'caf\xe9', what)
    await settled(relais)
  }
})

test('If-Match is the origin’s to judge, whether something is stored or not', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    if (request.headers['if-match'] === undefined)
      reply(response, 'a', { etag: '"1"', 'cache-control': 'max-age=60' })
    else reply(response, '', {}, 412)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const what of ['cold', 'warm']) {
    assert.equal((await get(`${relais.url}/a.ts`, { headers: { 'if-match': '"0"' } })).status, 412, what)
    assert.equal((await get(`${relais.url}/a.ts`)).status, 200, what)
  }
})

test('each variant is asked for once, however many ask for it at the same moment', async (t) => {
  const all = barrier()
  const origin = await openOrigin(t, async (request, response) => {
    await all.opened
    reply(response, String(request.headers['x-kind']), { vary: 'x-kind', 'cache-control': 'max-age=60' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const kinds = ['a', 'b', 'c', 'd', 'e', 'f']
  const answers = kinds.flatMap((kind) =>
    Array.from({ length: 5 }, async () => {
      const { body } = await get(`${relais.url}/a.ts`, { headers: { 'x-kind': kind } })
      assert.equal(String(body), kind)
    }),
  )
  await until(async () => (await relais.stats()).viewers >= 30, 'all are connected')
  all.open()
  await Promise.all(answers)
  assert.equal(origin.count(), kinds.length)
})

test('an origin that closes a kept connection as it is used again costs no viewer an error', async (t) => {
  const used = new WeakSet<Socket>()
  const origin = await openRawOrigin(t, (socket) => {
    if (used.has(socket)) return socket.destroy()
    used.add(socket)
    return socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncache-control: no-store\r\n\r\na')
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (let count = 0; count < 6; count++) assert.equal((await get(`${relais.url}/a.ts`)).status, 200)
  assert.equal((await relais.stats()).origin.errors, 0)
})

test('from the first byte to an end that nobody knows is the whole, and begins at once', async (t) => {
  const held: ServerResponse[] = []
  const origin = await openOrigin(t, (_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60' })
    response.write('first')
    held.push(response)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const viewer = openViewer(`${relais.url}/a.ts`, { headers: { range: 'bytes=0-' } })
  await viewer.reached(5)
  assert.equal((await viewer.head).status, 200)
  held[0]?.end('last')
  assert.equal(String((await viewer.answer).body), 'firstlast')
  assert.equal(origin.count(), 1)
})

test('a connection that was never spoken on does not hold up the end', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'a'))
  const relais = await openTestRelais(t, { origins: [origin.url], file: { http: { drainTimeout: '1h' } } })
  const wire = await openWire(t, relais.url)
  await until(async () => (await relais.stats()).viewers === 1, 'it is connected')
  await relais.close()
  await wire.closed
})

test('the same connection goes on after answers of every kind', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'abc', { 'cache-control': 'max-age=60' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const { hostname, port } = new URL(relais.url)
  const socket = connect(Number(port), hostname)
  t.after(() => socket.destroy())
  let seen = ''
  socket.setEncoding('latin1').on('data', (text) => {
    seen += text
  })
  const ask = async (extra: string, status: number): Promise<void> => {
    seen = ''
    socket.write(`GET /a.ts HTTP/1.1\r\nhost: x\r\n${extra}\r\n`)
    await until(() => seen.includes('\r\n\r\n'), `an answer to ${extra}`)
    assert.ok(seen.startsWith(`HTTP/1.1 ${status} `), seen)
  }
  await ask('', 200)
  await ask('range: bytes=1-1\r\n', 206)
  await ask('range: bytes=9-\r\n', 416)
  await ask('', 200)
})
