/** What was to be fetched for a viewer who has gone elsewhere is fetched for nobody, unless others come to it. */
import assert from 'node:assert/strict'
import { Agent, request as httpRequest, type ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { Followers } from '../../src/cache/prefetch/followers.ts'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { idle, isHit, vod } from './support/ahead.ts'

const LASTING = { 'cache-control': 'max-age=600' }

interface Scene {
  readonly origin: TestOrigin
  readonly relais: TestRelais
  /** Segments that the origin has begun to answer and holds back, by their path. */
  readonly held: Map<string, ServerResponse>
  /** Those whose request was given up by who asked. */
  readonly givenUp: Set<string>
}

/** One thing is fetched ahead at a time, and the origin holds `slow` segments: nothing of them comes, or `first` bytes. */
async function open(t: TestContext, slow: readonly number[], first = 0, size = 7): Promise<Scene> {
  const held = new Map<string, ServerResponse>()
  const givenUp = new Set<string>()
  const origin = await openOrigin(t, (request, response) => {
    const target = request.url ?? ''
    if (target.endsWith('.m3u8'))
      return reply(response, vod(40, target.includes('high') ? 'high' : 's'), LASTING)
    if (!slow.some((number) => target.endsWith(`/s${number}.ts`))) return reply(response, 'segment', LASTING)
    response.on('close', () => {
      if (!response.writableFinished) givenUp.add(target)
    })
    if (first > 0) {
      response.writeHead(200, { ...LASTING, 'content-length': String(size) })
      response.write(Buffer.alloc(first))
    }
    held.set(target, response)
  })
  const file = { prefetch: { segments: 4, share: 12 }, upstream: { connections: 8 } }
  const relais = await openTestRelais(t, { origins: [origin.url], file })
  await get(`${relais.url}/film/low.m3u8`)
  return { origin, relais, held, givenUp }
}

/** A viewer with one connection that he keeps, as one without CMCD is known by. */
function viewer(
  t: TestContext,
  relais: TestRelais,
  headers: Record<string, string> = {},
): (path: string) => Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  return (path) =>
    new Promise((resolve, reject) => {
      const asked = httpRequest(relais.url + path, { agent, headers }, (response) => {
        // What is fetched ahead is looked for in a turn of its own.
        response.resume().on('end', () => setImmediate(resolve))
      })
      asked.on('error', reject).end()
    })
}

function ofSession(path: string, sid: string): string {
  return `${path}?CMCD=${encodeURIComponent(`sid="${sid}"`)}`
}

test('who seeks has what waits for its turn dropped, what is under way given up, and what follows now fetched', async (t) => {
  const { origin, relais, held, givenUp } = await open(t, [1])
  const ask = viewer(t, relais)
  await ask('/film/s0.ts')
  await until(() => held.has('/film/s1.ts'), 'the first is under way')
  await ask('/film/s20.ts')
  await until(() => givenUp.has('/film/s1.ts'), 'the first is given up')
  await idle(relais)
  assert.deepEqual(
    origin.asked.slice(1).map(({ target }) => target),
    ['s0', 's1', 's20', 's21', 's22', 's23', 's24'].map((name) => `/film/${name}.ts`),
  )
  const { sent, used, wasted, refused } = (await relais.stats()).prefetch
  assert.deepEqual({ sent, used, wasted, refused }, { sent: 5, used: 0, wasted: 1, refused: 3 })
  assert.equal((await relais.stats()).origin.errors, 0, 'no fault of the origin')
})

for (const [name, value] of [
  ['via', '1.1 edge'],
  ['forwarded', 'for=192.0.2.1'],
  ['x-forwarded-for', '192.0.2.1'],
] as const) {
  test(`one connection of a proxy is of many viewers, and none of them gives up what is for another: ${name}`, async (t) => {
    const { origin, relais, held } = await open(t, [1])
    const ask = viewer(t, relais, { [name]: value })
    await ask('/film/s0.ts')
    await until(() => held.has('/film/s1.ts'), 'the first is under way')
    await ask('/film/s20.ts')
    const first = held.get('/film/s1.ts') ?? assert.fail('not under way')
    reply(first, 'segment', LASTING)
    await idle(relais)
    assert.deepEqual([origin.count('/film/s2.ts'), origin.count('/film/s21.ts')], [1, 1])
    assert.equal((await relais.stats()).prefetch.wasted, 0)
  })
}

test('a session is one viewer, whichever of its connections it asks by', async (t) => {
  const { origin, relais, held, givenUp } = await open(t, [1])
  await get(relais.url + ofSession('/film/s0.ts', 'a'))
  await until(() => held.has('/film/s1.ts'), 'the first is under way')
  await get(relais.url + ofSession('/film/s20.ts', 'a'))
  await until(() => givenUp.has('/film/s1.ts'), 'the first is given up')
  await idle(relais)
  assert.deepEqual([origin.count('/film/s2.ts'), origin.count('/film/s21.ts')], [0, 1])
})

