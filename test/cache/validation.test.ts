/** What happens when a stored response is no longer fresh: asked for once, renewed, replaced, or used all the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

function cacheStatus(answer: { readonly headers: NodeJS.Dict<string | string[]> }): string {
  return String(answer.headers['cache-status'])
}

test('a stale response is validated by its ETag, and a 304 renews its head and keeps its body', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'segment', { etag: '"1"', 'cache-control': 'max-age=10' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  relais.clock.advance(11_000)
  origin.answer((_request, response) =>
    response.writeHead(304, { etag: '"1"', 'cache-control': 'max-age=100' }).end(),
  )
  const renewed = await get(`${relais.url}/seg1.ts`)
  assert.equal(renewed.status, 200)
  assert.equal(String(renewed.body), 'segment')
  assert.equal(renewed.headers.age, '0')
  assert.match(cacheStatus(renewed), /fwd=stale; fwd-status=304/)
  assert.equal(origin.asked[1]?.headers['if-none-match'], '"1"')
  relais.clock.advance(50_000)
  const hit = await get(`${relais.url}/seg1.ts`)
  assert.match(cacheStatus(hit), /; hit; ttl=50/)
  assert.equal(hit.headers.age, '50')
  assert.equal(hit.headers['cache-control'], 'max-age=100')
  assert.equal(String(hit.body), 'segment')
  assert.equal(origin.count(), 2)
})

test('a stale response without an ETag is validated by its date', async (t) => {
  const modified = 'Wed, 01 Jan 2025 00:00:00 GMT'
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'segment', { 'last-modified': modified, 'cache-control': 'max-age=10' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  relais.clock.advance(11_000)
  origin.answer((_request, response) => response.writeHead(304).end())
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'segment')
  assert.equal(origin.asked[1]?.headers['if-modified-since'], modified)
  assert.equal(origin.asked[1]?.headers['if-none-match'], undefined)
})

test('a stale response without a validator is asked for without a condition', async (t) => {
  let made = 0
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, `segment ${++made}`, { 'cache-control': 'max-age=10' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  relais.clock.advance(11_000)
  const anew = await get(`${relais.url}/seg1.ts`)
  assert.equal(String(anew.body), 'segment 2')
  assert.match(cacheStatus(anew), /fwd=stale; fwd-status=200; stored; ttl=10/)
  assert.equal(origin.asked[1]?.headers['if-none-match'], undefined)
  assert.equal(origin.asked[1]?.headers['if-modified-since'], undefined)
})

test('a validation that does not hold replaces the stored response', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'old', { etag: '"1"', 'cache-control': 'max-age=10' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  relais.clock.advance(11_000)
  origin.answer((_request, response) =>
    reply(response, 'new', { etag: '"2"', 'cache-control': 'max-age=10' }),
  )
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'new')
  const hit = await get(`${relais.url}/seg1.ts`)
  assert.match(cacheStatus(hit), /; hit/)
  assert.equal(String(hit.body), 'new')
  assert.equal((await settled(relais)).memory.entries, 1)
})

test('many viewers of a stale response cost one validation', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'segment', { etag: '"1"', 'cache-control': 'max-age=10' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  relais.clock.advance(11_000)
  const head = barrier()
  origin.answer(async (_request, response) => {
    await head.opened
    response.writeHead(304, { etag: '"1"', 'cache-control': 'max-age=10' }).end()
  })
  const viewers = Array.from({ length: 20 }, () => openViewer(`${relais.url}/seg1.ts`))
  await origin.reached(2)
  await until(async () => (await relais.stats()).viewers === 20, 'all are connected')
  head.open()
  for (const { answer } of viewers) assert.equal(String((await answer).body), 'segment')
  assert.equal(origin.count(), 2)
  await settled(relais)
})

test('a 304 that speaks of another representation is not believed, and the response is asked for anew', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'old', { etag: '"1"', 'cache-control': 'max-age=10' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  relais.clock.advance(11_000)
  origin.answer((request, response) => {
    if (request.headers['if-none-match'] !== undefined) response.writeHead(304, { etag: '"2"' }).end()
    else reply(response, 'new', { etag: '"2"', 'cache-control': 'max-age=10' })
  })
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'new')
  assert.equal(origin.count(), 3)
})

test('a 304 that forbids storing is the last answer from the store', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'segment', { etag: '"1"', 'cache-control': 'max-age=10' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  relais.clock.advance(11_000)
  origin.answer((_request, response) =>
    response.writeHead(304, { etag: '"1"', 'cache-control': 'no-store' }).end(),
  )
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'segment')
  assert.equal((await settled(relais)).memory.entries, 0)
  origin.answer((_request, response) => reply(response, 'mine', { 'cache-control': 'no-store' }))
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'mine')
})

test('stale-while-revalidate is served at once and validated once behind it', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'old', { etag: '"1"', 'cache-control': 'max-age=10, stale-while-revalidate=60' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  relais.clock.advance(20_000)
  const head = barrier()
  origin.answer(async (_request, response) => {
    await head.opened
    reply(response, 'new', { etag: '"2"', 'cache-control': 'max-age=10' })
  })
  for (let viewer = 0; viewer < 5; viewer++) {
    const stale = await get(`${relais.url}/seg1.ts`)
    assert.equal(String(stale.body), 'old')
    assert.match(cacheStatus(stale), /; hit; ttl=-10; detail=stale-while-revalidate/)
  }
  head.open()
  const { requests } = await settled(relais)
  assert.equal(requests.stale, 5)
  const hit = await get(`${relais.url}/seg1.ts`)
  assert.equal(String(hit.body), 'new')
  assert.match(cacheStatus(hit), /; hit; ttl=10/)
  assert.equal(origin.count(), 2)
})

test('beyond stale-while-revalidate the viewer waits for the validation', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'old', { etag: '"1"', 'cache-control': 'max-age=10, stale-while-revalidate=60' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  relais.clock.advance(70_000)
  origin.answer((_request, response) => reply(response, 'new', { 'cache-control': 'max-age=10' }))
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'new')
})

test('a validation behind a stale answer that fails is logged and harms nobody', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'old', { etag: '"1"', 'cache-control': 'max-age=10, stale-while-revalidate=60' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  relais.clock.advance(20_000)
  await origin.close()
  for (let viewer = 0; viewer < 3; viewer++) {
    assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'old')
    await settled(relais)
  }
  assert.ok(relais.log.some(({ msg }) => msg === 'a validation failed'))
})

for (const status of [500, 502, 503, 504]) {
  test(`a stale response stands in for an origin that answers ${status}, for every viewer`, async (t) => {
    const origin = await openOrigin(t, (_request, response) =>
      reply(response, 'old', { 'cache-control': 'max-age=10, stale-if-error=600' }),
    )
    const relais = await openTestRelais(t, { origins: [origin.url] })
    await get(`${relais.url}/seg1.ts`)
    relais.clock.advance(20_000)
    origin.answer((_request, response) => reply(response, 'sorry', {}, status))
    for (let viewer = 0; viewer < 3; viewer++) {
      const stale = await get(`${relais.url}/seg1.ts`)
      assert.equal(stale.status, 200)
      assert.equal(String(stale.body), 'old')
      assert.equal(stale.headers.age, '20')
      assert.match(cacheStatus(stale), /; hit; ttl=-10; detail=stale-if-error/)
    }
    relais.clock.advance(600_000)
    assert.equal((await get(`${relais.url}/seg1.ts`)).status, status)
    assert.equal((await settled(relais)).requests.stale, 3)
  })
}

test('a stale response stands in for an origin that refuses', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'old', { 'cache-control': 'max-age=10, stale-if-error=600' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  relais.clock.advance(20_000)
  await origin.close()
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'old')
  relais.clock.advance(600_000)
  assert.equal((await get(`${relais.url}/seg1.ts`)).status, 502)
})

test('a stale response stands in for an origin that is silent, for all who wait', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'old', { 'cache-control': 'max-age=10, stale-if-error=600' }),
  )
  const upstream = { headTimeout: '300ms' }
  const relais = await openTestRelais(t, { origins: [origin.url], file: { upstream } })
  await get(`${relais.url}/seg1.ts`)
  relais.clock.advance(20_000)
  origin.answer(() => undefined)
  const answers = await Promise.all([get(`${relais.url}/seg1.ts`), get(`${relais.url}/seg1.ts`)])
  assert.deepEqual(
    answers.map(({ body }) => String(body)),
    ['old', 'old'],
  )
})

for (const [directives, isStale] of [
  ['max-age=10', true],
  ['max-age=10, must-revalidate', false],
  ['max-age=10, proxy-revalidate', false],
  ['s-maxage=10', false],
  ['s-maxage=10, stale-if-error=600', true],
  ['no-cache', false],
] as const) {
  test(`when the origin is dead a segment with "${directives}" is ${isStale ? 'served stale' : 'an error'}`, async (t) => {
    const origin = await openOrigin(t, (_request, response) =>
      reply(response, 'old', { etag: '"1"', 'cache-control': directives }),
    )
    const relais = await openTestRelais(t, { origins: [origin.url] })
    await get(`${relais.url}/seg1.ts`)
    relais.clock.advance(20_000)
    await origin.close()
    const answer = await get(`${relais.url}/seg1.ts`)
    if (isStale) {
      assert.equal(String(answer.body), 'old')
    } else {
      assert.equal(answer.status, 502)
      assert.match(String(answer.headers['proxy-status']), /^test;error=connection_refused;next-hop=/)
      assert.equal(JSON.parse(String(answer.body)).error, 'CONNECTION_REFUSED')
    }
    await settled(relais)
  })
}

test('a response with no-cache is stored, and validated each time', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    if (request.headers['if-none-match'] === '"1"') response.writeHead(304, { etag: '"1"' }).end()
    else reply(response, 'segment', { etag: '"1"', 'cache-control': 'no-cache' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (let viewer = 0; viewer < 3; viewer++)
    assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'segment')
  assert.deepEqual(
    origin.asked.map(({ headers }) => headers['if-none-match']),
    [undefined, '"1"', '"1"'],
  )
})

test('only-if-cached is answered from store or with 504, and never asks the origin', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'segment', { 'cache-control': 'max-age=10' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const headers = { 'cache-control': 'only-if-cached' }
  const refused = await get(`${relais.url}/seg1.ts`, { headers })
  assert.equal(refused.status, 504)
  assert.equal(JSON.parse(String(refused.body)).error, 'ONLY_IF_CACHED')
  assert.equal(origin.count(), 0)
  await get(`${relais.url}/seg1.ts`)
  assert.equal((await get(`${relais.url}/seg1.ts`, { headers })).status, 200)
  relais.clock.advance(11_000)
  assert.equal((await get(`${relais.url}/seg1.ts`, { headers })).status, 504)
  assert.equal(origin.count(), 1)
})

for (const headers of [
  { 'cache-control': 'no-cache' },
  { 'cache-control': 'max-age=0' },
  { pragma: 'no-cache' },
]) {
  test(`a viewer's ${JSON.stringify(headers)} is ignored unless the route honours it`, async (t) => {
    const origin = await openOrigin(t, (request, response) => {
      if (request.headers['if-none-match'] === '"1"') response.writeHead(304, { etag: '"1"' }).end()
      else reply(response, 'segment', { etag: '"1"', 'cache-control': 'max-age=60' })
    })
    const routes = [
      { prefix: '/', origins: [origin.url] },
      { prefix: '/strict/', origins: [`${origin.url}/strict/`], requestDirectives: 'honour' },
    ]
    const relais = await openTestRelais(t, { file: { routes } })
    for (const path of ['/seg1.ts', '/strict/seg1.ts']) await get(relais.url + path)
    const ignored = await get(`${relais.url}/seg1.ts`, { headers })
    assert.match(cacheStatus(ignored), /; hit/)
    assert.equal(origin.count(), 2)
    const honoured = await get(`${relais.url}/strict/seg1.ts`, { headers })
    assert.match(cacheStatus(honoured), /fwd=request; fwd-status=304/)
    assert.equal(origin.count(), 3)
    assert.equal(origin.asked[2]?.headers['if-none-match'], '"1"')
  })
}

test('a fill for everyone carries no directives of the viewer who caused it', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment'))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`, { headers: { 'cache-control': 'no-cache', pragma: 'no-cache' } })
  assert.equal(origin.asked[0]?.headers['cache-control'], undefined)
  assert.equal(origin.asked[0]?.headers.pragma, undefined)
})
