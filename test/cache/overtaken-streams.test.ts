/** What came to pass at a live stream while a fill was under way: each race played as the schedule it is. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get, type Response } from '../support/client.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'

const PLAYLIST = '/live/a.m3u8'
const TYPE = { 'content-type': 'application/vnd.apple.mpegurl' }
const LOW_LATENCY =
  '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5\n#EXT-X-PART-INF:PART-TARGET=0.5\n'

function playlist(first: number, more = ''): string {
  const segments = [0, 1, 2].map((index) => `#EXTINF:4,\ns${first + index}.ts\n`)
  return `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:${first}\n${more}${segments.join('')}`
}

function withPart(name: string): string {
  return `${playlist(10, LOW_LATENCY)}#EXT-X-PART:DURATION=0.5,URI="${name}"\n`
}

interface Scene {
  readonly origin: TestOrigin
  readonly relais: TestRelais
  /** What the origin shows under the plain name of the playlist. */
  shown: string
  /** All else waits here until the test answers it. */
  readonly held: ServerResponse[]
  ask(target: string): Promise<Response>
  /** Answers what the origin holds, the oldest first. */
  let(answer: string, status?: number): void
}

async function open(t: TestContext, shown: string): Promise<Scene> {
  const held: ServerResponse[] = []
  const origin = await openOrigin(t, (request, response) => {
    if (request.method !== 'GET') return response.writeHead(204).end()
    return request.url === PLAYLIST ? reply(response, scene.shown, TYPE) : held.push(response)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const scene: Scene = {
    origin,
    relais,
    shown,
    held,
    ask: (target) => get(relais.url + target),
    let: (answer, status = 200) => {
      const response = held.shift()
      assert.ok(response !== undefined, 'the origin holds something')
      reply(response, answer, {}, status)
    },
  }
  return scene
}

async function waiting({ relais }: Scene, count: number): Promise<void> {
  await until(async () => (await relais.stats()).waiting === count, `${count} wait`)
}

test('a write reaches the reloads that the origin holds', async (t) => {
  const scene = await open(t, playlist(10, LOW_LATENCY))
  const { relais, held } = scene
  await scene.ask(PLAYLIST)
  relais.clock.advance(500)
  const reload = `${PLAYLIST}?_HLS_msn=13&_HLS_part=0`
  // 1. A reload is held by the origin.
  const first = scene.ask(reload)
  await until(() => held.length === 1, 'the origin holds it')
  // 2. The playlist is written.
  relais.clock.advance(10)
  scene.shown = withPart('new.ts')
  assert.equal((await get(relais.url + PLAYLIST, { method: 'POST' })).status, 204)
  relais.clock.advance(10)
  // 3. Who comes now does not walk with it.
  const second = scene.ask(reload)
  await until(() => held.length === 2, 'the origin is asked once more')
  // 4. The origin answers: the first has what he asked for, and nobody else.
  scene.let(withPart('old.ts'))
  assert.equal((await first).body.toString(), withPart('old.ts'))
  assert.equal((await scene.ask(PLAYLIST)).body.toString(), withPart('new.ts'))
  scene.let(withPart('new.ts'))
  assert.equal((await second).body.toString(), withPart('new.ts'))
  await settled(relais)
  assert.equal((await scene.ask(reload)).body.toString(), withPart('new.ts'))
})

test('after a write nobody is refused by what the playlist said before', async (t) => {
  const scene = await open(t, playlist(10, LOW_LATENCY))
  await scene.ask(PLAYLIST)
  const reload = `${PLAYLIST}?_HLS_msn=1000&_HLS_part=0`
  assert.equal((await scene.ask(reload)).status, 400)
  await get(scene.relais.url + PLAYLIST, { method: 'PUT' })
  scene.relais.clock.advance(10)
  const far = `${playlist(998, LOW_LATENCY)}`
  const asked = scene.ask(reload)
  await until(() => scene.held.length === 1, 'the origin is asked')
  scene.let(far)
  assert.equal((await asked).body.toString(), far)
})

/** A viewer looks for a segment that is not there yet, and while the origin looks for it the playlist lists it. */
async function listedMeanwhile(
  t: TestContext,
  wasMissing = false,
): Promise<{
  scene: Scene
  before: Promise<Response>
  after: Promise<readonly Response[]>
}> {
  const scene = await open(t, playlist(10))
  const { relais, held } = scene
  await scene.ask(PLAYLIST)
  relais.clock.advance(2_100)
  if (wasMissing) {
    const earlier = scene.ask('/live/s13.ts')
    await until(() => held.length === 1, 'the origin looks for it')
    scene.let('not yet', 404)
    assert.equal((await earlier).status, 404)
    relais.clock.advance(1_000)
  }
  // 1. A viewer asks too early.
  const before = scene.ask('/live/s13.ts')
  await until(() => held.length === 1, 'the origin looks for it')
  relais.clock.advance(10)
  // 2. The playlist lists it.
  scene.shown = playlist(11)
  assert.equal((await scene.ask(PLAYLIST)).body.toString(), playlist(11))
  relais.clock.advance(10)
  // 3. Others ask.
  const after = Promise.all(Array.from({ length: 5 }, () => scene.ask('/live/s13.ts')))
  await waiting(scene, 6)
  assert.equal(held.length, 1, 'they walk with the first')
  return { scene, before, after }
}

test('a segment that is listed while somebody fetches it is fetched once', async (t) => {
  const { scene, before, after } = await listedMeanwhile(t)
  scene.let('segment')
  for (const { status } of [await before, ...(await after)]) assert.equal(status, 200)
  await settled(scene.relais)
  assert.match(String((await scene.ask('/live/s13.ts')).headers['cache-status']), /; hit/)
  assert.equal(scene.origin.count('/live/s13.ts'), 1)
})

test('a segment that was missing is fetched once by those who come before and after it is listed', async (t) => {
  const { scene, before, after } = await listedMeanwhile(t, true)
  scene.let('segment')
  for (const { status } of [await before, ...(await after)]) assert.equal(status, 200)
  await settled(scene.relais)
  assert.match(String((await scene.ask('/live/s13.ts')).headers['cache-status']), /; hit/)
  assert.equal(scene.origin.count('/live/s13.ts'), 2)
})

test('that a segment is missing is told to the one who asked before it was listed, and to nobody after', async (t) => {
  const { scene, before, after } = await listedMeanwhile(t)
  scene.let('not yet', 404)
  assert.equal((await before).status, 404)
  await until(() => scene.held.length === 1, 'one of the others asks for all')
  scene.let('segment')
  for (const { status } of await after) assert.equal(status, 200)
  await settled(scene.relais)
  assert.match(String((await scene.ask('/live/s13.ts')).headers['cache-status']), /; hit/)
  assert.equal(scene.origin.count('/live/s13.ts'), 2)
})

test('a segment of the run before that comes after the new run has begun does not stay', async (t) => {
  const scene = await open(t, playlist(100))
  const { relais, held } = scene
  await scene.ask(PLAYLIST)
  relais.clock.advance(13_000)
  // 1. A viewer asks for a name of the run before.
  const before = scene.ask('/live/s2.ts')
  await until(() => held.length === 1, 'the origin sends it')
  relais.clock.advance(10)
  // 2. A playlist of the new run lists the same name.
  scene.shown = playlist(0)
  assert.equal((await scene.ask(PLAYLIST)).body.toString(), playlist(0))
  relais.clock.advance(10)
  // 3. Another viewer asks for it, and does not walk with the first.
  const after = scene.ask('/live/s2.ts')
  await until(() => held.length === 2, 'the origin is asked once more')
  const [old, fresh] = held.splice(0)
  assert.ok(old !== undefined && fresh !== undefined)
  // 4. The new one lands, then the old one: that is deleted only where it lies in the place of the new one.
  reply(fresh, 'new')
  assert.equal((await after).body.toString(), 'new')
  reply(old, 'old')
  assert.equal((await before).body.toString(), 'old')
  await settled(relais)
  const again = scene.ask('/live/s2.ts')
  await until(() => held.length === 1, 'what the old one has pushed out is asked for again')
  scene.let('new')
  assert.equal((await again).body.toString(), 'new')
})

test('what came anew is not deleted when the fill that was overtaken had landed before', async (t) => {
  const scene = await open(t, playlist(100))
  const { relais, held } = scene
  await scene.ask(PLAYLIST)
  relais.clock.advance(13_000)
  const before = scene.ask('/live/s2.ts')
  await until(() => held.length === 1, 'the origin sends it')
  relais.clock.advance(10)
  scene.shown = playlist(0)
  await scene.ask(PLAYLIST)
  relais.clock.advance(10)
  scene.let('broken', 404)
  assert.equal((await before).status, 404)
  const after = scene.ask('/live/s2.ts')
  await until(() => held.length === 1, 'the origin is asked once more')
  scene.let('new')
  assert.equal((await after).body.toString(), 'new')
  await settled(relais)
  assert.match(String((await scene.ask('/live/s2.ts')).headers['cache-status']), /; hit/)
  assert.equal(scene.origin.count('/live/s2.ts'), 2)
})
