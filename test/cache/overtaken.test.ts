/** A write that overtakes a fill: what the fill brings is shown to nobody who comes after the write. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cache } from '../../src/cache/cache.ts'
import { ManifestReader } from '../../src/cache/reading/manifest-reader.ts'
import { Streams } from '../../src/cache/streams.ts'
import { AddressBook } from '../../src/media/addresses/address-book.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { barrier, until } from '../support/barrier.ts'
import { testClock } from '../support/clock.ts'
import { requestOf, routeOf } from './support/route.ts'

const NEVER = new AbortController().signal

test('what a write overtook is not served while the disk still writes it', async (t) => {
  const store = new MemoryStore({ maxBytes: 1_000_000, maxEntryBytes: 1_000_000 })
  t.after(() => store.close())
  const clock = testClock()
  const [body, disk] = [barrier(), barrier()]
  // Memory shows it at once, and the disk is done later.
  const open = store.open.bind(store)
  store.open = async (head, size) => {
    const writer = await open(head, size)
    const commit = writer?.commit.bind(writer)
    if (writer === undefined || commit === undefined) return writer
    const late = async () => {
      const stored = await commit()
      await disk.opened
      return stored
    }
    return Object.assign(writer, { commit: late })
  }
  let said = 'old'
  async function* bytes(text: string): AsyncGenerator<Uint8Array> {
    yield Buffer.from(text)
    if (text === 'old') await body.opened
  }
  const route = routeOf({
    source: {
      name: 'origin',
      fetch: async () => {
        const fields = { 'cache-control': 'max-age=60', 'content-length': '3' }
        const head = { status: 200, fields, requestedAt: clock.now(), receivedAt: clock.now() }
        return { head, from: 'origin', url: 'http://origin/', body: bytes(said), cancel: () => undefined }
      },
    },
  })
  const cache = new Cache({
    store,
    streams: new Streams(),
    routes: [route],
    clock: clock.now,
    node: 'test',
    slicing: { bytes: 1024 * 1024, above: 8 * 1024 * 1024 },
    prefetching: { segments: 0, share: 25 },
    routeOf: () => undefined,
    tallyOf: () => ({ sent: 0, used: 0, wasted: 0 }),
    addresses: new AddressBook([]),
    manifests: new ManifestReader(new AddressBook([])),
    onTrouble: () => undefined,
  })
  const ask = async (): Promise<string> => {
    const answer = await cache.answer(route, requestOf(), NEVER)
    assert.equal(answer.kind, 'stored')
    return answer.kind === 'stored'
      ? Buffer.concat(await Array.fromAsync(answer.stored.body.read())).toString()
      : ''
  }
  // 1. A fill asks.
  const before = ask()
  await until(() => cache.underWay.fills === 1, 'the fill is under way')
  // 2. A write is answered.
  clock.advance(10)
  said = 'new'
  await cache.written(route, '/seg1.ts', { status: 204, fields: {} })
  clock.advance(10)
  // 3. The fill commits, and lies in memory.
  body.open()
  assert.equal(await before, 'old')
  await until(() => store.has('/seg1.ts'), 'memory has it')
  assert.equal(cache.immediate(route, requestOf()), undefined)
  assert.equal(await ask(), 'new')
  // 4. It has landed, and nothing of it is left.
  disk.open()
  await until(() => cache.underWay.fills === 0, 'all have landed')
  assert.equal(await ask(), 'new')
})
