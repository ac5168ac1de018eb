/** What viewers ask for next is there before they ask, and nothing is asked of an origin that nobody will want. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Renewals } from '../../src/cache/prefetch/renewals.ts'
import { startDemo } from '../../src/demo/demo-origin.ts'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { testClock } from '../support/clock.ts'
import { mediaFacts } from '../support/media-facts.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { idle, isHit, ON, openVod, vod } from './support/ahead.ts'
import { freshnessFor, routeOf } from './support/route.ts'

test('one viewer at steady play finds every segment after the third in store, and the origin is asked for each once', async (t) => {
  const origin = await openVod(t)
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  await get(`${relais.url}/film/low.m3u8`)
  await get(`${relais.url}/film/high.m3u8`)
  for (let number = 0; number < 20; number++) {
    const answer = await get(`${relais.url}/film/s${number}.ts`)
    assert.equal(answer.body.toString(), `content of /film/s${number}.ts`)
    assert.ok(number < 3 || isHit(answer), `segment ${number}: ${answer.headers['cache-status']}`)
    await idle(relais)
  }
  for (let number = 0; number < 20; number++) assert.equal(origin.count(`/film/s${number}.ts`), 1)
  assert.equal(origin.count(), 22, 'nothing is asked of the rendition that nobody plays')
  const { prefetch } = await relais.stats()
  assert.deepEqual(prefetch, { sent: 19, used: 19, wasted: 0, refused: 0 })
})

test('no more than asked for is fetched ahead, and nothing where that is turned off', async (t) => {
  for (const segments of [0, 1, 5]) {
    const origin = await openVod(t)
    const relais = await openTestRelais(t, { origins: [origin.url], file: { prefetch: { segments } } })
    await get(`${relais.url}/film/low.m3u8`)
    await get(`${relais.url}/film/s3.ts`)
    await idle(relais)
    assert.deepEqual(
      origin.asked.slice(2).map(({ target }) => target),
      Array.from({ length: segments }, (_, index) => `/film/s${4 + index}.ts`),
    )
  }
})

test('twenty viewers of a live channel seldom wait for the origin, and nobody asks for a rung that nobody watches', async (t) => {
  const clock = testClock()
  const asked: string[] = []
  const demo = await startDemo({
    host: '127.0.0.1',
    port: 0,
    now: clock.now,
    onRequest: (target) => asked.push(target),
  })
  t.after(() => demo.close())
  const relais = await openTestRelais(t, { origins: [demo.url], file: ON, clock })
  const base = `${relais.url}/live/ts/`
  for (const rung of ['144p', '270p']) await get(`${base}${rung}.m3u8`)
  const viewers = Array.from({ length: 20 }, () => ({ played: new Set<string>() }))
  let requests = 0
  let waited = 0
  for (let round = 0; round < 40; round++) {
    for (const { played } of viewers) {
      const playlist = (await get(`${base}144p.m3u8`)).body.toString()
      const listed = playlist.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
      // As players do: three segments behind the edge, then one after the other.
      const start =
        played.size === 0 ? listed.slice(-3, -2) : listed.filter((line) => !played.has(line)).slice(-3)
      for (const address of start) {
        const answer = await get(base + address)
        assert.equal(answer.status, 200)
        played.add(address)
        requests++
        if (!isHit(answer)) waited++
      }
      for (const line of listed.slice(0, -3)) played.add(line)
    }
    await idle(relais)
    clock.advance(2_000)
  }
  assert.ok(requests > 700, `${requests} requests`)
  assert.ok(waited <= requests * 0.02, `${waited} of ${requests} waited`)
  assert.ok(!asked.some((target) => target.includes('/270p/') || target.includes('/360p')), 'not one segment')
  t.diagnostic(`${waited} of ${requests} requests waited; ${JSON.stringify((await relais.stats()).prefetch)}`)
})

for (const { when, segments, maxAge, earlyMs, dueMs } of [
  { when: 'in the last quarter of its time', segments: 2, maxAge: 3, earlyMs: 2_200, dueMs: 2_300 },
  {
    when: 'from a third of its time on when a segment is due',
    segments: 2,
    maxAge: 8,
    earlyMs: 3_500,
    dueMs: 3_700,
  },
  { when: 'never where that is turned off', segments: 0, maxAge: 8, earlyMs: 3_900, dueMs: 7_900 },
]) {
  test(`a live playlist is asked for anew while it is still fresh, and its segments are not: ${when}`, async (t) => {
    const live = vod(5).replace('#EXT-X-PLAYLIST-TYPE:VOD\n', '').replace('#EXT-X-ENDLIST\n', '')
    const origin = await openOrigin(t, (request, response) =>
      reply(response, request.url?.endsWith('.m3u8') ? live : 'segment', {
        'cache-control': `max-age=${maxAge}`,
      }),
    )
    const relais = await openTestRelais(t, { origins: [origin.url], file: { prefetch: { segments } } })
    for (const path of ['/a.m3u8', '/a.ts']) await get(relais.url + path)
    let at = 0
    for (const [ms, expected] of [
      [earlyMs, 1],
      [dueMs, segments > 0 ? 2 : 1],
      // Another quarter of its time: fresh again where it was asked for, and not due.
      [maxAge * 1000 + 100, 2],
    ] as const) {
      relais.clock.advance(ms - at)
      at = ms
      const answer = await get(`${relais.url}/a.m3u8`)
      assert.equal(isHit(answer), segments > 0 || at < maxAge * 1000, `after ${ms} ms`)
      if (at < maxAge * 1000) assert.ok(isHit(await get(`${relais.url}/a.ts`)))
      await idle(relais)
      assert.deepEqual([origin.count('/a.m3u8'), origin.count('/a.ts')], [expected, 1], `after ${ms} ms`)
    }
  })
}

test('a live playlist is asked for anew once in half a target duration, and no more often than any other when it has stood still for two segments', () => {
  const renewals = new Renewals()
  const facts = mediaFacts('#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n')
  const stream = { manifest: '/a.m3u8', facts, readAt: 0, generation: 1 }
  const version = { readAt: 0, askedAt: 0, variant: {}, isRecalled: false }
  const news = { ...version, target: '/a.m3u8', route: routeOf(), stream }
  renewals.learn({ ...news, before: undefined }, 4_000)
  renewals.learn({ ...news, stream: { ...stream, readAt: 2_000 }, before: stream }, 4_000)
  /** How long it is left alone that was asked for at `bornAt`, for all who ask every ten milliseconds. */
  const dueMs = (bornAt: number): readonly number[] => {
    const freshness = freshnessFor({ bornAt, freshUntil: bornAt + 4_000 })
    const due: number[] = []
    for (let ms = 0; ms < 4_000; ms += 10)
      if (renewals.isDue('/a.m3u8', freshness, bornAt, bornAt + ms)) due.push(ms)
    return due
  }
  assert.deepEqual([dueMs(1_000), dueMs(10_000)], [[2_600], [3_000]])
  assert.deepEqual(dueMs(0), [], 'it was found due later than that')
  const stale = freshnessFor({ bornAt: 20_000, freshUntil: 24_000 })
  assert.equal(renewals.isDue('/a.m3u8', stale, 20_000, 24_000), false, 'what is stale is asked for anyway')
})

