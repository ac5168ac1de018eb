/** The request line reaches the origin as the viewer wrote it, while the cache key keeps only what counts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'

const FRESH = { 'cache-control': 'max-age=60' }

test('paths and queries reach the origin byte for byte', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment', FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const targets = [
    '/a%2Fb/%7euser/seg%201.ts',
    '/a%2fb/~user/seg1.ts',
    '/seg1.ts?Signature=a%2Bb%2Fc%3D%3D&Expires=9&Key-Pair-Id=K',
    '/seg1.ts?z=1&a=2&m=3&a=1',
    '/seg1.ts?a=b=c&&d&=e&',
    '/seg1.ts?',
    '//double//slash.ts',
    '/a;v=1,2/(x)/seg!$1.ts',
    "/seg'1'.ts?q=[1]{2}|^`",
  ]
  for (const target of targets) assert.equal((await get(relais.url + target)).status, 200, target)
  assert.deepEqual(
    origin.asked.map(({ target }) => target),
    targets,
  )
})

test('what speaks of the player, and what the route says, does not make another key', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment', FRESH))
  const routes = [{ prefix: '/', origins: [origin.url], ignoreQuery: ['token'] }]
  const relais = await openTestRelais(t, { file: { routes } })
  await get(`${relais.url}/seg1.ts?b=2&a=1&token=one&CMCD=bs`)
  for (const query of ['a=1&b=2', 'b=2&token=two&a=1', 'CMCD=x&a=1&b=2&_HLS_primary_id=9']) {
    const { headers } = await get(`${relais.url}/seg1.ts?${query}`)
    assert.match(String(headers['cache-status']), /; hit/, query)
  }
  for (const query of ['a=1', 'a=2&b=1', 'a=1&b=2&b=3', 'a=1&b=2&Token=one']) {
    const { headers } = await get(`${relais.url}/seg1.ts?${query}`)
    assert.match(String(headers['cache-status']), /fwd=uri-miss/, query)
  }
  assert.equal(origin.asked[0]?.target, '/seg1.ts?b=2&a=1&token=one')
})

test('what one player says of itself the origin does not hear where it is asked for all, and all else of the query stays', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment', FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const queries = [
    ['CMCD=br%3D3200%2Cbs%2Csid%3D%226e2fb550%22&token=abc', '?token=abc'],
    ['token=a%2Bb==&CMCD=bs&z=1&a=CMCD=1', '?token=a%2Bb==&z=1&a=CMCD=1'],
    ['CMCD=bs&CMCD=su', ''],
    ['cmcd=bs&xCMCD=1', '?cmcd=bs&xCMCD=1'],
    ['&&CMCD=bs&', '?&&'],
  ] as const
  for (const [index, [query]] of queries.entries()) await get(`${relais.url}/seg${index}.ts?${query}`)
  assert.deepEqual(
    origin.asked.map(({ target }) => target),
    queries.map(([, query], index) => `/seg${index}.ts${query}`),
  )
  // What is passed on is this viewer's own request.
  await get(`${relais.url}/seg9.ts?CMCD=bs`, { method: 'POST' })
  assert.equal(origin.asked.at(-1)?.target, '/seg9.ts?CMCD=bs')
})

test("the longest prefix takes a request, and the path of the origin's URL takes the place of the prefix", async (t) => {
  const vod = await openOrigin(t, (_request, response) => reply(response, 'vod', FRESH))
  const live = await openOrigin(t, (_request, response) => reply(response, 'live', FRESH))
  const sports = await openOrigin(t, (_request, response) => reply(response, 'sports', FRESH))
  const routes = [
    { prefix: '/', origins: [vod.url] },
    { prefix: '/live/', origins: [`${live.url}/channels/`] },
    { prefix: '/live/sports/', origins: [sports.url] },
  ]
  const relais = await openTestRelais(t, { file: { routes } })
  for (const [path, from] of [
    ['/film/seg1.ts?a=1', 'vod'],
    ['/live/news/seg1.ts?a=1', 'live'],
    ['/live/sports/one/seg1.ts?a=1', 'sports'],
    ['/lively/seg1.ts', 'vod'],
  ] as const) {
    assert.equal(String((await get(relais.url + path)).body), from)
  }
  assert.deepEqual(
    [vod, live, sports].map(({ asked }) => asked.map(({ target }) => target)),
    [['/film/seg1.ts?a=1', '/lively/seg1.ts'], ['/channels/news/seg1.ts?a=1'], ['/one/seg1.ts?a=1']],
  )
  const { routes: counted } = await relais.stats()
  assert.deepEqual(
    counted.map(({ prefix, requests }) => [prefix, requests.total]),
    [
      ['/', 2],
      ['/live/', 1],
      ['/live/sports/', 1],
    ],
  )
})

test('where no route leads there is 404', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'live', FRESH))
  const routes = [{ prefix: '/live/', origins: [origin.url] }]
  const relais = await openTestRelais(t, { file: { routes } })
  assert.equal((await get(`${relais.url}/vod/seg1.ts`)).status, 404)
  assert.equal(origin.count(), 0)
})

test('the origin is asked by its own name, with the traces of the way', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment', FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`, {
    headers: { host: 'cdn.example', via: '1.1 other', 'cdn-loop': 'other', 'x-forwarded-for': '192.0.2.1' },
  })
  const headers = origin.asked[0]?.headers
  assert.equal(headers?.host, new URL(origin.url).host)
  assert.equal(headers?.via, '1.1 other, 1.1 test')
  assert.equal(headers?.['cdn-loop'], 'other, test')
  assert.equal(headers?.['x-forwarded-for'], undefined)
})

test('a request that has been here before is refused', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment', FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const loop of ['test', 'other, test', 'test; v=1, other']) {
    const answer = await get(`${relais.url}/seg1.ts`, { headers: { 'cdn-loop': loop } })
    assert.equal(answer.status, 508, loop)
    assert.match(String(answer.headers['proxy-status']), /proxy_loop_detected/)
    assert.equal(JSON.parse(String(answer.body)).error, 'LOOP')
  }
  assert.equal(origin.count(), 0)
})

test('a loop through another Relais ends with 508', async (t) => {
  const first = await openTestRelais(t, { origins: ['http://127.0.0.1:1'] })
  const second = await openTestRelais(t, { origins: [first.url], file: { node: 'second' } })
  const third = await openTestRelais(t, { origins: [second.url], file: { node: 'test' } })
  // `third` bears the name of `first`: what reaches `first` has been there.
  assert.equal((await get(`${third.url}/seg1.ts`)).status, 508)
})
