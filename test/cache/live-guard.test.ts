/** A live stream never goes backwards for a viewer, and what begins anew leaves nothing of itself behind. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { get } from '../support/client.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

interface Window {
  readonly first: number
  readonly count?: number
  /** What the names of segments begin with. */
  readonly run?: string
  readonly more?: string
}

function playlist({ first, count = 3, run = 's', more = '' }: Window): string {
  const segments = Array.from({ length: count }, (_, index) => `#EXTINF:4,\n${run}${first + index}.ts\n`)
  return `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:${first}\n${more}${segments.join('')}`
}

interface Live {
  readonly origin: TestOrigin
  show(window: Window): void
}

/** Segments have as content what the origin is told to be, their name, and how often they were asked for. */
async function openLive(t: TestContext, window: Window, name = 'one'): Promise<Live> {
  let shown = playlist(window)
  const origin = await openOrigin(t, (request, response) => {
    const target = request.url ?? ''
    if (target.includes('.m3u8')) return reply(response, shown)
    return reply(response, `${name} ${target} ${origin.count(target)}`)
  })
  return {
    origin,
    show: (next) => {
      shown = playlist(next)
    },
  }
}

async function body(relais: TestRelais, target: string): Promise<string> {
  return (await get(relais.url + target)).body.toString()
}

const PLAYLIST = '/live/a.m3u8'

test('a playlist that is behind the one that viewers have seen is asked of the next origin, and the first is left alone for a while', async (t) => {
  const one = await openLive(t, { first: 10 })
  const two = await openLive(t, { first: 11 }, 'two')
  const relais = await openTestRelais(t, { origins: [one.origin.url, two.origin.url] })
  assert.equal(await body(relais, PLAYLIST), playlist({ first: 10 }))
  one.show({ first: 9 })
  relais.clock.advance(2_100)
  assert.equal(await body(relais, PLAYLIST), playlist({ first: 11 }))
  assert.deepEqual([one.origin.count(), two.origin.count()], [2, 1])
  two.show({ first: 12 })
  relais.clock.advance(2_100)
  assert.equal(await body(relais, PLAYLIST), playlist({ first: 12 }))
  assert.deepEqual([one.origin.count(), two.origin.count()], [2, 2], 'who lags is asked last')
})

test('the next origin is asked where pages of all hosts may read as well', async (t) => {
  const one = await openLive(t, { first: 10 })
  const two = await openLive(t, { first: 11 }, 'two')
  const origins = [one.origin.url, two.origin.url]
  const relais = await openTestRelais(t, { file: { routes: [{ prefix: '/', origins, cors: 'edge' }] } })
  await get(relais.url + PLAYLIST)
  one.show({ first: 9 })
  relais.clock.advance(2_100)
  assert.equal(await body(relais, PLAYLIST), playlist({ first: 11 }))
})

test('where no origin knows better, viewers keep what they have, and the origin is asked once in half a target duration', async (t) => {
  const { origin, show } = await openLive(t, { first: 10 })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(relais.url + PLAYLIST)
  show({ first: 9 })
  relais.clock.advance(2_100)
  for (let viewer = 0; viewer < 5; viewer++) {
    assert.equal(await body(relais, PLAYLIST), playlist({ first: 10 }))
  }
  assert.equal(origin.count(PLAYLIST), 2)
  show({ first: 11 })
  relais.clock.advance(2_100)
  assert.equal(await body(relais, PLAYLIST), playlist({ first: 11 }))
})

test('what the next origin says comes without its cookies where a route drops them, and is for all', async (t) => {
  let first = 10
  const open = (name: string, lag: () => number) =>
    openOrigin(t, (request, response) => {
      const headers = { etag: `"${name}"`, 'set-cookie': 'a=b' }
      if (request.headers['if-none-match'] === `"${name}"`) response.writeHead(304, headers).end()
      else reply(response, playlist({ first: first - lag() }), headers)
    })
  let lag = 0
  const [one, two] = [await open('one', () => lag), await open('two', () => 0)]
  const relais = await openTestRelais(t, {
    file: { routes: [{ prefix: '/', origins: [one.url, two.url], cookies: 'drop' }] },
  })
  await get(relais.url + PLAYLIST)
  relais.clock.advance(8_000)
  first = 12
  for (const viewer of ['one', 'two', 'three']) {
    const answer = await get(relais.url + PLAYLIST)
    assert.equal(answer.body.toString(), playlist({ first: 12 }), viewer)
    assert.equal(answer.headers['set-cookie'], undefined)
  }
  assert.equal(two.count(), 1, 'of a playlist that stands still')
  lag = 3
  relais.clock.advance(12_100)
  await get(relais.url + PLAYLIST)
  const answer = await get(relais.url + PLAYLIST)
  assert.match(String(answer.headers['cache-status']), /; hit/, 'of one that lags')
})

