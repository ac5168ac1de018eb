/** Films of one file that players read in ranges are fetched ahead slice by slice, each once, and counted like all else. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { get, type Response } from '../support/client.ts'
import { type FilmOrigin, filmBytes, MIB, openFilmOrigin } from '../support/film.ts'
import { reply } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { idle, isHit, ON } from './support/ahead.ts'

/** Not a divisor of a slice, so that segments lie across two now and then. */
const SEGMENT = 700_000
const SIZE = 12 * MIB
const COUNT = Math.floor(SIZE / SEGMENT)
const LASTING = { 'cache-control': 'max-age=600' }

/** Each segment is a range; `fileOf` says of which file. */
function ranges(count: number, fileOf: (index: number) => string, end = '#EXT-X-ENDLIST\n'): string {
  const lines = Array.from({ length: count }, (_, index) => {
    return `#EXTINF:4,\n#EXT-X-BYTERANGE:${SEGMENT}@${index * SEGMENT}\n${fileOf(index)}\n`
  })
  return `#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n${lines.join('')}${end}`
}

async function openFilm(
  t: TestContext,
  list: string,
  file: Record<string, unknown> = ON,
): Promise<{ readonly origin: FilmOrigin; readonly relais: TestRelais }> {
  const origin = await openFilmOrigin(t, { size: SIZE, fields: LASTING })
  origin.answer((request, response) => {
    if (!request.url?.includes('.mp4')) return reply(response, list, LASTING)
    return origin.show(request, response)
  })
  return { origin, relais: await openTestRelais(t, { origins: [origin.url], file }) }
}

async function play(relais: TestRelais, path: string, index: number): Promise<Response> {
  const [first, last] = [index * SEGMENT, (index + 1) * SEGMENT - 1]
  const answer = await get(relais.url + path, { headers: { range: `bytes=${first}-${last}` } })
  assert.equal(answer.status, 206)
  assert.ok(answer.body.equals(filmBytes(first, last)), `segment ${index} is what it is`)
  await idle(relais)
  return answer
}

/** Slices that were asked for, and how often one of them was asked for again. */
function asked(origin: FilmOrigin): { readonly slices: number; readonly again: number } {
  const ranges = origin.ranges.filter((range) => range !== '')
  return { slices: ranges.length, again: ranges.length - new Set(ranges).size }
}

test('who plays the ranges that a playlist lists finds each of them in store after the first, and each slice is asked for once', async (t) => {
  const { origin, relais } = await openFilm(
    t,
    ranges(COUNT, () => 'all.mp4'),
  )
  await get(`${relais.url}/film/a.m3u8`)
  for (let index = 0; index < COUNT; index++) {
    const answer = await play(relais, '/film/all.mp4', index)
    assert.ok(index === 0 || isHit(answer), `segment ${index}: ${answer.headers['cache-status']}`)
  }
  assert.deepEqual(asked(origin), { slices: Math.ceil((COUNT * SEGMENT) / (2 * MIB)), again: 0 })
  const { prefetch, streams } = await relais.stats()
  // The first slice came with the first range.
  const sent = Math.ceil((COUNT * SEGMENT) / (2 * MIB)) - 1
  assert.deepEqual(prefetch, { sent, used: sent, wasted: 0, refused: 0 })
  assert.deepEqual(streams[0]?.prefetch, { sent, used: sent, wasted: 0 })
})

test('where a playlist goes on in another file, that one is begun with the slice that is wanted of it', async (t) => {
  const { origin, relais } = await openFilm(
    t,
    ranges(8, (index) => (index < 4 ? 'one.mp4' : 'two.mp4')),
  )
  await get(`${relais.url}/film/a.m3u8`)
  for (let index = 0; index < 8; index++) {
    const answer = await play(relais, `/film/${index < 4 ? 'one' : 'two'}.mp4`, index)
    assert.ok(index === 0 || isHit(answer), `segment ${index}: ${answer.headers['cache-status']}`)
  }
  assert.equal(
    asked(origin).slices,
    new Set(origin.asked.map((one) => one.target + one.headers.range)).size - 1,
  )
  const { used, wasted } = (await relais.stats()).prefetch
  assert.ok(used > 0)
  assert.equal(wasted, 0)
})

test('of a playlist that still grows no file is begun for the sake of a range', async (t) => {
  const { origin, relais } = await openFilm(
    t,
    ranges(8, (index) => (index < 4 ? 'one.mp4' : 'two.mp4'), ''),
  )
  await get(`${relais.url}/film/a.m3u8`)
  await play(relais, '/film/one.mp4', 3)
  assert.equal(origin.count('/film/two.mp4'), 0)
})

test('who reads a film range by range that nothing lists (DASH with an index) finds the next slice in store', async (t) => {
  const { origin, relais } = await openFilm(t, '')
  for (const range of ['bytes=0-899', 'bytes=900-4999']) {
    await get(`${relais.url}/film/v1.mp4`, { headers: { range } })
    await idle(relais)
  }
  assert.equal(asked(origin).slices, 1, 'head and index say nothing of what comes next')
  for (let index = 0; index < COUNT; index++) {
    const answer = await play(relais, '/film/v1.mp4', index)
    assert.ok(isHit(answer), `segment ${index}: ${answer.headers['cache-status']}`)
  }
  assert.equal(asked(origin).again, 0)
  const { sent, used, wasted } = (await relais.stats()).prefetch
  assert.deepEqual([used, wasted], [sent, 0])
})

test('who reads a film in one go has each slice asked for once, whoever reads it in ranges meanwhile', async (t) => {
  const { origin, relais } = await openFilm(t, '')
  const [whole] = await Promise.all([
    get(`${relais.url}/film/v1.mp4`),
    ...Array.from({ length: COUNT }, (_, index) => play(relais, '/film/v1.mp4', index)),
  ])
  assert.ok(whole?.body.equals(filmBytes(0, SIZE - 1)))
  assert.deepEqual(asked(origin), { slices: SIZE / (2 * MIB), again: 0 })
})

test('where fetching ahead is turned off no slice is asked for that nobody wants', async (t) => {
  const { origin, relais } = await openFilm(
    t,
    ranges(COUNT, () => 'all.mp4'),
    {},
  )
  await get(`${relais.url}/film/a.m3u8`)
  await play(relais, '/film/all.mp4', 0)
  await play(relais, '/film/all.mp4', 1)
  assert.equal(asked(origin).slices, 1)
})