test('a viewer of DASH finds the next segments of his representation in store, of a film and live', async (t) => {
  const clock = testClock()
  const asked: string[] = []
  const demo = await startDemo({
    host: '127.0.0.1',
    port: 0,
    now: clock.now,
    onRequest: (target) => asked.push(target),
  })
  t.after(() => demo.close())
  const relais = await openTestRelais(t, { origins: [demo.url], file: ON, clock })
  const edge = clock.now() / 2000 - 1
  for (const [base, first] of [
    ['/vod/bars/fmp4/', 0],
    ['/live/fmp4/', edge - 4],
  ] as const) {
    asked.length = 0
    await get(`${relais.url}${base}manifest.mpd`)
    for (let number = first; number < first + 5; number++) {
      const answer = await get(`${relais.url}${base}144p/${number}.m4s`)
      assert.equal(answer.status, 200)
      assert.ok(number === first || isHit(answer), `${base} ${number}`)
      await idle(relais)
    }
    const ahead = base.startsWith('/live') ? 0 : 2
    assert.equal(
      asked.length,
      1 + 5 + ahead,
      'nothing of another representation, and nothing that is not there',
    )
  }
})

test('what lies at other hosts is not asked for', async (t) => {
  const other = await openVod(t)
  const list = vod(3).replace('s1.ts', `${other.url}/film/s1.ts`)
  const origin = await openOrigin(t, (request, response) =>
    reply(response, request.url?.endsWith('.m3u8') ? list : 'segment'),
  )
  const relais = await openTestRelais(t, { origins: [origin.url], file: { prefetch: { segments: 10 } } })
  await get(`${relais.url}/film/a.m3u8`)
  await get(`${relais.url}/film/s0.ts`)
  await idle(relais)
  assert.deepEqual([origin.count(), origin.count('/film/s2.ts'), other.count()], [3, 1, 0])
})

