/** At the live edge nobody hears of a segment before it is here, and nobody waits long for a playlist because of that. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { testClock } from '../support/clock.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { idle, isHit, ON } from './support/ahead.ts'

const STEP_MS = 100
const TARGET_MS = 2_000

/** Asks for the playlist every `everyMs`, and at once for each segment that it newly lists. */
interface Poller {
  readonly everyMs: number
  nextAt: number
  last: number
}

test('of twenty viewers of a live channel none waits for a segment once they play, for one playlist request a half target duration at most, and none when they have left', async (t) => {
  const clock = testClock()
  const origin = await openOrigin(t, async (request, response) => {
    const last = Math.floor(clock.now() / TARGET_MS) - 1
    if (request.url === '/a.m3u8') return reply(response, listOf(TARGET_MS, last - 5, last))
    // Long enough for whoever has heard of it to ask, however fast or slow the machine.
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
    reply(response, 'segment')
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON, clock })
  let segments = 0
  const waited: string[] = []
  const poll = async (viewer: Poller): Promise<void> => {
    const playlist = (await get(`${relais.url}/a.m3u8`)).body.toString()
    const names = playlist.split('\n').filter((line) => line.endsWith('.ts'))
    const isNew = (name: string): boolean => numberOf(name) > viewer.last
    // As players do: three segments behind the edge, then each new one.
    for (const name of viewer.last === 0 ? names.slice(-3) : names.filter(isNew)) {
      const answer = await get(`${relais.url}/${name}`)
      assert.equal(answer.status, 200)
      segments++
      if (!isHit(answer)) waited.push(`${name}: ${answer.headers['cache-status']}`)
      viewer.last = numberOf(name)
    }
  }
  // From half a target duration to a whole one; some ask at the same instant, and some at that at which a segment comes.
  const viewers = Array.from({ length: 20 }, (_, index): Poller => {
    const everyMs = 1_000 + (index % 11) * STEP_MS
    return { everyMs, nextAt: clock.now() + index * STEP_MS, last: 0 }
  })
  const startedAt = clock.now()
  const watchedMs = 4 * 60_000
  while (clock.now() < startedAt + watchedMs) {
    const now = clock.now()
    const due = viewers.filter(({ nextAt }) => nextAt <= now)
    for (const viewer of due) viewer.nextAt += viewer.everyMs
    await Promise.all(due.map(poll))
    clock.advance(STEP_MS)
  }
  const playlists = origin.count('/a.m3u8')
  assert.ok(segments > 2_300, `${segments} requests for segments`)
  assert.ok(waited.length <= segments * 0.005, `${waited.length} of ${segments} waited: ${waited.join('\n')}`)
  assert.ok(playlists <= (2 * watchedMs) / TARGET_MS, `${playlists} requests for the playlist`)
  await idle(relais)
  const before = origin.count()
  for (let ms = 0; ms < 20 * TARGET_MS; ms += TARGET_MS) {
    clock.advance(TARGET_MS)
    await idle(relais)
  }
  assert.equal(origin.count(), before, 'nothing is asked for when nobody watches')
  t.diagnostic(`${waited.length} of ${segments} waited, ${playlists} requests for the playlist`)
})

function numberOf(name: string): number {
  return Number(/(\d+)\.ts$/.exec(name)?.[1])
}

function listOf(targetMs: number, first: number, last: number): string {
  const seconds = targetMs / 1000
  const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index)
  const segments = numbers.map((number) => `#EXTINF:${seconds},\ns${number}.ts\n`)
  return `#EXTM3U\n#EXT-X-TARGETDURATION:${seconds}\n#EXT-X-MEDIA-SEQUENCE:${first}\n${segments.join('')}`
}

/** A channel whose newest segment is s`last`, of four seconds each; from s3 on the origin answers when the test says so. */
interface Channel {
  readonly origin: TestOrigin
  last: number
  readonly held: ServerResponse[]
}

async function openChannel(t: TestContext, maxAge: number): Promise<Channel> {
  const held: ServerResponse[] = []
  const origin = await openOrigin(t, (request, response) => {
    const { last } = channel
    const target = request.url ?? ''
    if (!target.endsWith('.m3u8')) return target < '/s3' ? reply(response, 'segment') : held.push(response)
    reply(response, listOf(4_000, 0, last), { 'cache-control': `max-age=${maxAge}` })
  })
  const channel = { origin, last: 2, held }
  return channel
}

