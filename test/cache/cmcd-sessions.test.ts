/** What players say of themselves is told in /stats and in the log, and costs no more than is set aside for it. */
import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { type TestContext, test } from 'node:test'
import { Sessions } from '../../src/cache/audience/sessions.ts'
import { Spot } from '../../src/cache/audience/spot.ts'
import { readEvents, sidOf } from '../../src/media/cmcd.ts'
import type { StreamStats } from '../../src/ops/stream-stats.ts'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { testClock } from '../support/clock.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

const VOD = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nseg1.ts\n#EXT-X-ENDLIST\n'

async function openFilm(t: TestContext): Promise<TestRelais> {
  const origin = await openOrigin(t, (request, response) =>
    reply(response, request.url?.startsWith('/main') ? VOD : 'segment', { 'cache-control': 'max-age=3600' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/main.m3u8`)
  await get(`${relais.url}/seg1.ts`)
  return relais
}

function inQuery(cmcd: string): string {
  return `/seg1.ts?CMCD=${encodeURIComponent(cmcd)}`
}

async function filmAfter(relais: TestRelais, reports: number): Promise<StreamStats> {
  await until(async () => (await relais.stats()).cmcd.reports === reports, `${reports} reports are read`)
  return (await relais.stats()).streams[0] ?? assert.fail('no stream')
}

test('sessions, buffers, stalls, startups, bitrates and throughputs are told, from query and headers', async (t) => {
  const relais = await openFilm(t)
  for (const cmcd of [
    'bl=0,br=800,ot=v,sid="a",su',
    'bl=400,br=800,mtp=9000,ot=v,sid="a",su',
    'bl=9000,br=1600,mtp=9500,ot=v,sid="a"',
    'bl=100,br=96,bs,ot=a,sid="a",su',
    'bl=5000,br=3200,mtp=20000,ot=v,sid="b"',
  ])
    assert.equal((await get(relais.url + inQuery(cmcd))).headers['cache-status']?.includes('hit'), true)
  const headers = { 'cmcd-request': 'bl=7000,mtp=4000', 'cmcd-object': 'br=2400', 'cmcd-session': 'sid="c"' }
  // With headers the query counts for nothing.
  await get(relais.url + inQuery('bl=1,bs,sid="d"'), { headers })
  const { cmcd, viewers } = await filmAfter(relais, 6)
  assert.deepEqual(cmcd, {
    sessions: 3,
    contents: [],
    bufferMinMs: 100,
    bufferMedianMs: 5000,
    stalls: 1,
    startups: 2,
    startupMedianMs: null,
    bitrateMedianKbps: 2400,
    throughputMedianKbps: 9500,
  })
  // The connections of `get` are closed, and those that carried sessions were none of their own.
  assert.equal(viewers, 3)
})

test('a run of urgent requests is one beginning, though manifests among them are in no hurry', async (t) => {
  const relais = await openFilm(t)
  const requests = [
    'ot=m,sid="a",su',
    'ot=m,sid="a"',
    'ot=i,sid="a",su',
    'bl=0,ot=v,sid="a",su',
    'ot=v,sid="a"',
  ]
  for (const cmcd of [...requests, 'bs,ot=v,sid="a",su', 'ot=m,sid="a"', 'ot=v,sid="a",su'])
    await get(relais.url + inQuery(cmcd))
  const { cmcd } = await filmAfter(relais, 8)
  assert.deepEqual([cmcd.startups, cmcd.stalls], [2, 1])
})

test('what players say of contents and of the time they took to start is told', async (t) => {
  const relais = await openFilm(t)
  for (const cmcd of [
    'cid="film",msd=900,sid="a",v=2',
    'cid="film",sid="a",v=2',
    'cid="other",msd=400,sid="b",v=2',
    'cid="film",msd=2000,sid="c",v=2',
    'sid="d"',
  ])
    await get(relais.url + inQuery(cmcd))
  const { cmcd } = await filmAfter(relais, 5)
  assert.deepEqual([cmcd.contents, cmcd.startupMedianMs], [['film', 'other'], 900])
})

test('a player that speaks of no session is a viewer by its connection', async (t) => {
  const relais = await openFilm(t)
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  for (const headers of [{}, { 'cmcd-request': 'bl=900' }, { 'cmcd-request': 'bl=,,' }]) {
    const path = Object.keys(headers).length === 0 ? inQuery('bl=900') : '/seg1.ts'
    await new Promise((resolve, reject) => {
      const asked = request(relais.url + path, { agent, headers }, (response) =>
        response.resume().on('end', resolve),
      )
      asked.on('error', reject).end()
    })
  }
  const { viewers, cmcd } = await filmAfter(relais, 2)
  assert.deepEqual([viewers, cmcd.sessions], [1, 0])
})

test('who is not heard of any more is no viewer, and after ten minutes no session', async (t) => {
  const relais = await openFilm(t)
  await get(relais.url + inQuery('bl=9000,sid="a"'))
  assert.equal((await filmAfter(relais, 1)).viewers, 1)
  relais.clock.advance(30_000)
  const { cmcd } = await filmAfter(relais, 1)
  assert.deepEqual([cmcd.sessions, cmcd.bufferMedianMs], [0, null])
  assert.equal((await relais.stats()).cmcd.sessions, 1)
  relais.clock.advance(10 * 60_000)
  assert.equal((await relais.stats()).cmcd.sessions, 0)
})

test('what is malformed, too long or of a version to come is worth nothing, and its answer is as always', async (t) => {
  const relais = await openFilm(t)
  for (const cmcd of ['bl=,,', `sid="${'x'.repeat(10_000)}"`, 'sid="a",v=3']) {
    const { status, body } = await get(relais.url + inQuery(cmcd))
    assert.deepEqual([status, String(body)], [200, 'segment'])
  }
  assert.equal((await get(`${relais.url}/seg1.ts?CMCD=%E0%A4%A`)).status, 200)
  await get(relais.url + inQuery('sid="b"'))
  const { cmcd } = await filmAfter(relais, 1)
  assert.equal(cmcd.sessions, 1)
})

test('the log names the session of the player, and no other has the field', async (t) => {
  const relais = await openFilm(t)
  await get(relais.url + inQuery('bl=9000,sid="6e2fb550-c457"'))
  await get(`${relais.url}/seg1.ts`, { headers: { 'cmcd-session': 'cid="x", sid="head er"' } })
  await until(() => relais.log.filter(({ msg }) => msg === 'request').length === 4, 'four lines')
  assert.deepEqual(
    relais.log.filter(({ msg }) => msg === 'request').map(({ sid }) => sid),
    [undefined, undefined, '6e2fb550-c457', 'head er'],
  )
})

test('a session is named by one well-formed string of at most 64 characters', () => {
  const named = (cmcd: string): string | undefined => sidOf(inQuery(cmcd), {})
  assert.equal(named('sid="a"'), 'a')
  assert.equal(named('bl=1,sid="a",st=v'), 'a')
  assert.equal(named(`sid="${'x'.repeat(65)}"`), undefined)
  assert.equal(named('xsid="a"'), undefined)
  assert.equal(named('sid="a\nb"'), undefined)
  assert.equal(named('sid="a\\"b"'), undefined)
  assert.equal(sidOf('/a?xCMCD=sid%3D%22a%22', {}), undefined)
  assert.equal(sidOf('/a?CMCD=sid%3D%22a%22', { 'cmcd-request': 'bl=1' }), undefined)
})

test('of more reports than a second may hold the rest is skipped, and the next second is open again', async () => {
  const clock = testClock()
  const sessions = new Sessions(clock.now)
  const request = { method: 'GET', target: inQuery('sid="a"'), fields: {} }
  const spot = new Spot('/main.m3u8')
  for (let turn = 0; turn < 5; turn++) {
    for (let count = 0; count < 600; count++) sessions.note(request, spot, clock.now())
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.deepEqual(pick(sessions), [2_000, 1_000])
  clock.advance(1_000)
  // No more wait for the end of a turn than may.
  for (let count = 0; count < 1_500; count++) sessions.note(request, spot, clock.now())
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(pick(sessions), [3_000, 1_500])
})

test('however many events anybody sends, what players say in requests is read', async () => {
  const clock = testClock()
  const sessions = new Sessions(clock.now)
  const { events } = readEvents('e=t,sid="x",ts=1,v=2')
  for (let count = 0; count < 2_100; count++) sessions.take(events, 0, clock.now())
  sessions.note(
    { method: 'GET', target: inQuery('sid="a"'), fields: {} },
    new Spot('/main.m3u8'),
    clock.now(),
  )
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(pick(sessions), [1, 100])
  assert.equal(sessions.stats().events, 2_000)
})

test('of more sessions than are kept those go that were silent longest', async () => {
  const clock = testClock()
  const sessions = new Sessions(clock.now)
  const spot = new Spot('/main.m3u8')
  for (let sid = 0; sid < 20_500; sid++) {
    if (sid % 500 === 0) {
      clock.advance(1_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    sessions.note({ method: 'GET', target: inQuery(`sid="${sid}"`), fields: {} }, spot, clock.now())
  }
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(sessions.stats().sessions, 20_000)
  assert.equal(sessions.stats().skipped, 0)
})

function pick(sessions: Sessions): readonly number[] {
  const { reports, skipped } = sessions.stats()
  return [reports, skipped]
}