test('what belongs to a longer route is fetched by that, and what no viewer can ask for is not fetched', async (t) => {
  const list = vod(6)
    .replace('s1.ts', '/ads/s1.ts')
    .replace('s2.ts', '/-/s2.ts')
    .replace('s3.ts', '/stats')
    .replace('s4.ts', 'a%2F..%2F..%2Fs4.ts')
  const [films, ads] = [
    await openOrigin(t, (request, response) =>
      reply(response, request.url?.endsWith('.m3u8') ? list : 'of films'),
    ),
    await openOrigin(t, (_request, response) => reply(response, 'of ads')),
  ]
  const routes = [
    { prefix: '/', origins: [films.url] },
    { prefix: '/ads/', origins: [`${ads.url}/spots/`] },
  ]
  const relais = await openTestRelais(t, { file: { prefetch: { segments: 10 }, routes } })
  await get(`${relais.url}/film/a.m3u8`)
  await get(`${relais.url}/film/s0.ts`)
  await idle(relais)
  const asked = (origin: typeof films): string[] => origin.asked.map(({ target }) => target)
  assert.deepEqual(asked(films), ['/film/a.m3u8', '/film/s0.ts', '/film/s5.ts'])
  assert.deepEqual(asked(ads), ['/spots/s1.ts'])
  const answer = await get(`${relais.url}/ads/s1.ts`)
  assert.deepEqual([isHit(answer), answer.body.toString()], [true, 'of ads'])
})

test('the origin itself can name what comes next', async (t) => {
  const origin = await openVod(t, { 'cmsd-static': 'nor="..%2Ffilm%2Fnext.ts"' })
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  await get(`${relais.url}/film/first.ts`)
  await idle(relais)
  assert.equal(origin.count('/film/next.ts'), 1)
  assert.ok(isHit(await get(`${relais.url}/film/next.ts`)))
})

test('segments that may not be kept are fetched ahead once, and then no more', async (t) => {
  const origin = await openVod(t, { 'cache-control': 'no-store' })
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  await get(`${relais.url}/film/low.m3u8`)
  for (let number = 0; number < 10; number++) {
    await get(`${relais.url}/film/s${number}.ts`)
    await idle(relais)
  }
  assert.equal(origin.count(), 11, 'what may not be kept is nobody’s sign of what comes next')
})

test('segments that are stale when they come are fetched ahead once, and then no more for a minute', async (t) => {
  const origin = await openVod(t, { 'cache-control': 'max-age=0', etag: '"1"' })
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  await get(`${relais.url}/film/low.m3u8`)
  for (let number = 0; number < 10; number++) {
    await get(`${relais.url}/film/s${number}.ts`)
    await idle(relais)
  }
  const { prefetch } = await relais.stats()
  assert.deepEqual(prefetch, { sent: 2, used: 0, wasted: 2, refused: 0 })
})

test('nothing is fetched ahead while viewers wait for the origin', async (t) => {
  const held: (() => void)[] = []
  const origin = await openOrigin(t, (request, response) => {
    const target = request.url ?? ''
    if (target.endsWith('.m3u8')) return reply(response, vod(20))
    if (target.startsWith('/slow')) return held.push(() => reply(response, 'slow'))
    return reply(response, 'segment')
  })
  const upstream = { connections: 4 }
  const relais = await openTestRelais(t, { origins: [origin.url], file: { ...ON, upstream } })
  await get(`${relais.url}/film/low.m3u8`)
  const slow = [0, 1, 2].map((number) => get(`${relais.url}/slow${number}.ts`))
  await until(() => held.length === 3, 'it comes about')
  await get(`${relais.url}/film/s0.ts`)
  await until(async () => (await relais.stats()).prefetch.refused === 2, 'it comes about')
  assert.equal(origin.count('/film/s1.ts'), 0)
  for (const let_ of held) let_()
  await Promise.all(slow)
  await get(`${relais.url}/film/s1.ts`)
  await idle(relais)
  assert.equal(origin.count('/film/s2.ts'), 1)
})

