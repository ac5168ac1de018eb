/** What a player says that it will ask for next is fetched as far as it would be without its word, and counted so. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { MIB, openFilmOrigin } from '../support/film.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { idle, isHit, ON, openVod } from './support/ahead.ts'

function inQuery(path: string, cmcd: string): string {
  return `${path}?CMCD=${encodeURIComponent(cmcd)}`
}

/** So many reports have been read, and what follows from them has come. */
async function heard(relais: TestRelais, reports: number): Promise<void> {
  await until(async () => (await relais.stats()).cmcd.reports === reports, `${reports} reports are read`)
  await idle(relais)
}

for (const { name, path, headers } of [
  { name: 'version 1 in the query', path: inQuery('/film/a1.ts', 'nor="..%2Ffilm%2Fa2.ts",sid="x"') },
  { name: 'version 2 in the query', path: inQuery('/film/a1.ts', 'nor=("a2.ts" "a3.ts"),sid="x",v=2') },
  { name: 'headers', path: '/film/a1.ts', headers: { 'cmcd-request': 'nor="a2.ts"' } },
  {
    name: 'headers of version 2',
    path: '/film/a1.ts',
    headers: { 'cmcd-request': 'nor=("a2.ts")', 'cmcd-session': 'sid="x",v=2' },
  },
]) {
  test(`what a player names as next is in store when it asks: ${name}`, async (t) => {
    const origin = await openVod(t)
    const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
    await get(relais.url + path, { headers: headers ?? {} })
    await heard(relais, 1)
    assert.equal(origin.count('/film/a2.ts'), 1)
    assert.ok(isHit(await get(`${relais.url}/film/a2.ts`)))
    await idle(relais)
    const { sent, used, wasted } = (await relais.stats()).prefetch
    assert.deepEqual([sent, used, wasted], [name === 'version 2 in the query' ? 2 : 1, 1, 0])
    assert.equal(origin.count('/film/a2.ts'), 1)
  })
}

test('what a player named and nobody asked for was wasted', async (t) => {
  const origin = await openVod(t, { 'cache-control': 'max-age=10' })
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  await get(relais.url + inQuery('/film/a1.ts', 'nor="a2.ts"'))
  await heard(relais, 1)
  relais.clock.advance(11_000)
  assert.deepEqual((await relais.stats()).prefetch, { sent: 1, used: 0, wasted: 1, refused: 0 })
})

test('no player has anything fetched that leads elsewhere, is no media, or comes while it rests', async (t) => {
  const [origin, other] = [await openVod(t), await openVod(t)]
  const routes = [
    { prefix: '/', origins: [origin.url] },
    { prefix: '/other/', origins: [other.url] },
  ]
  const relais = await openTestRelais(t, { file: { ...ON, routes } })
  const paths = [
    `nor="${encodeURIComponent(`${other.url}/a2.ts`)}"`,
    `nor="%2F%2F${new URL(other.url).host}%2Fa2.ts"`,
    `nor=("\\\\\\\\${new URL(other.url).host}\\\\a2.ts"),v=2`,
    'nor="http%3A%2F%2F169.254.169.254%2Flatest%2Fa2.ts"',
    'nor="%2Fother%2Fa2.ts"',
    'nor=("..%2F..%2Fa2.ts"),v=2',
    'nor="%2F-%2Fa2.ts"',
    'nor="%2Fstats"',
    'nor="main.m3u8"',
    'nor="a.key"',
    'nor="login"',
    'nor="data%3A%2Ca.ts"',
    'nor="a2.ts",pr=0',
    'nor=("a2.ts"),sta=a,v=2',
    'nor="a2.ts",v=3',
    'nor="a2.ts",nrr="0-99"',
    'nor=("a2.ts";r="-99"),v=2',
  ]
  for (const cmcd of paths) await get(relais.url + inQuery('/film/a1.ts', cmcd))
  await heard(relais, paths.length - 1)
  assert.deepEqual([origin.asked.map(({ target }) => target), other.count()], [['/film/a1.ts'], 0])
})

test('of what a player names no more is fetched than would be fetched ahead', async (t) => {
  const origin = await openVod(t)
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  await get(relais.url + inQuery('/film/a1.ts', 'nor=("a2.ts" "a3.ts" "a4.ts" "a5.ts"),v=2'))
  await heard(relais, 1)
  assert.deepEqual(
    origin.asked
      .slice(1)
      .map(({ target }) => target)
      .toSorted(),
    ['/film/a2.ts', '/film/a3.ts'],
  )
})

test('a POST or a HEAD has nothing fetched, whatever its player says', async (t) => {
  const origin = await openVod(t)
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  for (const method of ['POST', 'HEAD']) {
    await get(relais.url + inQuery('/film/a1.ts', 'nor="a2.ts"'), { method })
  }
  await heard(relais, 2)
  assert.equal(origin.count('/film/a2.ts'), 0)
})

