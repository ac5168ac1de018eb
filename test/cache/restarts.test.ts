/** What manifests have told is known after a restart as well: it is read from disk when it is first met. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { testClock } from '../support/clock.ts'
import { type Handler, openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

const PLAYLIST = '/live/a.m3u8'
const TYPE = { 'content-type': 'application/vnd.apple.mpegurl' }

/** Segments of four seconds. */
function playlist(first: number, more = ''): string {
  const segments = [0, 1, 2].map((index) => `#EXTINF:4,\ns${first + index}.ts\n`)
  return `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:${first}\n${more}${segments.join('')}`
}

/** Closed by the house, in the order that its disk needs. */
const NOBODY = { after: () => undefined }

interface House {
  readonly origins: readonly TestOrigin[]
  readonly relais: TestRelais
  /** Ends the process's part and begins anew on the same disk, as much later as is said. */
  restart(laterMs: number): Promise<void>
}

async function openHouse(
  t: TestContext,
  handlers: readonly Handler[],
  file: Record<string, unknown> = {},
): Promise<House> {
  const path = await mkdtemp(join(tmpdir(), 'relais-restarts-'))
  const clock = testClock()
  const origins = await Promise.all(handlers.map((handler) => openOrigin(t, handler)))
  const options = {
    origins: origins.map(({ url }) => url),
    file: { disk: { path, maxBytes: '64MB' }, ...file },
    clock,
  }
  let hold = await openTestRelais(NOBODY, options)
  // Closing writes.
  t.after(async () => {
    await hold.close()
    await rm(path, { recursive: true, force: true })
  })
  return {
    origins,
    get relais() {
      return hold
    },
    restart: async (laterMs: number) => {
      await hold.close()
      clock.advance(laterMs)
      hold = await openTestRelais(NOBODY, options)
    },
  }
}

async function text(house: House, target: string, headers: Record<string, string> = {}): Promise<string> {
  return (await get(house.relais.url + target, { headers })).body.toString()
}

test('an origin that lags shows no older playlist than the one on disk, not even the first time after a restart', async (t) => {
  let first = 10
  const house = await openHouse(t, [(_request, response) => reply(response, playlist(first))])
  assert.equal(await text(house, PLAYLIST), playlist(10))
  first = 9
  await house.restart(2_100)
  assert.equal(await text(house, PLAYLIST), playlist(10))
  assert.equal(house.origins[0]?.count(), 2, 'it was asked, and not believed')
  first = 11
  house.relais.clock.advance(2_100)
  assert.equal(await text(house, PLAYLIST), playlist(11))
})

test('after a restart the next origin is asked where the first one lags behind what lies on disk', async (t) => {
  let first = 10
  const house = await openHouse(t, [
    (_request, response) => reply(response, playlist(first)),
    (_request, response) => reply(response, playlist(11)),
  ])
  await text(house, PLAYLIST)
  first = 9
  await house.restart(2_100)
  assert.equal(await text(house, PLAYLIST), playlist(11))
})

test('a playlist that stood still before the restart has stood still after it', async (t) => {
  const etag = { etag: '"1"' }
  const house = await openHouse(t, [
    (request, response) => {
      if (request.headers['if-none-match'] === '"1"') response.writeHead(304, etag).end()
      else reply(response, playlist(10), etag)
    },
    (_request, response) => reply(response, playlist(12)),
  ])
  await text(house, PLAYLIST)
  await house.restart(6_100)
  assert.equal(await text(house, PLAYLIST), playlist(12))
})

test('what is read from disk is no news: nothing is forgotten for it, and the stream is of the same generation', async (t) => {
  const house = await openHouse(t, [
    (request, response) => reply(response, request.url === PLAYLIST ? playlist(10) : 'segment'),
  ])
  await text(house, PLAYLIST)
  await text(house, '/live/s10.ts')
  await house.restart(500)
  assert.equal(await text(house, PLAYLIST), playlist(10))
  assert.equal(await text(house, '/live/s10.ts'), 'segment')
  const { streams, requests, fills } = await house.relais.stats()
  assert.deepEqual([requests.hit, fills, house.origins[0]?.count()], [2, 0, 2])
  assert.deepEqual(
    streams.map(({ generation }) => generation),
    [1],
  )
})

test('what comes next is fetched ahead of a viewer whose playlist came from disk', async (t) => {
  const house = await openHouse(
    t,
    [(request, response) => reply(response, request.url === PLAYLIST ? playlist(10) : 'segment')],
    { prefetch: { segments: 1 } },
  )
  await text(house, PLAYLIST)
  await house.restart(500)
  await text(house, PLAYLIST)
  assert.equal(house.origins[0]?.count(), 1, 'not for the playlist alone')
  await text(house, '/live/s10.ts')
  await until(() => house.origins[0]?.count('/live/s11.ts') === 1, 'the next one is fetched')
})

test('live segments are kept for the window again as soon as their playlist is confirmed, though no whole one comes', async (t) => {
  const etag = { etag: '"1"' }
  const house = await openHouse(t, [
    (request, response) => {
      if (request.url !== PLAYLIST) reply(response, 'segment')
      else if (request.headers['if-none-match'] === '"1"') response.writeHead(304, etag).end()
      else reply(response, playlist(10), etag)
    },
  ])
  await text(house, PLAYLIST)
  await house.restart(2_100)
  await text(house, PLAYLIST)
  const { headers } = await get(`${house.relais.url}/live/s10.ts`)
  // Three segments of four seconds, and its own length; six target durations at least. An hour where nothing is known.
  assert.match(String(headers['cache-status']), /ttl=24(?:;|$)/)
})

test('each variant of a playlist on disk speaks for itself', async (t) => {
  const firsts: Record<string, number> = { fr: 10, en: 500 }
  const house = await openHouse(t, [
    (request, response) => {
      const language = String(request.headers['accept-language'])
      reply(response, playlist(firsts[language] ?? 0), { vary: 'Accept-Language' })
    },
  ])
  const languages = ['fr', 'en']
  for (const language of languages) await text(house, PLAYLIST, { 'accept-language': language })
  Object.assign(firsts, { fr: 9, en: 501 })
  await house.restart(2_100)
  const shown = await Promise.all(
    languages.map((language) => text(house, PLAYLIST, { 'accept-language': language })),
  )
  assert.deepEqual(shown, [playlist(10), playlist(501)])
})

test('a low-latency playlist on disk answers, and refuses, from the first request on', async (t) => {
  const control =
    '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5\n#EXT-X-PART-INF:PART-TARGET=0.5\n'
  const house = await openHouse(t, [(_request, response) => reply(response, playlist(10, control), TYPE)])
  await text(house, PLAYLIST)
  await house.restart(500)
  const { status } = await get(`${house.relais.url}${PLAYLIST}?_HLS_msn=40`)
  assert.equal(status, 400)
  const answer = await get(`${house.relais.url}${PLAYLIST}?_HLS_msn=12`)
  assert.match(String(answer.headers['cache-status']), /; hit/)
  assert.equal(house.origins[0]?.count(), 1)
})
