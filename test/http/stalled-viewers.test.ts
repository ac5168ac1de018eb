/** Viewers who take nothing: what they hold is counted, and never more than memory may hold. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Stats } from '../../src/ops/stats.ts'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { filmBytes, MIB, openFilmOrigin } from '../support/film.ts'
import { purge } from '../support/operator.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { openViewer, type Viewer } from '../support/viewer.ts'
import { openWire } from '../support/wire.ts'

const FRESH = { 'cache-control': 'max-age=600', etag: '"1"' }
/** More than any system takes for a viewer who reads nothing. */
const BODY_BYTES = 16 * MIB
const MEMORY = { maxBytes: '80MB', maxEntryBytes: '20MB' }
/** Of these 80 MB a quarter is left to the collector, and half of the rest is lent at most. */
const MOST_LENT = 30 * MIB

interface Play {
  readonly origin: TestOrigin
  readonly relais: TestRelais
  readonly disk: string | undefined
}

async function open(t: TestContext, hasDisk: boolean): Promise<Play> {
  const origin = await openOrigin(t, (request, response) => reply(response, bodyOf(request.url ?? ''), FRESH))
  const path = hasDisk ? await mkdtemp(join(tmpdir(), 'relais-stalled-')) : undefined
  const disk = path === undefined ? { path: 'none' } : { path, maxBytes: '500MB' }
  const relais = await openTestRelais(t, { origins: [origin.url], file: { memory: MEMORY, disk } })
  if (path !== undefined)
    t.after(async () => {
      await relais.close()
      await rm(path, { recursive: true, force: true })
    })
  return { origin, relais, disk: path }
}

function bodyOf(target: string): Buffer {
  return filmBytes(0, (target.includes('short') ? MIB : BODY_BYTES) - 1, Number(target.match(/\d+/)?.[0]))
}

async function within(relais: TestRelais): Promise<Stats['memory']> {
  const { memory } = await relais.stats()
  assert.ok(memory.bytes <= memory.maxBytes, `${memory.bytes} bytes are held`)
  return memory
}

/** Everything that is stored is evicted, except what came last. */
async function turnOver(relais: TestRelais): Promise<void> {
  for (let nth = 900; nth < 905; nth++) {
    assert.ok((await get(`${relais.url}/seg-${nth}.ts`)).isWhole)
    await within(relais)
  }
}

async function stall(relais: TestRelais, viewers: number, isFilled: boolean): Promise<Viewer[]> {
  const stalled: Viewer[] = []
  for (let nth = 0; nth < viewers; nth++) {
    const url = `${relais.url}/seg-${nth}.ts`
    if (isFilled) assert.ok((await get(url)).isWhole)
    const viewer = openViewer(url, { paused: true })
    await viewer.head
    stalled.push(viewer)
    await until(async () => (await relais.stats()).fills === 0, 'the fill is over')
    await within(relais)
  }
  return stalled
}

for (const [who, isFilled] of [
  ['of hits', true],
  ['of fills', false],
] as const) {
  test(`stalled viewers ${who} hold no more than memory may: the stalest are reset, the others get all of it`, async (t) => {
    const { relais } = await open(t, false)
    const stalled = await stall(relais, 6, isFilled)
    await turnOver(relais)
    const { lent, recalled } = await within(relais)
    assert.ok(lent > 0 && lent <= MOST_LENT, `${lent} bytes are lent`)
    assert.equal(recalled, 5)
    for (const viewer of stalled) viewer.resume()
    const answers = await Promise.all(stalled.map(({ answer }) => answer))
    assert.deepEqual(
      answers.map(({ isWhole }) => isWhole),
      [false, false, false, false, false, true],
    )
    assert.ok(answers[5]?.body.equals(bodyOf('/seg-5.ts')))
    await until(async () => (await within(relais)).lent === 0, 'everything was given back')
  })

  test(`stalled viewers ${who} read on from disk what was evicted`, async (t) => {
    const { origin, relais } = await open(t, true)
    const stalled = await stall(relais, 6, isFilled)
    await turnOver(relais)
    const { lent, recalled } = await within(relais)
    assert.ok(lent > 0 && lent <= MOST_LENT, `${lent} bytes are lent`)
    assert.equal(recalled, 0)
    for (const viewer of stalled) viewer.resume()
    for (const [nth, { answer }] of stalled.entries()) {
      assert.ok((await answer).body.equals(bodyOf(`/seg-${nth}.ts`)), `viewer ${nth}`)
    }
    assert.equal(origin.count(), 6 + 5)
    await until(async () => (await within(relais)).lent === 0, 'everything was given back')
  })
}

test('stalled viewers of slices and of ranges hold no more than memory may', async (t) => {
  const origin = await openFilmOrigin(t, { size: 24 * MIB })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { memory: { maxBytes: '24MB' } } })
  const stalled: Viewer[] = []
  for (let nth = 0; nth < 12; nth++) {
    const headers = nth % 2 === 0 ? {} : { range: 'bytes=1000000-' }
    const viewer = openViewer(`${relais.url}/film-${nth}.mp4`, { paused: true, headers })
    await viewer.head
    stalled.push(viewer)
    await within(relais)
  }
  await until(async () => (await relais.stats()).fills === 0, 'the slices have landed')
  assert.ok((await get(`${relais.url}/film-20.mp4`)).isWhole)
  assert.ok((await within(relais)).lent > 0)
  for (const viewer of stalled) viewer.leave()
  await until(async () => (await within(relais)).lent === 0, 'everything was given back')
})

test('what is purged while viewers are being sent it is counted until they have it, and they have all of it', async (t) => {
  const { origin, relais } = await open(t, false)
  const stalled = await stall(relais, 2, true)
  const { deleted } = await purge(relais.url, { all: true })
  assert.equal(deleted, 2)
  const { entries, lent } = await within(relais)
  assert.deepEqual([entries, lent], [0, 2 * BODY_BYTES])
  for (const [nth, viewer] of stalled.entries()) {
    viewer.resume()
    assert.ok((await viewer.answer).body.equals(bodyOf(`/seg-${nth}.ts`)))
  }
  await until(async () => (await within(relais)).lent === 0, 'everything was given back')
  assert.equal(origin.count(), 2)
})

test('what waits behind another answer of its connection is counted too, and given back when the connection ends', async (t) => {
  const { relais } = await open(t, false)
  const targets = Array.from({ length: 24 }, (_, nth) => `/short-${nth}.ts`)
  for (const target of targets) assert.ok((await get(relais.url + target)).isWhole)
  const wire = await openWire(t, relais.url)
  wire.socket.pause()
  wire.write(targets.map((target) => `GET ${target} HTTP/1.1\r\nhost: a\r\n\r\n`).join(''))
  await until(async () => (await relais.stats()).requests.hit === targets.length, 'all are answered')
  await turnOver(relais)
  const { lent, recalled } = await within(relais)
  assert.equal(recalled, 0)
  assert.ok(lent >= 8 * MIB, `${lent} bytes are lent`)
  wire.socket.destroy()
  await until(async () => (await within(relais)).lent === 0, 'everything was given back')
})