test('a stream does not stand still at what came after the furthest version was deleted', async (t) => {
  const { origin, show } = await openLive(t, { first: 10 })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(relais.url + PLAYLIST)
  await get(relais.url + PLAYLIST, { method: 'DELETE' })
  for (const first of [5, 6, 7]) {
    show({ first })
    assert.equal(await body(relais, PLAYLIST), playlist({ first }))
    relais.clock.advance(2_100)
  }
  show({ first: 6 })
  assert.equal(await body(relais, PLAYLIST), playlist({ first: 7 }), 'nor does it go backwards')
})

test('a playlist that has not moved for one and a half target durations is asked of another origin', async (t) => {
  const one = await openLive(t, { first: 10 })
  const two = await openLive(t, { first: 12 }, 'two')
  const relais = await openTestRelais(t, { origins: [one.origin.url, two.origin.url] })
  await get(relais.url + PLAYLIST)
  relais.clock.advance(5_900)
  assert.equal(await body(relais, PLAYLIST), playlist({ first: 10 }))
  assert.equal(two.origin.count(), 0, 'it may yet move')
  relais.clock.advance(2_100)
  assert.equal(await body(relais, PLAYLIST), playlist({ first: 12 }))
})

test('when all origins stand still each is asked once a target duration, and what there is stays', async (t) => {
  const one = await openLive(t, { first: 10 })
  const two = await openLive(t, { first: 10 }, 'two')
  const relais = await openTestRelais(t, { origins: [one.origin.url, two.origin.url] })
  await get(relais.url + PLAYLIST)
  for (let round = 0; round < 8; round++) {
    relais.clock.advance(2_100)
    assert.equal(await body(relais, PLAYLIST), playlist({ first: 10 }))
  }
  const extra = one.origin.count() + two.origin.count() - 9
  assert.ok(extra >= 1 && extra <= 4, `${extra} questions more than without another origin`)
})

test('a stream that began anew under the same names is not mixed with the one before', async (t) => {
  const { origin, show } = await openLive(t, { first: 100, more: '#EXT-X-MAP:URI="init.mp4"\n' })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(relais.url + PLAYLIST)
  const names = ['/live/s100.ts', '/live/s102.ts', '/live/init.mp4']
  for (const target of names) assert.match(await body(relais, target), /1$/)
  // Long out of the window, and yet it lies in store: its name comes again.
  assert.match(await body(relais, '/live/s2.ts'), /1$/)
  relais.clock.advance(13_000)
  show({ first: 0, more: '#EXT-X-MAP:URI="init.mp4"\n' })
  assert.equal(await body(relais, PLAYLIST), playlist({ first: 0, more: '#EXT-X-MAP:URI="init.mp4"\n' }))
  for (const target of [...names, '/live/s2.ts']) assert.match(await body(relais, target), /2$/, target)
  relais.clock.advance(2_100)
  show({ first: 1, more: '#EXT-X-MAP:URI="init.mp4"\n' })
  await get(relais.url + PLAYLIST)
  for (const target of names) assert.match(await body(relais, target), /2$/, 'the new run is not dropped')
  const stats = await relais.stats()
  assert.deepEqual(
    stats.streams.map(({ generation }) => generation),
    [2],
  )
})

test('one new run is one, under however many tokens its playlist is asked for', async (t) => {
  const { origin, show } = await openLive(t, { first: 100 })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const viewers = ['?token=1', '?token=2', '?token=3']
  for (const viewer of viewers) await get(relais.url + PLAYLIST + viewer)
  relais.clock.advance(13_000)
  show({ first: 0 })
  for (const viewer of viewers) {
    relais.clock.advance(10)
    await get(relais.url + PLAYLIST + viewer)
    assert.match(await body(relais, '/live/s0.ts'), /1$/)
  }
  assert.equal((await relais.stats()).streams[0]?.generation, 2)
})

test('a 404 is forgotten at the moment at which the playlist lists the segment', async (t) => {
  const { origin, show } = await openLive(t, { first: 10 })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(relais.url + PLAYLIST)
  relais.clock.advance(2_100)
  let isThere = false
  const before = origin.count()
  origin.answer((request, response) => {
    if (request.url === PLAYLIST) return reply(response, playlist({ first: 11 }))
    return isThere ? reply(response, 'here') : reply(response, 'not yet', {}, 404)
  })
  assert.equal((await get(`${relais.url}/live/s13.ts`)).status, 404)
  assert.equal((await get(`${relais.url}/live/s13.ts`)).status, 404)
  assert.equal(origin.count() - before, 1, 'it is remembered')
  isThere = true
  await get(relais.url + PLAYLIST)
  assert.equal((await get(`${relais.url}/live/s13.ts`)).status, 200)
  show({ first: 11 })
})

