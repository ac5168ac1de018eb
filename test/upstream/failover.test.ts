/** Several origins of one route: the next is asked when one fails, and the one that failed is left alone for a while. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'

const FRESH = { 'cache-control': 'max-age=60' }
const IMPATIENT = { connectTimeout: '500ms', headTimeout: '300ms', penalty: '10s' }
/** Nothing listens there, and nobody may without being root. */
const REFUSING = 'http://127.0.0.1:1'

function serve(origin: TestOrigin, status: number, body: string): void {
  origin.answer((_request, response) => reply(response, body, status === 200 ? FRESH : {}, status))
}

async function bodyOf(relais: TestRelais, path: string): Promise<string> {
  return String((await get(relais.url + path)).body)
}

for (const status of [502, 503, 504]) {
  test(`an origin that answers ${status} has the next one asked`, async (t) => {
    const first = await openOrigin(t, (_request, response) => reply(response, 'sorry', {}, status))
    const second = await openOrigin(t, (_request, response) => reply(response, 'second', FRESH))
    const relais = await openTestRelais(t, { origins: [first.url, second.url] })
    const answer = await get(`${relais.url}/seg1.ts`)
    assert.equal(answer.status, 200)
    assert.equal(String(answer.body), 'second')
    assert.equal(first.count(), 1)
    assert.equal((await settled(relais)).memory.entries, 1)
  })
}

for (const status of [404, 500, 403]) {
  test(`an origin that answers ${status} speaks of the resource, and no other one is asked`, async (t) => {
    const first = await openOrigin(t, (_request, response) => reply(response, 'no', {}, status))
    const second = await openOrigin(t, (_request, response) => reply(response, 'second', FRESH))
    const relais = await openTestRelais(t, { origins: [first.url, second.url] })
    assert.equal((await get(`${relais.url}/seg1.ts`)).status, status)
    assert.equal(second.count(), 0)
  })
}

test('an origin that refuses has the next one asked', async (t) => {
  const second = await openOrigin(t, (_request, response) => reply(response, 'second', FRESH))
  const relais = await openTestRelais(t, { origins: [REFUSING, second.url] })
  assert.equal(await bodyOf(relais, '/seg1.ts'), 'second')
  const [route] = (await relais.stats()).routes
  assert.deepEqual(
    route?.origins.map(({ requests, errors, penalisedUntil }) => [
      requests,
      errors,
      penalisedUntil !== undefined,
    ]),
    [
      [1, 1, true],
      [1, 0, false],
    ],
  )
})

test('an origin that is silent before its head has the next one asked', async (t) => {
  const first = await openOrigin(t, () => undefined)
  const second = await openOrigin(t, (_request, response) => reply(response, 'second', FRESH))
  const relais = await openTestRelais(t, { origins: [first.url, second.url], file: { upstream: IMPATIENT } })
  assert.equal(await bodyOf(relais, '/seg1.ts'), 'second')
})

test('an origin that failed is asked last until its penalty ends, and first again after that', async (t) => {
  const first = await openOrigin(t, (_request, response) => reply(response, 'sorry', {}, 503))
  const second = await openOrigin(t, (_request, response) => reply(response, 'second', FRESH))
  const relais = await openTestRelais(t, { origins: [first.url, second.url], file: { upstream: IMPATIENT } })
  assert.equal(await bodyOf(relais, '/seg1.ts'), 'second')
  serve(first, 200, 'first')
  relais.clock.advance(9_999)
  assert.equal(await bodyOf(relais, '/seg2.ts'), 'second')
  assert.equal(first.count(), 1)
  relais.clock.advance(1)
  assert.equal(await bodyOf(relais, '/seg3.ts'), 'first')
  assert.equal(first.count(), 2)
})

test('a penalised origin is still asked when no other one answers', async (t) => {
  const first = await openOrigin(t, (_request, response) => reply(response, 'sorry', {}, 503))
  const second = await openOrigin(t, (_request, response) => reply(response, 'second', FRESH))
  const relais = await openTestRelais(t, { origins: [first.url, second.url], file: { upstream: IMPATIENT } })
  await get(`${relais.url}/seg1.ts`)
  serve(first, 200, 'first')
  await second.close()
  assert.equal(await bodyOf(relais, '/seg2.ts'), 'first')
})

