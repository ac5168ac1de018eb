/** HEAD and the conditions of viewers: answered from store where a cache may, and never at the cost of a GET. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const MODIFIED = 'Wed, 01 Jan 2025 00:00:00 GMT'
const FRESH = {
  'cache-control': 'max-age=60',
  etag: '"1"',
  'last-modified': MODIFIED,
  'content-type': 'video/mp2t',
}

test('HEAD is answered from a stored GET', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment', FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  const { status, headers, body } = await get(`${relais.url}/seg1.ts`, { method: 'HEAD' })
  assert.equal(status, 200)
  assert.equal(headers['content-length'], '7')
  assert.equal(headers.etag, '"1"')
  assert.match(String(headers['cache-status']), /; hit/)
  assert.equal(body.byteLength, 0)
  assert.equal(origin.count(), 1)
})

test('HEAD of what is not stored goes to the origin as HEAD and stores nothing', async (t) => {
  const origin = await openOrigin(t, (_request, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': '7' })
    response.end()
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const { headers, isWhole } = await get(`${relais.url}/seg1.ts`, { method: 'HEAD' })
  assert.equal(headers['content-length'], '7')
  assert.ok(isWhole)
  assert.deepEqual(
    origin.asked.map(({ method }) => method),
    ['HEAD'],
  )
  assert.equal((await settled(relais)).memory.entries, 0)
})

test('HEAD is answered by the head of a running fill', async (t) => {
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': '12' })
    response.write('first ')
    await rest.opened
    response.end('second')
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const viewer = openViewer(`${relais.url}/seg1.ts`)
  await viewer.reached(6)
  const { status, headers, body } = await get(`${relais.url}/seg1.ts`, { method: 'HEAD' })
  assert.equal(status, 200)
  assert.equal(headers['content-length'], '12')
  assert.match(String(headers['cache-status']), /collapsed/)
  assert.equal(body.byteLength, 0)
  rest.open()
  assert.ok((await viewer.answer).isWhole)
  assert.equal(origin.count(), 1)
  await settled(relais)
})

test("a viewer's conditions that hold are answered with 304 from store", async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment', FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  for (const headers of [
    { 'if-none-match': '"1"' },
    { 'if-none-match': '"0", W/"1"' },
    { 'if-none-match': '*' },
    { 'if-modified-since': MODIFIED },
    { 'if-modified-since': 'Thu, 02 Jan 2025 00:00:00 GMT' },
  ] as Record<string, string>[]) {
    const answer = await get(`${relais.url}/seg1.ts`, { headers })
    assert.equal(answer.status, 304, JSON.stringify(headers))
    assert.equal(answer.headers.etag, '"1"')
    assert.equal(answer.headers['content-length'], undefined)
    assert.equal(answer.headers['content-type'], undefined)
    assert.match(String(answer.headers['cache-status']), /; hit/)
  }
  assert.equal(origin.count(), 1)
})

test("a viewer's conditions that do not hold are answered with the whole from store", async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment', FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  for (const headers of [
    { 'if-none-match': '"2"' },
    { 'if-modified-since': 'Tue, 31 Dec 2024 23:59:59 GMT' },
    { 'if-none-match': '"2"', 'if-modified-since': MODIFIED },
  ] as Record<string, string>[]) {
    const answer = await get(`${relais.url}/seg1.ts`, { headers })
    assert.equal(answer.status, 200, JSON.stringify(headers))
    assert.equal(String(answer.body), 'segment')
  }
  assert.equal(origin.count(), 1)
})

test('a fill for everyone does not carry the condition of the viewer who caused it, who still gets 304', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment', FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const first = await get(`${relais.url}/seg1.ts`, { headers: { 'if-none-match': '"1"' } })
  assert.equal(first.status, 304)
  assert.equal(origin.asked[0]?.headers['if-none-match'], undefined)
  await settled(relais)
  const second = await get(`${relais.url}/seg1.ts`)
  assert.equal(String(second.body), 'segment')
  assert.match(String(second.headers['cache-status']), /; hit/)
})

test('If-Match and If-Unmodified-Since are for the origin to judge, even where a response is stored', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    const { 'if-match': match, 'if-unmodified-since': since } = request.headers
    if (match === undefined && since === undefined) reply(response, 'segment', FRESH)
    else reply(response, '', {}, 412)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  for (const headers of [{ 'if-match': '"0"' }, { 'if-unmodified-since': MODIFIED }] as Record<
    string,
    string
  >[]) {
    assert.equal((await get(`${relais.url}/seg1.ts`, { headers })).status, 412)
  }
  assert.equal(origin.count(), 3)
  assert.match(String((await get(`${relais.url}/seg1.ts`)).headers['cache-status']), /; hit/)
})

test('a write that went through makes what is stored of its target untrue', async (t) => {
  const origin = await openOrigin(t, (request, response) =>
    reply(response, request.method === 'GET' ? 'segment' : 'done', request.method === 'GET' ? FRESH : {}),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  assert.equal((await get(`${relais.url}/seg1.ts`, { method: 'DELETE' })).status, 200)
  await until(async () => (await relais.stats()).memory.entries === 0, 'the stored response is gone')
  await get(`${relais.url}/seg1.ts`)
  assert.equal(origin.count(), 3)
})
