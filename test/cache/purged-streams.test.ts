/** Purges and what is known of streams: nothing follows from a manifest that was purged, wherever it is on its way. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Cache } from '../../src/cache/cache.ts'
import { ManifestReader } from '../../src/cache/reading/manifest-reader.ts'
import { done, type Task } from '../../src/cache/reading/task.ts'
import { Streams } from '../../src/cache/streams.ts'
import { AddressBook } from '../../src/media/addresses/address-book.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { type Barrier, barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { testClock } from '../support/clock.ts'
import { filmBytes, MIB, openFilmOrigin } from '../support/film.ts'
import { purge } from '../support/operator.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { idle } from './support/ahead.ts'
import { requestOf, routeOf } from './support/route.ts'

const PLAYLIST = '/live/a.m3u8'
/** Of so many segments it is a thread's to read. */
const LONG = 12_000
const NEVER = new AbortController().signal

function live(first: number, name: string, segments = 3): string {
  const control =
    '#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3\n'
  const lines = Array.from({ length: segments }, (_, at) => `#EXTINF:4,\n${name}${first + at}.m4s\n`)
  return `#EXTM3U\n#EXT-X-TARGETDURATION:4\n${control}#EXT-X-MEDIA-SEQUENCE:${first}\n${lines.join('')}`
}