test('who plays on has nothing dropped, nor has who asks for another rendition or another stream', async (t) => {
  const { origin, relais, held, givenUp } = await open(t, [1])
  const ask = viewer(t, relais)
  await get(`${relais.url}/film/high.m3u8`)
  await get(`${relais.url}/other/low.m3u8`)
  await ask('/film/s0.ts')
  await until(() => held.has('/film/s1.ts'), 'the first is under way')
  for (const path of ['/film/s0.ts', '/film/high0.ts', '/other/s9.ts', '/film/low.m3u8']) await ask(path)
  const answer = held.get('/film/s1.ts')
  if (answer !== undefined) reply(answer, 'segment', LASTING)
  await idle(relais)
  for (const number of [1, 2, 3, 4]) assert.equal(origin.count(`/film/s${number}.ts`), 1, `s${number}`)
  assert.deepEqual([givenUp.size, (await relais.stats()).prefetch.refused], [0, 0])
})

test('what others come to stays on its way when one of them seeks, and goes when the last of them does', async (t) => {
  const { origin, relais, held, givenUp } = await open(t, [1])
  const [one, other] = [viewer(t, relais), viewer(t, relais)]
  await one('/film/s0.ts')
  await until(() => held.has('/film/s1.ts'), 'the first is under way')
  // Within five seconds of the first: what comes next is known, and not looked for again.
  await other('/film/s0.ts')
  await one('/film/s20.ts')
  assert.equal(givenUp.size, 0)
  await other('/film/s20.ts')
  await until(() => givenUp.has('/film/s1.ts'), 'the first is given up')
  await idle(relais)
  assert.equal(origin.count('/film/s2.ts'), 0)
})

test('what a viewer waits for is not given up, whoever seeks', async (t) => {
  const { relais, held, givenUp } = await open(t, [1])
  const ask = viewer(t, relais)
  await ask(ofSession('/film/s0.ts', 'a'))
  await until(() => held.has('/film/s1.ts'), 'the first is under way')
  const waiting = get(`${relais.url}/film/s1.ts`)
  await until(async () => (await relais.stats()).waiting === 2, 'he waits')
  await ask(ofSession('/film/s20.ts', 'a'))
  await until(async () => (await relais.stats()).prefetch.refused === 3, 'what waited is dropped')
  const answer = held.get('/film/s1.ts')
  if (answer !== undefined) reply(answer, 'segment', LASTING)
  assert.equal((await waiting).body.toString(), 'segment')
  await idle(relais)
  assert.deepEqual([givenUp.size, (await relais.stats()).prefetch.wasted], [0, 0])
})

for (const { name, first, isGivenUp } of [
  { name: 'half of which has come is finished', first: 5_000_000, isGivenUp: false },
  { name: 'most of which is to come is given up', first: 1_000_000, isGivenUp: true },
]) {
  test(`a body ${name} when its viewer seeks`, async (t) => {
    const size = 8_000_000
    const { relais, held, givenUp } = await open(t, [1], first, size)
    const ask = viewer(t, relais)
    await ask('/film/s0.ts')
    await until(async () => (await relais.stats()).bytes.fromOrigin >= first, 'a part of it has come')
    await ask('/film/s20.ts')
    const answer = held.get('/film/s1.ts') ?? assert.fail('it is not under way')
    // A viewer who seeks may come back at once: for a second it goes on.
    answer.write(Buffer.alloc(1_000))
    await until(async () => (await relais.stats()).bytes.fromOrigin >= first + 1_000, 'it goes on')
    relais.clock.advance(1_500)
    answer.write(Buffer.alloc(1_000))
    if (isGivenUp) await until(() => givenUp.has('/film/s1.ts'), 'it is given up')
    else answer.end(Buffer.alloc(size - first - 2_000))
    await idle(relais)
    assert.deepEqual(
      [givenUp.has('/film/s1.ts'), (await relais.stats()).prefetch.wasted],
      [isGivenUp, isGivenUp ? 1 : 0],
    )
    assert.equal(
      isHit(await get(`${relais.url}/film/s1.ts`, { headers: { 'cache-control': 'only-if-cached' } })),
      !isGivenUp,
    )
  })
}

test('what is on its way is neither used nor wasted until it has come', async (t) => {
  const { relais, held } = await open(t, [1], 3)
  await get(`${relais.url}/film/s0.ts`)
  await until(() => held.has('/film/s1.ts'), 'it is under way')
  await until(async () => (await relais.stats()).bytes.fromOrigin >= 10, 'its head has come')
  assert.equal((await relais.stats()).prefetch.wasted, 0)
  held.get('/film/s1.ts')?.end(Buffer.alloc(4))
  await idle(relais)
  assert.ok(isHit(await get(`${relais.url}/film/s1.ts`)))
  assert.deepEqual([(await relais.stats()).prefetch.used, (await relais.stats()).prefetch.wasted], [1, 0])
})

test('of what so many come to that some will no more is kept than that, and of what has come nothing', () => {
  const followers = new Followers()
  for (let viewer = 0; viewer < 10_000; viewer++) followers.follow(`${viewer}`, 'low', 's0', ['s1', 's2'])
  for (let viewer = 0; viewer < 10_000; viewer++)
    assert.deepEqual(followers.follow(`${viewer}`, 'low', 's20', []), [])
  followers.done('s1')
  followers.done('s2')
  followers.follow('a', 'low', 's0', ['s1', 's2'])
  assert.deepEqual(followers.follow('a', 'low', 's1', ['s2', 's3']), ['s1'])
  followers.done('s2')
  assert.deepEqual(followers.follow('a', 'low', 's9', ['s10']), ['s3'])
  followers.add('b', 'low', 's9', ['s10'])
  assert.deepEqual(followers.follow('a', 'low', 's30', []), [])
  followers.forMany('s10')
  assert.deepEqual(followers.follow('b', 'low', 's30', []), [])
})
