/** Low-latency HLS and DASH of the demo origin through Relais, by a clock that stands still until it is moved. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  type LowLatencyDemo,
  NUMBER,
  openLowLatency,
  PART_MS,
  START,
  textAt,
} from '../demo/low-latency/demo.ts'
import { until } from '../support/barrier.ts'
import { get, type Response } from '../support/client.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { openViewer } from '../support/viewer.ts'

const PLAYLIST = '/ll/parts/360p.m3u8'
const MANY = 100

interface Scene {
  readonly demo: LowLatencyDemo
  readonly relais: TestRelais
  /** What the origin was asked for since the last time. */
  asked(): readonly string[]
  reload(part: number, more?: string): Promise<Response>
}

async function open(
  t: TestContext,
  options: { start?: number; file?: Record<string, unknown> } = {},
): Promise<Scene> {
  const demo = await openLowLatency(t, { start: options.start ?? START + 10 })
  const { clock } = demo
  const relais = await openTestRelais(t, { origins: [demo.url], clock, file: options.file ?? {} })
  let seen = 0
  return {
    demo,
    relais,
    asked: () => {
      const before = seen
      seen = demo.asked.length
      return demo.asked.slice(before)
    },
    reload: (part, more = '') => get(`${relais.url}${PLAYLIST}?_HLS_msn=${NUMBER}&_HLS_part=${part}${more}`),
  }
}

function partOf(part: number): string {
  return `/ll/parts/360p/${NUMBER}.${part}.m4s`
}

function blocking(part: number): string {
  return `${PLAYLIST}?_HLS_msn=${NUMBER}&_HLS_part=${part}`
}

test('however many wait for a part, the origin holds one request, and all have the playlist when it is made', async (t) => {
  const { demo, relais, asked, reload } = await open(t)
  await get(relais.url + PLAYLIST)
  asked()
  const held = Array.from({ length: MANY }, (_, viewer) => reload(0, `&CMCD=sid%3D%22${viewer}%22`))
  await until(async () => (await relais.stats()).waiting === MANY, 'all wait')
  await demo.clock.waitedFor(1)
  demo.clock.advance(PART_MS)
  const answers = await Promise.all(held)
  for (const { status, body, headers } of answers) {
    assert.equal(status, 200)
    assert.equal(body.toString(), textAt(PLAYLIST, demo.clock.now()))
    assert.equal(headers['age'], '0')
  }
  await until(() => demo.asked.some((target) => target === partOf(1)), 'the part hinted at is asked for')
  assert.deepEqual(
    asked()
      .filter((target) => target.startsWith(PLAYLIST))
      .map((target) => target.replace(/CMCD=[^&]*&|&CMCD=[^&]*/, '')),
    [blocking(0)],
  )
})

test('the answer to a blocking reload is the newest version of the plain playlist', async (t) => {
  const { demo, relais, asked, reload } = await open(t)
  await get(relais.url + PLAYLIST)
  const held = reload(0)
  await demo.clock.waitedFor(1)
  demo.clock.advance(PART_MS)
  const { body } = await held
  asked()
  const plain = await get(relais.url + PLAYLIST)
  assert.deepEqual(plain.body, body)
  assert.match(String(plain.headers['cache-status']), /; hit/)
  // And it stays fresh no longer than a plain one: half a target duration.
  demo.clock.advance(1000)
  await get(relais.url + PLAYLIST)
  assert.equal(asked().filter((target) => target === PLAYLIST).length, 1)
})

test('what the stored playlist has is answered at once, whatever is named, and the origin is not asked', async (t) => {
  const { demo, relais, asked } = await open(t, { start: START + 3 * PART_MS })
  const { body } = await get(relais.url + PLAYLIST)
  asked()
  for (const query of [
    `_HLS_msn=${NUMBER}&_HLS_part=0`,
    `_HLS_msn=${NUMBER}&_HLS_part=2`,
    `_HLS_msn=${NUMBER - 1}`,
    `_HLS_msn=${NUMBER - 1}&_HLS_part=4`,
    '_HLS_msn=0&_HLS_part=7',
  ]) {
    const answer = await get(`${relais.url}${PLAYLIST}?${query}`)
    assert.deepEqual([answer.status, answer.body], [200, body], query)
    assert.match(String(answer.headers['cache-status']), /; hit/, query)
  }
  assert.deepEqual(asked(), [])
  assert.equal(demo.clock.waiting, 0)
})