/** The same without low latency. */
function whole(first: number, name: string): string {
  return live(first, name).replace(/#EXT-X-(?:PART-INF|SERVER-CONTROL):.*\n/g, '')
}

/** Judges with one store, whose long manifests are read when the test lets them be. */
function stage(t: TestContext) {
  const store = new MemoryStore({ maxBytes: 16_000_000, maxEntryBytes: 4_000_000 })
  t.after(() => store.close())
  const clock = testClock()
  const book = new AddressBook([])
  const made = { says: live(0, 'old', LONG), reading: undefined as Barrier | undefined, read: 0, asked: 0 }
  const route = routeOf({
    source: {
      name: 'origin',
      fetch: async () => {
        made.asked++
        const fields = { 'cache-control': 'max-age=3600', 'surrogate-key': 'k' }
        const head = { status: 200, fields, requestedAt: clock.now(), receivedAt: clock.now() }
        const body = ReadableStream.from([Buffer.from(made.says)])
        return { head, from: 'origin', url: `http://origin${PLAYLIST}`, body, cancel: () => undefined }
      },
    },
  })
  const thread = {
    run: async ({ message }: { readonly message: unknown }): Promise<unknown> => {
      made.read++
      await made.reading?.opened
      return done(book, message as Task) // what the reader sends
    },
    close: async (): Promise<void> => undefined,
  }
  /** Begins to live, and knows nothing but what lies in store. */
  const begin = (): Cache =>
    new Cache({
      ...{ store, clock: clock.now, node: 'test', routes: [route], streams: new Streams(), addresses: book },
      slicing: { bytes: MIB, above: 8 * MIB },
      prefetching: { segments: 0, share: 25 },
      manifests: new ManifestReader(book, thread),
      routeOf: () => route,
      tallyOf: () => ({ sent: 0, used: 0, wasted: 0 }),
      onTrouble: () => undefined,
    })
  const ask = async (cache: Cache, target = PLAYLIST): Promise<string> => {
    const answer = await cache.answer(route, requestOf({}, 'GET', target), NEVER)
    assert.equal(answer.kind, 'stored')
    if (answer.kind !== 'stored') return ''
    return Buffer.concat(await Array.fromAsync(answer.stored.body.read())).toString()
  }
  return Object.assign(made, { clock, begin, ask })
}

const ORDERS = [
  { kind: 'url', values: [PLAYLIST], soft: false },
  { kind: 'prefix', values: ['/live/'], soft: false },
  { kind: 'tag', values: ['k'], soft: false },
  { kind: 'all', values: [], soft: false },
] as const

for (const order of ORDERS) {
  test(`a playlist that is purged while a thread reads it is shown to who asked before, and measures nobody after: ${order.kind}`, async (t) => {
    const house = stage(t)
    const cache = house.begin()
    // 1. It has come, and a thread reads it.
    const reading = barrier()
    house.reading = reading
    const before = house.ask(cache)
    await until(() => house.read === 1, 'it is being read')
    // 2. It is purged, and so much time goes by that exact purges are not remembered for their own sake.
    await cache.purges.issue(order)
    house.clock.advance(60_000)
    await cache.purges.issue({ kind: 'url', values: ['/other'], soft: false })
    // 3. It has been read.
    reading.open()
    assert.match(await before, /old0\.m4s/)
    // What comes next is far away from what was purged, and nobody is refused for that.
    const first = 3 * LONG
    house.says = live(first, 'new')
    assert.match(await house.ask(cache, `${PLAYLIST}?_HLS_msn=${first + 2}`), /new36000\.m4s/)
    assert.match(await house.ask(cache), /new36000\.m4s/)
    assert.equal(house.asked, 2)
  })

  test(`a playlist that is purged while it is recalled from store is not recalled: ${order.kind}`, async (t) => {
    const house = stage(t)
    await house.ask(house.begin())
    const cache = house.begin()
    // 1. It is met for the first time, and read.
    const reading = barrier()
    house.reading = reading
    const first = 3 * LONG
    const before = house.ask(cache, `${PLAYLIST}?_HLS_msn=${first + 2}`)
    await until(() => house.read === 2, 'it is being read')
    // 2. It is purged, deleted, and the purge would be long done with.
    await cache.purges.issue(order)
    house.clock.advance(60_000)
    await cache.purges.issue({ kind: 'url', values: ['/other'], soft: false })
    // 3. It has been read: what it says refuses nobody.
    house.says = live(first, 'new')
    reading.open()
    assert.match(await before, /new36000\.m4s/)
    assert.equal(house.asked, 2)
  })
}

test('what each kind of viewer was shown of a purged playlist is held against nothing that comes', async (t) => {
  let first = 10
  const other = (first: number, language = ''): string => live(first, `${language}-`)
  const varied = { vary: 'accept-language', 'cache-control': 'max-age=1' }
  const origins = await Promise.all(
    [() => first, () => 10].map((firstNow) =>
      openOrigin(t, (request, response) =>
        reply(response, other(firstNow(), request.headers['accept-language']), varied),
      ),
    ),
  )
  const relais = await openTestRelais(t, { origins: origins.map(({ url }) => url) })
  const read = async (language: string): Promise<string> =>
    (await get(relais.url + PLAYLIST, { headers: { 'accept-language': language } })).body.toString()
  for (const language of ['fr', 'de']) assert.equal(await read(language), other(10, language))
  first = 9
  await purge(relais.url, { url: PLAYLIST })
  for (const language of ['fr', 'de']) assert.equal(await read(language), other(9, language))
  assert.equal(origins[1]?.count(), 0, 'nothing says that the first lags behind')
})

test('a live playlist that is asked for anew behind a hit, and purged meanwhile, does not come back by a 304', async (t) => {
  const gate = barrier()
  let name = 'old'
  const origin = await openOrigin(t, async (request, response) => {
    const told = { 'cache-control': 'max-age=4', etag: `"${name}"` }
    if (request.headers['if-none-match'] !== '"old"') return reply(response, live(10, name), told)
    await gate.opened
    return reply(response, '', { 'cache-control': 'max-age=4', etag: '"old"' }, 304)
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { prefetch: { segments: 2 } } })
  const read = async (): Promise<string> => (await get(relais.url + PLAYLIST)).body.toString()
  await read()
  // 1. It is fresh still, and asked for anew behind this one.
  relais.clock.advance(3_900)
  assert.equal(await read(), live(10, 'old'))
  await origin.reached(2)
  // 2. It is purged.
  await purge(relais.url, { url: PLAYLIST })
  name = 'new'
  assert.equal(await read(), live(10, 'new'))
  // 3. The origin confirms what was purged.
  gate.open()
  await settled(relais)
  assert.equal(await read(), live(10, 'new'))
  assert.equal(origin.count(), 3)
})

test('a version that is held back for its segments, and purged meanwhile, goes to who asked before and no further', async (t) => {
  const gate = barrier()
  let [first, name] = [10, 'old']
  const origin = await openOrigin(t, async (request, response) => {
    if (request.url === PLAYLIST) return reply(response, whole(first, name), { 'cache-control': 'max-age=2' })
    if (request.url?.endsWith('old13.m4s')) await gate.opened
    return reply(response, 'segment', { 'cache-control': 'max-age=60' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { prefetch: { segments: 2 } } })
  const read = async (): Promise<string> => (await get(relais.url + PLAYLIST)).body.toString()
  await read()
  await get(`${relais.url}/live/old12.m4s`)
  // 1. A new version lists a segment that is on its way, and waits for it.
  relais.clock.advance(2_100)
  first = 11
  const before = read()
  await until(() => origin.count('/live/old13.m4s') === 1, 'the segment is on its way')
  // 2. It is purged, and the origin has another one.
  await purge(relais.url, { url: PLAYLIST })
  name = 'new'
  const after = read()
  await until(() => origin.count(PLAYLIST) === 3, 'it is asked for anew')
  // 3. The segment is here.
  gate.open()
  assert.equal(await before, whole(11, 'old'))
  assert.equal(await after, whole(11, 'new'))
  await settled(relais)
  assert.equal(await read(), whole(11, 'new'))
  assert.equal(origin.count(PLAYLIST), 3)
})

test('a slice on its way ahead of a viewer is not kept when its film is purged', async (t) => {
  const gate = barrier()
  const size = 12 * MIB
  const list = [0, 1, 2].map((at) => `#EXTINF:4,\n#EXT-X-BYTERANGE:${2 * MIB}@${at * 2 * MIB}\nfilm.mp4\n`)
  const text = `#EXTM3U\n#EXT-X-TARGETDURATION:4\n${list.join('')}#EXT-X-ENDLIST\n`
  const origin = await openFilmOrigin(t, { size, fields: { 'cache-control': 'max-age=600' } })
  origin.answer(async (request, response) => {
    if (request.url?.endsWith('.m3u8')) return reply(response, text, { 'cache-control': 'max-age=600' })
    if (request.headers.range === `bytes=${2 * MIB}-${4 * MIB - 1}`) await gate.opened
    return origin.show(request, response)
  })
  const relais = await openTestRelais(t, {
    ...{ origins: [origin.url], file: { prefetch: { segments: 1 } } },
  })
  const play = async (first: number, last: number): Promise<Buffer> =>
    (await get(`${relais.url}/film.mp4`, { headers: { range: `bytes=${first}-${last}` } })).body
  await get(`${relais.url}/a.m3u8`)
  assert.ok((await play(0, 2 * MIB - 1)).equals(filmBytes(0, 2 * MIB - 1)))
  // 1. The second slice is on its way though nobody has asked for it.
  await until(() => origin.ranges.some((range) => range.startsWith(`bytes=${2 * MIB}-`)), 'it is asked for')
  // 2. The film is purged, and another one comes under its name.
  await purge(relais.url, { url: '/film.mp4' })
  origin.film.take = 1
  origin.film.etag = '"two"'
  gate.open()
  await idle(relais)
  // 3. The playlist alone is left.
  assert.equal((await relais.stats()).memory.entries, 1)
  assert.ok((await play(2 * MIB, 4 * MIB - 1)).equals(filmBytes(2 * MIB, 4 * MIB - 1, 1)))
})