test('a playlist that is for one viewer says nothing of what others may see', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    const first = Number(request.headers['x-first'])
    reply(response, playlist({ first }), { 'cache-control': 'private' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const first of ['100', '3', '50']) {
    const answer = await get(relais.url + PLAYLIST, { headers: { 'x-first': first } })
    assert.equal(answer.body.toString(), playlist({ first: Number(first) }))
    relais.clock.advance(61_000)
  }
  assert.equal((await relais.stats()).streams[0]?.generation, 1)
})

test('what left the window makes room before what was used longer ago', async (t) => {
  let first = 10
  const origin = await openOrigin(t, (request, response) => {
    if (request.url === PLAYLIST) return reply(response, playlist({ first }))
    return reply(response, Buffer.alloc(400 * 1024))
  })
  const memory = { maxBytes: '2MB', maxEntryBytes: '1MB' }
  const relais = await openTestRelais(t, { origins: [origin.url], file: { memory } })
  await get(relais.url + PLAYLIST)
  for (const name of ['s11', 's12', 's10']) await get(`${relais.url}/live/${name}.ts`)
  first = 11
  relais.clock.advance(2_100)
  await get(relais.url + PLAYLIST)
  await get(`${relais.url}/live/s13.ts`)
  for (const name of ['s11', 's12', 's13']) {
    await get(`${relais.url}/live/${name}.ts`)
    assert.equal(origin.count(`/live/${name}.ts`), 1, name)
  }
  assert.equal((await relais.stats()).memory.evictions, 1)
})

interface Mpd {
  readonly published: number
  readonly started?: number
}

/** By number and clock; both in seconds after the start of 2025. */
function mpd({ published, started = 0 }: Mpd): string {
  const instant = (seconds: number): string => new Date(Date.UTC(2025, 0, 1) + seconds * 1000).toISOString()
  return `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime="${instant(started)}"
    publishTime="${instant(published)}" minimumUpdatePeriod="PT4S" timeShiftBufferDepth="PT40S">
    <Period id="1" start="PT0S"><AdaptationSet mimeType="video/mp4">
      <SegmentTemplate timescale="1" duration="4" startNumber="1" media="$Number$.m4s" initialization="init.mp4"/>
      <Representation id="low" bandwidth="1"/>
    </AdaptationSet></Period></MPD>`
}

test('an MPD never goes backwards, and another run of its encoder voids the segments of the one before', async (t) => {
  let shown = mpd({ published: 100 })
  const origin = await openOrigin(t, (request, response) => {
    const target = request.url ?? ''
    reply(response, target.endsWith('.mpd') ? shown : `${target} ${origin.count(target)}`)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const MANIFEST = '/live/a.mpd'
  await get(relais.url + MANIFEST)
  const edge = Math.floor((relais.clock.now() - Date.UTC(2025, 0, 1)) / 4000)
  const names = ['/live/init.mp4', `/live/${edge}.m4s`, `/live/${edge - 5}.m4s`]
  for (const target of names) assert.match(await body(relais, target), /1$/)
  shown = mpd({ published: 90 })
  relais.clock.advance(5_000)
  assert.equal(await body(relais, MANIFEST), mpd({ published: 100 }))
  shown = mpd({ published: 110 })
  relais.clock.advance(5_000)
  assert.equal(await body(relais, MANIFEST), mpd({ published: 110 }))
  for (const target of names) assert.match(await body(relais, target), /1$/, 'the same run')
  shown = mpd({ published: 120, started: 1 })
  relais.clock.advance(5_000)
  assert.equal(await body(relais, MANIFEST), shown)
  for (const target of names) assert.match(await body(relais, target), /2$/, target)
})

test('an origin that says less for long enough is believed, for nobody else speaks', async (t) => {
  const { origin, show } = await openLive(t, { first: 10 })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(relais.url + PLAYLIST)
  show({ first: 5 })
  for (let waited = 0; waited < 12_000; waited += 2_100) {
    assert.equal(await body(relais, PLAYLIST), playlist({ first: 10 }))
    relais.clock.advance(2_100)
  }
  assert.equal(await body(relais, PLAYLIST), playlist({ first: 5 }))
})

test('what another origin says in its place is led to us as all else', async (t) => {
  const one = await openLive(t, { first: 10 })
  const two = await openLive(t, { first: 11 }, 'two')
  const relais = await openTestRelais(t, { origins: [one.origin.url, two.origin.url] })
  await get(relais.url + PLAYLIST)
  one.show({ first: 9 })
  two.show({ first: 11, run: `${two.origin.url}/live/s` })
  relais.clock.advance(2_100)
  const answer = await get(relais.url + PLAYLIST)
  assert.equal(answer.body.toString(), playlist({ first: 11, run: '/live/s' }))
  const again = await get(relais.url + PLAYLIST, {
    headers: { 'if-none-match': String(answer.headers.etag) },
  })
  assert.equal(again.status, 304)
})