test('an origin that takes longer for a segment than it lasts is left alone for a while', async (t) => {
  const held: (() => void)[] = []
  const origin = await openOrigin(t, (request, response) => {
    const target = request.url ?? ''
    if (target.endsWith('.m3u8')) return reply(response, vod(20))
    if (target.endsWith('/s1.ts')) return held.push(() => reply(response, 'slow'))
    return reply(response, 'segment')
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { prefetch: { segments: 1 } } })
  await get(`${relais.url}/film/low.m3u8`)
  await get(`${relais.url}/film/s0.ts`)
  await until(() => held.length === 1, 'it comes about')
  relais.clock.advance(4_500)
  for (const let_ of held) let_()
  await idle(relais)
  await get(`${relais.url}/film/s5.ts`)
  await until(async () => (await relais.stats()).prefetch.refused === 1, 'it comes about')
  relais.clock.advance(2_500)
  await get(`${relais.url}/film/s7.ts`)
  await idle(relais)
  assert.deepEqual([origin.count('/film/s6.ts'), origin.count('/film/s8.ts')], [0, 1])
})

test('what waits for its turn is not fetched when its viewer has had the time to ask for it himself', async (t) => {
  const held: (() => void)[] = []
  const origin = await openOrigin(t, (request, response) => {
    const target = request.url ?? ''
    if (target.endsWith('.m3u8')) return reply(response, vod(20))
    if (target.endsWith('/s1.ts')) return held.push(() => reply(response, 'slow'))
    return reply(response, 'segment')
  })
  // A quarter of eight: two at once.
  const file = { prefetch: { segments: 4, share: 12 }, upstream: { connections: 8 } }
  const relais = await openTestRelais(t, { origins: [origin.url], file })
  await get(`${relais.url}/film/low.m3u8`)
  await get(`${relais.url}/film/s0.ts`)
  await until(() => held.length === 1, 'it comes about')
  relais.clock.advance(4_100)
  for (const let_ of held) let_()
  await idle(relais)
  assert.deepEqual((await relais.stats()).prefetch, { sent: 1, used: 0, wasted: 0, refused: 3 })
})

test('what was fetched ahead and became stale unread was wasted', async (t) => {
  const origin = await openVod(t, { 'cache-control': 'max-age=10' })
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  await get(`${relais.url}/film/low.m3u8`)
  await get(`${relais.url}/film/s0.ts`)
  await idle(relais)
  assert.deepEqual((await relais.stats()).prefetch, { sent: 2, used: 0, wasted: 0, refused: 0 })
  assert.ok(isHit(await get(`${relais.url}/film/s1.ts`)))
  await idle(relais)
  relais.clock.advance(11_000)
  assert.deepEqual((await relais.stats()).prefetch, { sent: 3, used: 1, wasted: 2, refused: 0 })
})

test('nothing is asked for with the credentials of a viewer who did not ask for it', async (t) => {
  const origin = await openVod(t, { 'cache-control': 'public, max-age=60' })
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  const headers = { authorization: 'Bearer 1', cookie: 'a=1' }
  await get(`${relais.url}/film/low.m3u8`)
  await get(`${relais.url}/film/s0.ts`, { headers })
  await idle(relais)
  const ahead = origin.asked.filter(({ target }) => target === '/film/s1.ts')
  assert.equal(ahead.length, 1)
  for (const one of ahead)
    assert.deepEqual([one.headers.authorization, one.headers.cookie], [undefined, undefined])
})

/** Live with a timeline: `last` is the last segment that is listed, of four seconds each. */
function liveMpd(last: number): string {
  return `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime="2020-01-01T00:00:00Z"
    publishTime="${new Date(Date.UTC(2026, 0, 1) + last * 4000).toISOString()}" minimumUpdatePeriod="PT4S" timeShiftBufferDepth="PT40S">
    <Period id="1" start="PT0S"><AdaptationSet mimeType="video/mp4">
      <SegmentTemplate timescale="1" startNumber="1" media="$RepresentationID$/$Number$.m4s" initialization="$RepresentationID$/init.mp4">
        <SegmentTimeline><S t="0" d="4" r="${last - 1}"/></SegmentTimeline>
      </SegmentTemplate>
      <Representation id="low" bandwidth="1"/><Representation id="high" bandwidth="2"/>
    </AdaptationSet></Period></MPD>`
}

test('who plays DASH at the very edge finds each new segment in store once the MPD lists it', async (t) => {
  let last = 10
  const origin = await openOrigin(t, (request, response) =>
    reply(response, request.url?.endsWith('.mpd') ? liveMpd(last) : 'segment'),
  )
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  for (; last < 16; last++) {
    await get(`${relais.url}/live/a.mpd`)
    await idle(relais)
    const answer = await get(`${relais.url}/live/low/${last}.m4s`)
    assert.ok(last < 11 || isHit(answer), `${last}: ${answer.headers['cache-status']}`)
    await idle(relais)
    relais.clock.advance(4_000)
  }
  assert.ok(!origin.asked.some(({ target }) => target.includes('high')))
})

