/** When everything that can happen has happened at once, nothing is left under way and the books agree. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { until } from '../support/barrier.ts'
import { type Handler, openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const KB = 1024
const PLAYLIST = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n'
const BODY = randomBytes(300 * KB)

const ANSWERS: Readonly<Record<string, Handler>> = {
  '/fresh.ts': (_request, response) => reply(response, BODY, { 'cache-control': 'max-age=60' }),
  '/stale.ts': (_request, response) => reply(response, BODY, { 'cache-control': 'max-age=0', etag: '"1"' }),
  '/background.ts': (_request, response) =>
    reply(response, BODY, { 'cache-control': 'max-age=0, stale-while-revalidate=60' }),
  '/private.ts': (_request, response) => reply(response, BODY, { 'cache-control': 'private' }),
  '/live.m3u8': (_request, response) => reply(response, PLAYLIST, { vary: 'accept-encoding' }),
  '/bad.m3u8': (_request, response) => reply(response, '<html>', { 'content-type': 'text/html' }),
  '/missing.ts': (_request, response) => reply(response, 'not there', {}, 404),
  '/failing.ts': (_request, response) => reply(response, 'sorry', {}, 500),
  '/refusing.ts': (request) => request.socket.destroy(),
  '/breaking.ts': (_request, response) => {
    response.writeHead(200, { 'content-length': String(BODY.byteLength), 'cache-control': 'max-age=60' })
    response.write(BODY.subarray(0, 100 * KB), () => response.destroy())
  },
  '/large.mkv': (_request, response) =>
    reply(response, Buffer.alloc(6 * KB * KB), { 'cache-control': 'max-age=60' }),
}

test('viewers of everything who come, read, fall silent and leave: each is counted once and nothing is left', async (t) => {
  const origin = await openOrigin(t, (request, response) => ANSWERS[request.url ?? '']?.(request, response))
  const memory = { maxBytes: '4MB', maxEntryBytes: '1MB' }
  const relais = await openTestRelais(t, { origins: [origin.url], file: { memory } })
  const targets = Object.keys(ANSWERS)
  const ways: readonly { method?: string; headers?: Record<string, string> }[] = [
    {},
    { method: 'HEAD' },
    { headers: { range: 'bytes=1000-1999' } },
    { headers: { 'accept-encoding': 'gzip' } },
    { headers: { authorization: 'Bearer 1' } },
    { headers: { 'if-none-match': '"1"' } },
    { headers: { 'cdn-loop': 'test' } },
  ]
  let asked = 0
  for (let round = 0; round < 4; round++) {
    const viewers = targets.flatMap((target) => ways.map((way) => openViewer(relais.url + target, way)))
    asked += viewers.length
    await Promise.all(
      viewers.map(async (viewer, index) => {
        if (index % 5 === round) {
          await viewer.head.catch(() => undefined) // some have no head to see, and leave without
          viewer.leave()
        }
        await viewer.answer.catch(() => undefined) // what each of them gets is told in the other tests
      }),
    )
    relais.clock.advance(700)
  }
  await until(async () => (await relais.stats()).viewers === 0, 'all are gone')
  const { requests, routes, memory: held } = await settled(relais)
  assert.equal(requests.total, asked)
  assert.equal(routes[0]?.requests.total, asked)
  for (const outcome of ['hit', 'stale', 'miss', 'collapsed', 'pass', 'error'] as const)
    assert.ok(requests[outcome] > 0, `nobody was ${outcome}`)
  assert.ok(held.bytes <= held.maxBytes)
})

test('a Relais that is closed in the middle of fills cuts them off and lets go of everything', async (t) => {
  const gone = Promise.withResolvers<void>()
  const origin = await openOrigin(t, (_request, response) => {
    response.on('close', gone.resolve)
    response.writeHead(200, { 'cache-control': 'max-age=60' })
    response.write('first')
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { http: { drainTimeout: '50ms' } } })
  const viewer = openViewer(`${relais.url}/seg1.ts`)
  await viewer.reached(5)
  await relais.close()
  assert.equal((await viewer.answer).isWhole, false)
  await gone.promise
})