test('a viewer is served the version before until the segment that a new one lists is here', async (t) => {
  const channel = await openChannel(t, 8)
  const relais = await openTestRelais(t, { origins: [channel.origin.url], file: ON })
  const url = `${relais.url}/a.m3u8`
  for (const path of ['/a.m3u8', '/s2.ts']) await get(relais.url + path)
  channel.last = 3
  relais.clock.advance(4_000)
  await get(url)
  await until(() => channel.held.length === 1, 'the playlist is renewed, and what it lists is asked for')
  const meanwhile = await get(url)
  assert.ok(isHit(meanwhile))
  assert.doesNotMatch(meanwhile.body.toString(), /s3\.ts/)
  for (const response of channel.held) reply(response, 'segment')
  await idle(relais)
  assert.match((await get(url)).body.toString(), /s3\.ts/)
  assert.ok(isHit(await get(`${relais.url}/s3.ts`)))
  assert.equal(channel.origin.count('/a.m3u8'), 2)
})

test('a playlist is held back for half a second at most, and then for ten segments not at all', async (t) => {
  const channel = await openChannel(t, 2)
  const relais = await openTestRelais(t, { origins: [channel.origin.url], file: ON })
  const url = `${relais.url}/a.m3u8`
  for (const path of ['/a.m3u8', '/s2.ts']) await get(relais.url + path)
  channel.last = 3
  relais.clock.advance(4_000)
  let isShown = false
  const first = get(url).finally(() => {
    isShown = true
  })
  await until(() => channel.held.length === 1, 'what it lists is asked for')
  await relais.stats()
  assert.equal(isShown, false)
  relais.clock.advance(500)
  assert.match((await first).body.toString(), /s3\.ts/)
  for (const response of channel.held.splice(0)) reply(response, 'segment')
  await idle(relais)
  channel.last = 4
  relais.clock.advance(4_000)
  assert.match((await get(url)).body.toString(), /s4\.ts/, 'at once, though it is not here')
  await until(() => channel.held.length === 1, 'it was asked for all the same')
  for (const response of channel.held.splice(0)) reply(response, 'segment')
  await idle(relais)
  channel.last = 5
  relais.clock.advance(40_000)
  // Nobody has watched for so long: who comes back is seen to.
  for (const path of ['/a.m3u8', '/s2.ts']) await get(relais.url + path)
  channel.last = 6
  relais.clock.advance(4_000)
  isShown = false
  const again = get(url).finally(() => {
    isShown = true
  })
  await until(() => channel.held.some(({ req }) => req.url === '/s6.ts'), 'what it lists is asked for')
  await relais.stats()
  assert.equal(isShown, false)
  for (const response of channel.held.splice(0)) reply(response, 'segment')
  assert.match((await again).body.toString(), /s6\.ts/)
})

test('a segment that does not come holds back no playlist, nor does one where nothing is fetched ahead', async (t) => {
  for (const segments of [0, 2]) {
    const channel = await openChannel(t, 2)
    const relais = await openTestRelais(t, {
      origins: [channel.origin.url],
      file: { prefetch: { segments } },
    })
    for (const path of ['/a.m3u8', '/s2.ts']) await get(relais.url + path)
    channel.last = 3
    relais.clock.advance(4_000)
    const playlist = get(`${relais.url}/a.m3u8`)
    if (segments > 0) {
      await until(() => channel.held.length === 1, 'what it lists is asked for')
      for (const response of channel.held) reply(response, 'none', {}, 404)
    }
    assert.match((await playlist).body.toString(), /s3\.ts/)
    assert.equal(channel.origin.count('/s3.ts'), segments > 0 ? 1 : 0)
  }
})

test('a version that is held back does not take the place of a newer one that the origin held meanwhile', async (t) => {
  const channel = await openChannel(t, 2)
  const reloads: ServerResponse[] = []
  const blocking = (last: number): string =>
    listOf(4_000, 0, last).replace('#EXTINF', '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n#EXTINF')
  channel.origin.answer((request, response) => {
    const target = request.url ?? ''
    if (target.includes('_HLS_msn')) return reloads.push(response)
    if (!target.includes('.m3u8'))
      return target < '/s3' ? reply(response, 'segment') : channel.held.push(response)
    reply(response, blocking(channel.last))
  })
  const relais = await openTestRelais(t, { origins: [channel.origin.url], file: ON })
  const url = `${relais.url}/a.m3u8`
  for (const path of ['/a.m3u8', '/s2.ts']) await get(relais.url + path)
  channel.last = 3
  relais.clock.advance(4_000)
  const heldBack = get(url)
  await until(() => channel.held.length === 1, 'what it lists is asked for')
  const reloaded = get(`${url}?_HLS_msn=4`)
  await until(() => reloads.length === 1, 'the next one is waited for')
  relais.clock.advance(100)
  for (const response of reloads) reply(response, blocking(4))
  assert.equal((await reloaded).body.toString(), blocking(4))
  for (const response of channel.held) reply(response, 'segment')
  assert.equal((await heldBack).body.toString(), blocking(4))
  assert.equal((await get(url)).body.toString(), blocking(4))
})
