/** Races of the judge, each played as the schedule it is. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Answer, Cache } from '../../src/cache/cache.ts'
import { ManifestReader } from '../../src/cache/reading/manifest-reader.ts'
import type { Route } from '../../src/cache/routes.ts'
import { Streams } from '../../src/cache/streams.ts'
import { AddressBook } from '../../src/media/addresses/address-book.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { type Barrier, barrier, until } from '../support/barrier.ts'
import { testClock } from '../support/clock.ts'
import { requestOf, routeOf } from './support/route.ts'

const NEVER = new AbortController().signal

interface Stage {
  readonly cache: Cache
  readonly route: Route
  /** How often the origin was asked. */
  readonly asked: () => number
  /** While set, a look into the store finds at once and tells late, as a disk does. */
  slow: Barrier | undefined
}

function setStage(t: TestContext): Stage {
  const store = new MemoryStore({ maxBytes: 1_000_000, maxEntryBytes: 1_000_000 })
  t.after(() => store.close())
  const clock = testClock()
  let asked = 0
  const stage = { slow: undefined as Barrier | undefined }
  const look = store.get.bind(store)
  store.get = async (key, request) => {
    const { slow } = stage
    const found = await look(key, request)
    await slow?.opened
    return found
  }
  const cache = new Cache({
    store,
    streams: new Streams(),
    routes: [],
    clock: clock.now,
    node: 'test',
    slicing: { bytes: 1024 * 1024, above: 8 * 1024 * 1024 },
    addresses: new AddressBook([]),
    manifests: new ManifestReader(new AddressBook([])),
    prefetching: { segments: 0, share: 25 },
    routeOf: () => undefined,
    tallyOf: () => ({ sent: 0, used: 0, wasted: 0 }),
    onTrouble: () => undefined,
  })
  const route = routeOf({
    source: {
      name: 'origin',
      fetch: async () => {
        asked++
        const fields = { 'cache-control': 'max-age=60', 'content-length': '7' }
        const head = { status: 200, fields, requestedAt: clock.now(), receivedAt: clock.now() }
        const body = ReadableStream.from([Buffer.from('segment')])
        return { head, from: 'origin', url: 'http://origin/', body, cancel: () => undefined }
      },
    },
  })
  return Object.assign(stage, { cache, route, asked: () => asked })
}

async function bodyOf(answer: Answer): Promise<string> {
  assert.equal(answer.kind, 'stored')
  if (answer.kind !== 'stored') return ''
  return Buffer.concat(await Array.fromAsync(answer.stored.body.read())).toString()
}

test('who looked into the store just before a fill landed does not fill once more', async (t) => {
  const stage = setStage(t)
  const { cache, route } = stage
  // 1. B looks: nothing is there, and it takes time to say so.
  const late = barrier()
  stage.slow = late
  const second = cache.answer(route, requestOf(), NEVER)
  stage.slow = undefined
  // 2. A fills, and its flight lands.
  assert.equal(await bodyOf(await cache.answer(route, requestOf(), NEVER)), 'segment')
  await until(() => cache.underWay.fills === 0, 'the fill has landed')
  // 3. B hears that nothing was there, and finds no flight to walk with.
  late.open()
  const answer = await second
  assert.equal(await bodyOf(answer), 'segment')
  assert.equal(answer.outcome, 'hit')
  assert.equal(stage.asked(), 1)
})

test('two who come in the same moment set out once', async (t) => {
  const { cache, route, asked } = setStage(t)
  const answers = await Promise.all([
    cache.answer(route, requestOf(), NEVER),
    cache.answer(route, requestOf(), NEVER),
  ])
  assert.deepEqual(
    answers.map(({ outcome }) => outcome),
    ['miss', 'collapsed'],
  )
  for (const answer of answers) assert.equal(await bodyOf(answer), 'segment')
  assert.equal(asked(), 1)
  await until(() => cache.underWay.fills === 0, 'the fill has landed')
})