test('nothing is fetched on the word of players where fetching ahead is turned off', async (t) => {
  const origin = await openVod(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(relais.url + inQuery('/film/a1.ts', 'nor="a2.ts"'))
  await heard(relais, 1)
  assert.equal(origin.count(), 1)
})

test('a player may name a file with its own query, or with none, and with no other', async (t) => {
  const origin = await openVod(t)
  const relais = await openTestRelais(t, { origins: [origin.url], file: { prefetch: { segments: 8 } } })
  const names = ['a2.ts', 'a3.ts?t=1', 'a4.ts?t=2', 'a5.ts?', 'a6.ts?t=1&x', 'a7.ts?t=1#x']
  const listed = names.map((name) => `"${name}"`).join(' ')
  await get(`${relais.url}/film/a1.ts?t=1&CMCD=${encodeURIComponent(`nor=(${listed}),v=2`)}`)
  await heard(relais, 1)
  assert.deepEqual(
    origin.asked.slice(1).map(({ target }) => target),
    ['/film/a2.ts', '/film/a3.ts?t=1'],
  )
})

test('when players have named hundreds of files that nobody asks for no more are fetched, until they are stale', async (t) => {
  const origin = await openVod(t, { 'cache-control': 'max-age=10' })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { prefetch: { segments: 8 } } })
  const name = async (turn: number): Promise<void> => {
    const names = Array.from({ length: 8 }, (_, index) => `"b${turn}-${index}.ts"`)
    await get(relais.url + inQuery('/film/a1.ts', `nor=(${names.join(' ')}),v=2`))
    await heard(relais, turn)
  }
  for (let turn = 1; turn <= 66; turn++) await name(turn)
  assert.deepEqual((await relais.stats()).prefetch, { sent: 512, used: 0, wasted: 0, refused: 16 })
  await get(`${relais.url}/film/b1-0.ts`)
  relais.clock.advance(11_000)
  await name(67)
  assert.deepEqual((await relais.stats()).prefetch, { sent: 520, used: 1, wasted: 511, refused: 16 })
})

test('players cannot fill the line of what is fetched ahead', async (t) => {
  const held: (() => void)[] = []
  const origin = await openOrigin(t, (request, response) => {
    const answer = (): void => reply(response, 'segment', { 'cache-control': 'max-age=60' })
    if (request.url?.includes('/next')) held.push(answer)
    else answer()
  })
  const file = { prefetch: { segments: 10, share: 1 } }
  const relais = await openTestRelais(t, { origins: [origin.url], file })
  for (let turn = 0; turn < 40; turn++) {
    const names = Array.from({ length: 8 }, (_, index) => `"next${turn}-${index}.ts"`)
    await get(relais.url + inQuery('/film/a1.ts', `nor=(${names.join(' ')}),sid="${turn}",v=2`))
  }
  await until(async () => (await relais.stats()).cmcd.reports === 40, 'all are read')
  const { sent, refused } = (await relais.stats()).prefetch
  // One is under way, 128 wait; half of the line stays free for what manifests say.
  assert.deepEqual([sent, refused], [1, 40 * 8 - 129])
  for (const answer of held.splice(0)) answer()
})

for (const [name, cmcd] of [
  ['version 1', 'nor="film.mp4",nrr="6291456-6391455"'],
  ['version 2', 'nor=("film.mp4";r="6291456-6391455"),v=2'],
  ['counted from the end', 'nor=("film.mp4";r="-100000"),v=2'],
] as const) {
  test(`a range that a player names is fetched where the film lies in slices: ${name}`, async (t) => {
    const origin = await openFilmOrigin(t, { size: 8 * MIB, fields: { 'cache-control': 'max-age=600' } })
    const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
    await get(relais.url + inQuery('/film.mp4', cmcd), { headers: { range: 'bytes=0-99' } })
    await heard(relais, 1)
    const last = await get(`${relais.url}/film.mp4`, { headers: { range: 'bytes=6291456-6391455' } })
    assert.deepEqual([last.status, isHit(last), last.body.byteLength], [206, true, 100_000])
    await idle(relais)
    assert.deepEqual(origin.ranges.slice(0, 2), ['bytes=0-2097151', 'bytes=6291456-8388607'])
    const { used, wasted } = (await relais.stats()).prefetch
    assert.deepEqual([used, wasted], [1, 0])
  })
}

test('what the origin names as next counts as used when it is asked for', async (t) => {
  const origin = await openVod(t, {
    'cmsd-static': 'nor="..%2Ffilm%2Fnext.ts"',
    'cache-control': 'max-age=9',
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  await get(`${relais.url}/film/first.ts`)
  await idle(relais)
  assert.ok(isHit(await get(`${relais.url}/film/next.ts`)))
  await idle(relais)
  assert.deepEqual((await relais.stats()).prefetch, { sent: 1, used: 1, wasted: 0, refused: 0 })
})