test('what no viewer can mean is refused here, and keeps nobody from it when its time has come', async (t) => {
  const { demo, relais, asked } = await open(t)
  await get(relais.url + PLAYLIST)
  asked()
  for (const query of [
    '_HLS_part=0',
    `_HLS_msn=${NUMBER + 3}`,
    `_HLS_msn=${NUMBER + 2}&_HLS_part=0`,
    '_HLS_msn=18446744073709551616',
    '_HLS_msn=-1',
    `_HLS_msn=${NUMBER}&_HLS_part=x`,
    '_HLS_skip=NO',
  ]) {
    const { status, body, headers } = await get(`${relais.url}${PLAYLIST}?${query}`)
    assert.equal(status, 400, query)
    assert.equal(JSON.parse(body.toString()).error, 'BAD_DIRECTIVES')
    assert.equal(headers['cache-control'], 'no-store')
  }
  assert.deepEqual(asked(), [])
  demo.clock.advance(6_000)
  await get(relais.url + PLAYLIST)
  const later = await get(`${relais.url}${PLAYLIST}?_HLS_msn=${NUMBER + 2}&_HLS_part=0`)
  assert.equal(later.status, 200)
})

test('a delta update is made here of the whole playlist, which alone the origin is asked for', async (t) => {
  const { demo, relais, asked, reload } = await open(t)
  await get(relais.url + PLAYLIST)
  const held = [reload(0, '&_HLS_skip=YES'), reload(0)]
  await demo.clock.waitedFor(1)
  demo.clock.advance(PART_MS)
  const [delta, whole] = await Promise.all(held)
  // A player that joins the two by where things stand has the map, which the demo's own update leaves out.
  assert.equal(
    delta?.body.toString().replace(/#EXT-X-MAP.*\n/, ''),
    textAt(PLAYLIST, demo.clock.now(), '_HLS_skip=YES'),
  )
  assert.match(delta?.body.toString() ?? '', /#EXT-X-SKIP:SKIPPED-SEGMENTS=\d+/)
  assert.equal(whole?.body.toString(), textAt(PLAYLIST, demo.clock.now()))
  assert.deepEqual(
    asked().filter((target) => target.startsWith(PLAYLIST)),
    [PLAYLIST, blocking(0)],
  )
  const again = await reload(0, '&_HLS_skip=YES')
  assert.deepEqual(again.body, delta?.body)
  assert.match(String(again.headers['cache-status']), /; hit/)
})

test('a part that is hinted at is here before its viewers, and all of them walk with one request', async (t) => {
  const { demo, relais, asked, reload } = await open(t)
  await get(relais.url + PLAYLIST)
  const held = reload(0)
  await demo.clock.waitedFor(1)
  demo.clock.advance(PART_MS)
  await held
  // The next part is asked for though nobody has asked for it, and held by the origin.
  await until(() => demo.asked.includes(partOf(1)), 'the hinted part is asked for')
  const viewers = Array.from({ length: MANY }, () => get(relais.url + partOf(1)))
  await until(async () => (await relais.stats()).waiting > MANY, 'all wait, and Relais itself')
  demo.clock.advance(PART_MS)
  const bodies = await Promise.all(viewers)
  const direct = await get(demo.url + partOf(1))
  for (const { status, body } of bodies) assert.deepEqual([status, body], [200, direct.body])
  // Once by Relais, once by this test.
  assert.equal(asked().filter((target) => target === partOf(1)).length, 2)
})

test('a part of a playlist that nobody reloads is not asked for ahead', async (t) => {
  const { relais, demo } = await open(t)
  await get(relais.url + PLAYLIST)
  demo.clock.advance(1_000)
  await get(relais.url + PLAYLIST)
  assert.deepEqual([...new Set(demo.asked)], [PLAYLIST])
})

test('parts that are ranges of a segment in the making come from one fill, wherever each viewer begins', async (t) => {
  const { demo, relais } = await open(t)
  const { url } = relais
  const reload = `${url}/ll/ranges/360p.m3u8`
  await get(reload)
  const held = get(`${reload}?_HLS_msn=${NUMBER}&_HLS_part=0`)
  await demo.clock.waitedFor(1)
  demo.clock.advance(PART_MS)
  const text = (await held).body.toString()
  const [, start = ''] = /PRELOAD-HINT:TYPE=PART,.*BYTERANGE-START=(\d+)/.exec(text) ?? []
  const segment = `/ll/ranges/360p/${NUMBER}.m4s`
  // RFC 8673: from there to wherever the end will be.
  const rest = Array.from({ length: 20 }, () =>
    openViewer(url + segment, { headers: { range: `bytes=${start}-9007199254740991` } }),
  )
  const first = await get(url + segment, { headers: { range: `bytes=0-${Number(start) - 1}` } })
  assert.deepEqual([first.status, first.body.byteLength], [206, Number(start)])
  demo.clock.advance(PART_MS)
  await Promise.all(rest.map((viewer) => viewer.reached(1)))
  demo.clock.advance(4 * PART_MS)
  const answers = await Promise.all(rest.map(({ answer }) => answer))
  const whole = await get(demo.url + segment)
  for (const { status, headers, body } of answers) {
    assert.equal(status, 206)
    assert.equal(headers['content-length'], undefined)
    assert.match(String(headers['content-range']), new RegExp(`^bytes ${start}-\\d+/\\*$`))
    assert.deepEqual(body, whole.body.subarray(Number(start)))
  }
  assert.equal(demo.asked.filter((target) => target === segment).length, 2)
})

test('what the origin holds takes no connection from what it does not', async (t) => {
  const { demo, relais, reload } = await open(t, { file: { upstream: { connections: 1 } } })
  await get(relais.url + PLAYLIST)
  const held = [reload(0), reload(1), reload(2)]
  await demo.clock.waitedFor(3)
  assert.equal((await get(`${relais.url}/ll/parts/360p/${NUMBER - 1}.m4s`)).status, 200)
  demo.clock.advance(3 * PART_MS)
  for (const { status } of await Promise.all(held)) assert.equal(status, 200)
})

test('a segment that is being made reaches all viewers chunk by chunk, without a length, for one request', async (t) => {
  const { demo, relais } = await open(t)
  const segment = `/ll/dash/360p/${NUMBER}.m4s`
  await get(`${relais.url}/ll/dash/manifest.mpd`)
  const viewers = Array.from({ length: MANY }, () => openViewer(relais.url + segment))
  demo.clock.advance(PART_MS)
  await Promise.all(viewers.map((viewer) => viewer.reached(1)))
  demo.clock.advance(2_000)
  const answers = await Promise.all(viewers.map(({ answer }) => answer))
  const whole = await get(demo.url + segment)
  for (const { headers, body } of answers) {
    assert.equal(headers['content-length'], undefined)
    assert.deepEqual(body, whole.body)
  }
  assert.equal(demo.asked.filter((target) => target === segment).length, 2)
})

test('a segment asked for too early is forgotten before a chunk of it is made', async (t) => {
  const { demo, relais } = await open(t)
  await get(`${relais.url}/ll/dash/manifest.mpd`)
  const segment = `${relais.url}/ll/dash/360p/${NUMBER + 1}.m4s`
  assert.equal((await get(segment)).status, 404)
  demo.clock.advance(PART_MS)
  assert.equal((await get(segment)).status, 404)
  assert.equal(demo.asked.filter((target) => target.endsWith(`/${NUMBER + 1}.m4s`)).length, 2)
})

test('a patch that is not there yet is asked for again, for nobody keeps a 425', async (t) => {
  const { demo, relais } = await open(t)
  const mpd = (await get(`${relais.url}/ll/patch/manifest.mpd`)).body.toString()
  const [, location = ''] = /<PatchLocation[^>]*>([^<]+)</.exec(mpd) ?? []
  const { pathname, search } = new URL(
    location.replaceAll('&amp;', '&'),
    `${relais.url}/ll/patch/manifest.mpd`,
  )
  for (let time = 0; time < 2; time++) assert.equal((await get(relais.url + pathname + search)).status, 425)
  assert.equal(demo.asked.filter((target) => target === pathname + search).length, 2)
  demo.clock.advance(2_000)
  const patch = await get(relais.url + pathname + search)
  assert.deepEqual([patch.status, /<Patch /.test(patch.body.toString())], [200, true])
})

test('a 410 for a patch that would be too long goes out as it came, and the whole MPD is there to begin with again', async (t) => {
  const { demo, relais, asked } = await open(t)
  const manifest = '/ll/patch/manifest.mpd'
  const before = (await get(relais.url + manifest)).body.toString()
  const [, location = ''] = /<PatchLocation[^>]*>([^<]+)</.exec(before) ?? []
  const { pathname, search } = new URL(location.replaceAll('&amp;', '&'), relais.url + manifest)
  demo.clock.advance(22_000)
  const direct = await get(demo.url + pathname + search)
  asked()
  const viewers = await Promise.all(Array.from({ length: 20 }, () => get(relais.url + pathname + search)))
  for (const { status, body } of viewers) assert.deepEqual([status, body], [410, direct.body])
  assert.deepEqual(asked(), [pathname + search], 'for all of them it was asked for once')
  const whole = await get(relais.url + manifest)
  assert.equal(whole.body.toString(), textAt(manifest, demo.clock.now()))
  const [, next = ''] = /<PatchLocation[^>]*>([^<]+)</.exec(whole.body.toString()) ?? []
  assert.notEqual(next, location, 'patches go on from there')
})