test('when all fail the viewer is told of the last', async (t) => {
  const first = await openOrigin(t, (_request, response) => reply(response, 'first', {}, 503))
  const second = await openOrigin(t, (_request, response) => reply(response, 'second', {}, 504))
  const answered = await openTestRelais(t, { origins: [first.url, second.url] })
  const last = await get(`${answered.url}/seg1.ts`)
  assert.equal(last.status, 504)
  assert.equal(String(last.body), 'second')
  const refused = await openTestRelais(t, { origins: [first.url, REFUSING] })
  const none = await get(`${refused.url}/seg1.ts`)
  assert.equal(none.status, 502)
  assert.equal(JSON.parse(String(none.body)).error, 'CONNECTION_REFUSED')
  assert.match(String(none.headers['proxy-status']), /next-hop="127.0.0.1:1"/)
})

test('what passes goes to the next origin as well', async (t) => {
  const second = await openOrigin(t, (_request, response) =>
    reply(response, 'mine', { 'cache-control': 'private' }),
  )
  const relais = await openTestRelais(t, {
    origins: [REFUSING, second.url],
    file: { upstream: { penalty: 0 } },
  })
  for (let viewer = 0; viewer < 3; viewer++) assert.equal(await bodyOf(relais, '/seg1.ts'), 'mine')
  assert.equal((await get(`${relais.url}/seg1.ts`, { method: 'HEAD' })).status, 200)
})

test('a viewer who leaves is no fault of the origin', async (t) => {
  const first = await openOrigin(t, () => undefined)
  const second = await openOrigin(t, (_request, response) => reply(response, 'second', FRESH))
  const relais = await openTestRelais(t, { origins: [first.url, second.url] })
  const leaving = new AbortController()
  const left = get(`${relais.url}/seg1.ts`, { signal: leaving.signal })
  await first.reached(1)
  leaving.abort()
  await assert.rejects(left)
  await settled(relais)
  const [route] = (await relais.stats()).routes
  assert.deepEqual(
    route?.origins.map(({ penalisedUntil, errors }) => [penalisedUntil, errors]),
    [
      [undefined, 0],
      [undefined, 0],
    ],
  )
  assert.equal(second.count(), 0)
})

test('a mark on one route does not reach the other', async (t) => {
  const first = await openOrigin(t, (request, response) =>
    request.url?.startsWith('/a/') ? reply(response, 'sorry', {}, 503) : reply(response, 'first', FRESH),
  )
  const second = await openOrigin(t, (_request, response) => reply(response, 'second', FRESH))
  const routes = ['a', 'b'].map((name) => ({
    prefix: `/${name}/`,
    origins: [`${first.url}/${name}/`, `${second.url}/${name}/`],
  }))
  const relais = await openTestRelais(t, { file: { routes } })
  assert.equal(await bodyOf(relais, '/a/seg1.ts'), 'second')
  assert.equal(await bodyOf(relais, '/b/seg1.ts'), 'first')
})

for (const [retryAfter, penaltyMs] of [
  ['30', 30_000],
  ['1', 1_000],
  ['3600', 60_000],
  ['Thu, 01 Jan 2026 00:00:20 GMT', 20_000],
  ['soon', 10_000],
] as const) {
  test(`an origin that answers 503 with Retry-After: ${retryAfter} is asked last for ${penaltyMs} ms`, async (t) => {
    const first = await openOrigin(t, (_request, response) =>
      reply(response, 'sorry', { 'retry-after': retryAfter }, 503),
    )
    const second = await openOrigin(t, (_request, response) => reply(response, 'second', FRESH))
    const relais = await openTestRelais(t, {
      origins: [first.url, second.url],
      file: { upstream: IMPATIENT },
    })
    assert.equal(await bodyOf(relais, '/seg1.ts'), 'second')
    serve(first, 200, 'first')
    relais.clock.advance(penaltyMs - 1)
    assert.equal(await bodyOf(relais, '/seg2.ts'), 'second')
    relais.clock.advance(1)
    assert.equal(await bodyOf(relais, '/seg3.ts'), 'first')
  })
}

test('fifty viewers of one thing of an overloaded origin make one request: one gets its page, the others its failure', async (t) => {
  const held = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    await held.opened
    reply(response, 'overloaded', { 'retry-after': '7' }, 503)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const asked = Array.from({ length: 50 }, () => get(`${relais.url}/seg1.ts`))
  await until(async () => (await relais.stats()).waiting === 50, 'all have asked')
  held.open()
  const answers = await Promise.all(asked)
  assert.equal(origin.count(), 1)
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [503])
  assert.equal(answers.filter(({ body }) => String(body) === 'overloaded').length, 1)
  const others = answers.filter(({ body }) => String(body) !== 'overloaded')
  for (const { headers, body } of others) {
    assert.equal(JSON.parse(String(body)).error, 'DESTINATION_UNAVAILABLE')
    assert.match(String(headers['proxy-status']), /received-status=503/)
    assert.equal(headers['retry-after'], '7')
  }
})