test('what a player says of itself in the query neither hides what comes next nor is said to the origin again', async (t) => {
  const origin = await openVod(t)
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  await get(`${relais.url}/film/low.m3u8`)
  for (let number = 0; number < 4; number++) {
    const answer = await get(`${relais.url}/film/s${number}.ts?CMCD=br%3D${number}`)
    assert.ok(number === 0 || isHit(answer))
    await idle(relais)
  }
  for (const number of [1, 2, 3, 4, 5]) assert.equal(origin.count(`/film/s${number}.ts`), 1)
})

test('segments with a token that the playlist names are found by it', async (t) => {
  const list = vod(6).replaceAll('.ts', '.ts?token=1')
  const origin = await openOrigin(t, (request, response) =>
    reply(response, request.url?.endsWith('.m3u8') ? list : 'segment'),
  )
  const routes = [{ prefix: '/', origins: [origin.url], ignoreQuery: ['token'] }]
  const relais = await openTestRelais(t, { file: { ...ON, routes } })
  await get(`${relais.url}/film/low.m3u8`)
  await get(`${relais.url}/film/s0.ts?token=1`)
  await idle(relais)
  assert.equal(origin.count('/film/s1.ts?token=1'), 1)
  assert.ok(isHit(await get(`${relais.url}/film/s1.ts?token=2`)))
})

test('an absolute address of the origin is fetched ahead as the path that viewers are shown', async (t) => {
  const origin = await openOrigin(t, (request, response) =>
    reply(
      response,
      request.url?.endsWith('.m3u8')
        ? vod(6, `http://${request.headers.host}/streams/elsewhere/s`)
        : 'segment',
    ),
  )
  const routes = [{ prefix: '/on/', origins: [`${origin.url}/streams/`] }]
  const relais = await openTestRelais(t, { file: { ...ON, routes } })
  assert.match((await get(`${relais.url}/on/film/a.m3u8`)).body.toString(), /^\/on\/elsewhere\/s0\.ts$/m)
  await get(`${relais.url}/on/elsewhere/s0.ts`)
  await idle(relais)
  assert.equal(origin.count('/streams/elsewhere/s1.ts'), 1)
  assert.ok(isHit(await get(`${relais.url}/on/elsewhere/s1.ts`)))
})

for (const name of ['authorization', 'cookie']) {
  test(`what an origin refuses without ${name} is fetched ahead for nobody, and who sends it gets what he asks for`, async (t) => {
    const headers = { [name]: 'mine' }
    const lasting = { 'cache-control': 'public, max-age=100' }
    const origin = await openOrigin(t, (request, response) => {
      if (request.headers[name] === undefined) return reply(response, 'none', lasting, 404)
      reply(response, request.url === '/v.m3u8' ? vod(20) : 'content', lasting)
    })
    const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
    await get(`${relais.url}/v.m3u8`, { headers })
    for (let number = 0; number < 4; number++) {
      const { status } = await get(`${relais.url}/s${number}.ts`, { headers })
      assert.equal(status, 200, `segment ${number}`)
      await idle(relais)
    }
    assert.ok((await relais.stats()).prefetch.sent > 0, 'it was tried')
  })
}

test('who waits for what an origin refuses ahead asks for it once, all of them together', async (t) => {
  const gate = barrier()
  const headers = { cookie: 'mine' }
  const lasting = { 'cache-control': 'public, max-age=100' }
  const origin = await openOrigin(t, async (request, response) => {
    if (request.url === '/s1.ts' && request.headers.cookie === undefined) {
      await gate.opened
      return reply(response, 'none', lasting, 404)
    }
    reply(response, request.url === '/v.m3u8' ? vod(20) : 'content', lasting)
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { prefetch: { segments: 1 } } })
  await get(`${relais.url}/v.m3u8`, { headers })
  await get(`${relais.url}/s0.ts`, { headers })
  await origin.reached(3)
  const waiting = Array.from({ length: 10 }, () => get(`${relais.url}/s1.ts`, { headers }))
  await until(async () => (await relais.stats()).waiting === 11, 'all wait')
  gate.open()
  for (const { status } of await Promise.all(waiting)) assert.equal(status, 200)
  assert.equal(origin.count('/s1.ts'), 2)
})
