/** What may not be stored belongs to the one it was fetched for, and its viewers do not queue one behind another. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const FRESH = { 'cache-control': 'max-age=60' }

for (const [what, headers] of [
  ['private', { 'cache-control': 'private, max-age=60' }],
  ['no-store', { 'cache-control': 'no-store' }],
  ['a cookie', { 'cache-control': 'max-age=60', 'set-cookie': 'session=1' }],
  ['Vary: *', { 'cache-control': 'max-age=60', vary: '*' }],
] as const) {
  test(`20 viewers of a response with ${what} get one of their own each`, async (t) => {
    let made = 0
    const origin = await openOrigin(t, (_request, response) => reply(response, `for ${++made}`, headers))
    const relais = await openTestRelais(t, { origins: [origin.url] })
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(`${relais.url}/seg1.ts`)))
    assert.equal(new Set(answers.map(({ body }) => String(body))).size, 20)
    assert.equal(origin.count(), 20)
    const { requests, memory } = await settled(relais)
    assert.equal(requests.pass, 20)
    assert.equal(memory.entries, 0)
  })
}

test('after the first the viewers of what may not be stored no longer wait for each other', async (t) => {
  const all = barrier()
  let made = 0
  const origin = await openOrigin(t, async (_request, response) => {
    const mine = ++made
    // Were they to queue, the origin would wait here for ever.
    if (mine > 1) await all.opened
    reply(response, `for ${mine}`, { 'cache-control': 'private' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  const viewers = Array.from({ length: 20 }, () => openViewer(`${relais.url}/seg1.ts`))
  await origin.reached(21)
  all.open()
  const bodies = await Promise.all(viewers.map(async ({ answer }) => String((await answer).body)))
  assert.equal(new Set(bodies).size, 20)
})

test('those who waited in vain for what may not be stored all set out at once', async (t) => {
  const [head, all] = [barrier(), barrier()]
  let made = 0
  const origin = await openOrigin(t, async (_request, response) => {
    const mine = ++made
    await (mine === 1 ? head.opened : all.opened)
    reply(response, `for ${mine}`, { 'cache-control': 'no-store' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const viewers = Array.from({ length: 10 }, () => openViewer(`${relais.url}/seg1.ts`))
  await until(async () => (await relais.stats()).waiting === 10, 'all are connected')
  head.open()
  await origin.reached(10)
  all.open()
  const bodies = await Promise.all(viewers.map(async ({ answer }) => String((await answer).body)))
  assert.equal(new Set(bodies).size, 10)
})

test('a key becomes storable again when its mark has run out', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'mine', { 'cache-control': 'private' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  origin.answer((_request, response) => reply(response, 'for all', FRESH))
  const marked = await get(`${relais.url}/seg1.ts`)
  assert.match(String(marked.headers['cache-status']), /fwd=bypass/)
  relais.clock.advance(60_000)
  const first = await get(`${relais.url}/seg1.ts`)
  assert.match(String(first.headers['cache-status']), /; stored/)
  const second = await get(`${relais.url}/seg1.ts`)
  assert.match(String(second.headers['cache-status']), /; hit/)
  assert.equal(origin.count(), 3)
})

test('what was fetched with credentials for a viewer who left goes to nobody else', async (t) => {
  const head = barrier()
  const origin = await openOrigin(t, async (request, response) => {
    const { authorization } = request.headers
    if (authorization !== undefined) await head.opened
    reply(response, authorization === undefined ? 'for all' : 'secret', FRESH)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const leader = openViewer(`${relais.url}/seg1.ts`, { headers: { authorization: 'Bearer 1' } })
  await origin.reached(1)
  const other = openViewer(`${relais.url}/seg1.ts`)
  await until(async () => (await relais.stats()).viewers === 2, 'two viewers are connected')
  leader.leave()
  await until(async () => (await relais.stats()).requests.total === 1, 'the leader is counted')
  head.open()
  assert.equal(String((await other.answer).body), 'for all')
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'for all')
  await settled(relais)
})

test('credentials of one viewer do not keep the others from sharing', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment', FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`, { headers: { authorization: 'Bearer 1' } })
  await get(`${relais.url}/seg1.ts`)
  const { headers } = await get(`${relais.url}/seg1.ts`)
  assert.match(String(headers['cache-status']), /; hit/)
  assert.equal(origin.count(), 2)
})

test('cookies of one viewer do not keep the others from sharing', async (t) => {
  // No lifetime is stated, so the answer to a request with cookies is not for all.
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment'))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const withCookie = await get(`${relais.url}/seg1.ts`, { headers: { cookie: 'session=1' } })
  assert.match(String(withCookie.headers['cache-status']), /detail=cookie/)
  await get(`${relais.url}/seg1.ts`)
  const { headers } = await get(`${relais.url}/seg1.ts`)
  assert.match(String(headers['cache-status']), /; hit/)
})

test('an error of the origin does not keep the key from being shared a second later', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'sorry', {}, 500))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  assert.equal((await get(`${relais.url}/live.m3u8`)).status, 500)
  origin.answer((_request, response) =>
    reply(response, '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n'),
  )
  relais.clock.advance(1_000)
  assert.match(String((await get(`${relais.url}/live.m3u8`)).headers['cache-status']), /; stored/)
  assert.match(String((await get(`${relais.url}/live.m3u8`)).headers['cache-status']), /; hit/)
})

test('where cookies are dropped, a response that sets one is stored without it', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'segment', { ...FRESH, 'set-cookie': 'session=1' }),
  )
  const routes = [{ prefix: '/', origins: [origin.url], cookies: 'drop' }]
  const relais = await openTestRelais(t, { file: { routes } })
  const first = await get(`${relais.url}/seg1.ts`, { headers: { cookie: 'session=2' } })
  const second = await get(`${relais.url}/seg1.ts`)
  assert.equal(first.headers['set-cookie'], undefined)
  assert.equal(second.headers['set-cookie'], undefined)
  assert.match(String(second.headers['cache-status']), /; hit/)
  assert.equal(origin.asked[0]?.headers.cookie, undefined)
})

test('a stored response with a cookie that is for all loses the cookie', async (t) => {
  const headers = { 'cache-control': 'public, max-age=60', 'set-cookie': 'session=1' }
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment', headers))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  const { headers: came } = await get(`${relais.url}/seg1.ts`)
  assert.match(String(came['cache-status']), /; hit/)
  assert.equal(came['set-cookie'], undefined)
})

test('who leaves what may not be stored ends the transfer at the origin, though that is silent', async (t) => {
  const gone = Promise.withResolvers<void>()
  const origin = await openOrigin(t, (_request, response) => {
    response.on('close', gone.resolve)
    response.writeHead(200, { 'cache-control': 'no-store' })
    response.write('first')
  })
  const relais = await openTestRelais(t, {
    origins: [origin.url],
    file: { upstream: { idleTimeout: '10m' } },
  })
  const viewer = openViewer(`${relais.url}/seg1.ts`)
  await viewer.reached(5)
  viewer.leave()
  await gone.promise
  await settled(relais)
})
