/** Viewers of a low-latency playlist who wait for whole segments, beside those who wait for its parts. */
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

const PLAYLIST = '/ll/parts/360p.m3u8'
const MANY = 50
const PARTS = 5
const WHOLE = `?_HLS_msn=${NUMBER}`

interface Scene {
  readonly demo: LowLatencyDemo
  readonly relais: TestRelais
  /** So many viewers each. */
  reload(query: string): readonly Promise<Response>[]
  /** The directives of what the origin was asked for, but for the plain playlist. */
  asked(): readonly string[]
  /** Settles when so many viewers wait; what is hinted at is waited for by Relais itself. */
  waiting(viewers: number): Promise<void>
}

async function open(t: TestContext): Promise<Scene> {
  const demo = await openLowLatency(t, { start: START + 10 })
  const relais = await openTestRelais(t, { origins: [demo.url], clock: demo.clock })
  await get(relais.url + PLAYLIST)
  return {
    demo,
    relais,
    reload: (query) => Array.from({ length: MANY }, () => get(relais.url + PLAYLIST + query)),
    asked: () =>
      demo.asked
        .filter((target) => target.startsWith(`${PLAYLIST}?`))
        .map((target) => target.slice(PLAYLIST.length)),
    waiting: (viewers) =>
      until(async () => {
        const hints = demo.asked.filter((target) => target.endsWith('.m4s')).length > 0 ? 1 : 0
        return (await relais.stats()).waiting === viewers + hints
      }, `${viewers} wait`),
  }
}

function partOf(part: number): string {
  return `${WHOLE}&_HLS_part=${part}`
}

test('who waits for a whole segment has it with its last part, and the origin is not asked for it besides', async (t) => {
  const { demo, reload, asked, waiting } = await open(t)
  let byParts = reload(partOf(0))
  await waiting(MANY)
  const whole = reload(WHOLE)
  for (let part = 0; part < PARTS; part++) {
    await waiting(2 * MANY)
    demo.clock.advance(PART_MS)
    for (const { status } of await Promise.all(byParts)) assert.equal(status, 200)
    if (part < PARTS - 1) byParts = reload(partOf(part + 1))
  }
  for (const { status, body } of await Promise.all(whole)) {
    assert.equal(status, 200)
    assert.equal(body.toString(), textAt(PLAYLIST, demo.clock.now()))
  }
  assert.deepEqual(
    asked(),
    Array.from({ length: PARTS }, (_, part) => partOf(part)),
  )
})

test('where nobody waits for parts a whole segment is asked for once', async (t) => {
  const { demo, reload, asked, waiting } = await open(t)
  const whole = reload(WHOLE)
  await waiting(MANY)
  demo.clock.advance(PARTS * PART_MS)
  for (const { status, body } of await Promise.all(whole)) {
    assert.equal(status, 200)
    assert.equal(body.toString(), textAt(PLAYLIST, demo.clock.now()))
  }
  assert.deepEqual(asked(), [WHOLE])
})

test('who waits for a whole segment is not given less when those who waited for its parts have left', async (t) => {
  const { demo, relais, reload, asked, waiting } = await open(t)
  const leaving = new AbortController()
  const one = get(`${relais.url}${PLAYLIST}${partOf(0)}`, { signal: leaving.signal }).catch(() => 'left')
  await waiting(1)
  const whole = reload(WHOLE)
  await waiting(MANY + 1)
  leaving.abort()
  assert.equal(await one, 'left')
  for (let part = 0; part < PARTS; part++) {
    await waiting(MANY)
    demo.clock.advance(PART_MS)
  }
  for (const { status, body } of await Promise.all(whole)) {
    assert.equal(status, 200)
    assert.equal(body.toString(), textAt(PLAYLIST, demo.clock.now()))
  }
  assert.equal(new Set(asked()).size, asked().length, 'nothing is asked for twice')
})
