/** Players hand in their events at a path of the configuration, anybody may, and nobody can make that expensive. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get, type Response, raw } from '../support/client.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

const VOD = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nseg1.ts\n#EXT-X-ENDLIST\n'

interface Scene {
  readonly relais: TestRelais
  readonly origin: TestOrigin
  readonly post: (body: string) => Promise<Response>
}

async function open(t: TestContext, cmcd: Record<string, unknown> = { events: '/cmcd' }): Promise<Scene> {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, VOD, { 'cache-control': 'max-age=3600' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url], file: { cmcd, ops: { trusted: [] } } })
  const headers = { 'content-type': 'application/cmcd' }
  return {
    relais,
    origin,
    post: (body) => get(`${relais.url}/cmcd`, { method: 'POST', headers, body }),
  }
}

test('events of a session count for the stream that it watches', async (t) => {
  const { relais, origin, post } = await open(t)
  await get(`${relais.url}/main.m3u8?CMCD=${encodeURIComponent('bl=4000,sid="a",v=2')}`)
  await until(async () => (await relais.stats()).cmcd.reports === 1, 'its request is read')
  const { status, headers, body } = await post(
    'e=ps,sid="a",sta=r,ts=1764547200000,v=2\ne=t,bl=(9000),sid="a",ts=1764547201000,v=2\nnothing "\ne=t,sid="z",v=2',
  )
  assert.deepEqual([status, String(body), headers['access-control-allow-origin']], [204, '', '*'])
  const { cmcd, streams, requests } = await relais.stats()
  assert.deepEqual(cmcd, { sessions: 2, reports: 1, skipped: 0, events: 3, badEvents: 1, refused: 0 })
  const [stream] = streams
  assert.deepEqual([stream?.cmcd.stalls, stream?.cmcd.bufferMedianMs, stream?.cmcd.sessions], [1, 9000, 1])
  // They are no requests of viewers, and the origin hears nothing of them.
  assert.deepEqual([requests.total, origin.count()], [1, 1])
})

test('a page of another host may send events, after it has asked', async (t) => {
  const { relais } = await open(t)
  const { status, headers } = await get(`${relais.url}/cmcd`, {
    method: 'OPTIONS',
    headers: { origin: 'https://player.example', 'access-control-request-method': 'POST' },
  })
  assert.equal(status, 204)
  assert.equal(headers['access-control-allow-origin'], '*')
  assert.equal(headers['access-control-allow-methods'], 'POST')
  assert.equal(headers['access-control-allow-headers'], 'content-type')
})

test('what holds no event is 400, and what holds too many 413, in words that a page may read', async (t) => {
  const { relais, post } = await open(t)
  const record = `e=t,sid="a",v=2`
  for (const [body, status, error] of [
    ['', 400, 'BAD_EVENTS'],
    ['{"e":"t"}', 400, 'BAD_EVENTS'],
    ['sid="a",v=2', 400, 'BAD_EVENTS'],
    [`${record}\n`.repeat(501), 413, 'EVENTS_TOO_LARGE'],
    ['x'.repeat(256 * 1024 + 1), 413, 'EVENTS_TOO_LARGE'],
  ] as const) {
    const answer = await post(body)
    assert.equal(answer.status, status)
    assert.equal(JSON.parse(String(answer.body)).error, error)
    assert.equal(answer.headers['access-control-allow-origin'], '*')
  }
  const broken = await fetch(`${relais.url}/cmcd`, { method: 'POST', body: Uint8Array.of(0xc3, 0x28) })
  assert.equal(broken.status, 400)
  assert.match(await broken.text(), /BAD_EVENTS/)
  assert.deepEqual((await relais.stats()).cmcd.events, 0)
  assert.deepEqual((await relais.stats()).cmcd.refused, 6)
})

test('a body that claims to be endless is refused before it comes, and its connection ends', async (t) => {
  const { relais } = await open(t)
  const answer = await raw(
    relais.url,
    'POST /cmcd HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\ne=t',
  )
  assert.match(answer, /^HTTP\/1\.1 413 .*connection: close/is)
})

test('of more events than a second may hold the rest is told 429, and the next second is open again', async (t) => {
  const { relais, post } = await open(t)
  const body = 'e=t,sid="a",v=2\n'.repeat(500)
  for (let count = 0; count < 4; count++) assert.equal((await post(body)).status, 204)
  const { status, headers, body: said } = await post('e=t,sid="a",v=2')
  assert.deepEqual([status, headers['retry-after']], [429, '1'])
  assert.equal(JSON.parse(String(said)).error, 'TOO_MANY_EVENTS')
  relais.clock.advance(1_000)
  assert.equal((await post(body)).status, 204)
  assert.equal((await relais.stats()).cmcd.events, 2_500)
})

test('where no path is named a POST takes its route, and so does a GET of the path', async (t) => {
  const off = await open(t, {})
  await off.post('e=t,v=2')
  assert.deepEqual(
    off.origin.asked.map(({ method, target }) => `${method} ${target}`),
    ['POST /cmcd'],
  )
  const on = await open(t)
  assert.equal((await get(`${on.relais.url}/cmcd`)).status, 200)
  assert.equal(on.origin.count('/cmcd'), 1)
})

test('a player who leaves in the middle of its events harms nobody', async (t) => {
  const { relais, post } = await open(t)
  const { hostname, port } = new URL(relais.url)
  const socket = connect(Number(port), hostname)
  socket.end('POST /cmcd HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\ne=t')
  await until(async () => (await relais.stats()).cmcd.refused === 1, 'it is given up')
  socket.destroy()
  assert.equal((await post('e=t,sid="a",v=2')).status, 204)
})
