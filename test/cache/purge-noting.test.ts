/** When a purge is told to others, and when it is noted here. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cache } from '../../src/cache/cache.ts'
import { ManifestReader } from '../../src/cache/reading/manifest-reader.ts'
import { Streams } from '../../src/cache/streams.ts'
import { AddressBook } from '../../src/media/addresses/address-book.ts'
import type { PurgeOrder, PurgeRule } from '../../src/purge/purge-rule.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import type { Notes } from '../../src/store/notes.ts'
import { barrier } from '../support/barrier.ts'
import { testClock } from '../support/clock.ts'
import { routeOf } from './support/route.ts'

/** Notes that stand when `written` is opened, and what was handed in of them: at once, or for later. */
function stage() {
  const written = barrier()
  const handed: string[] = []
  const take = async (when: string, lines: readonly string[]): Promise<boolean> => {
    for (const _ of lines) handed.push(when)
    await written.opened
    return true
  }
  const notes: Notes = {
    ...{ lines: [], isDamaged: false, count: 0 },
    append: (lines) => take('at once', lines),
    later: (lines) => take('later', lines),
    rewrite: async () => true,
    close: async () => undefined,
  }
  const route = routeOf({ base: 'http://origin/' })
  const { purges } = new Cache({
    ...{
      store: new MemoryStore({ maxBytes: 1_000_000, maxEntryBytes: 1_000_000 }),
      clock: testClock().now,
      node: 'paris-1',
      notes,
    },
    ...{ routes: [route], streams: new Streams(), routeOf: () => route },
    slicing: { bytes: 1024 * 1024, above: 8 * 1024 * 1024 },
    prefetching: { segments: 0, share: 25 },
    addresses: new AddressBook([]),
    manifests: new ManifestReader(new AddressBook([])),
    tallyOf: () => ({ sent: 0, used: 0, wasted: 0 }),
    onTrouble: () => undefined,
  })
  return { purges, written, handed }
}

function orderOf(kind: PurgeOrder['kind'], value: string): PurgeOrder {
  return { kind, values: [value], soft: false }
}

test('a purge is told to others while it is noted here, in order, and answered when it stands', async () => {
  const { purges, written, handed } = stage()
  const told: PurgeRule[] = []
  let answered = 0
  purges.onPurge((rule) => told.push(rule))
  const orders = ['/a.ts', '/b.ts'].map((path) => purges.issue(orderOf('url', path)).then(() => answered++))
  assert.deepEqual(
    told.map(({ sequence, values }) => [sequence, ...values]),
    [
      [1, '/a.ts'],
      [2, '/b.ts'],
    ],
  )
  assert.deepEqual(handed, ['at once', 'at once'])
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(answered, 0)
  written.open()
  await Promise.all(orders)
  assert.equal(answered, 2)
})

test('the purge of another node is noted later, and that of a stream at once', async () => {
  const { purges, written, handed } = stage()
  written.open()
  const given = { by: 'paris-2:1', at: 1 }
  await purges.apply({ ...orderOf('url', '/a.ts'), ...given, sequence: 1 })
  assert.deepEqual(handed, ['later'])
  await purges.apply({ ...orderOf('stream', '/live.m3u8'), ...given, sequence: 2 })
  assert.equal(handed[1], 'at once')
})

test('the purge of another node is counted when it is in force, and not when it is noted', async () => {
  const { purges, written } = stage()
  const applied = purges.apply({ ...orderOf('url', '/a.ts'), by: 'paris-2:1', at: 1, sequence: 1 })
  assert.deepEqual([purges.stats().received, purges.sequenceOf('paris-2:1')], [1, 1])
  written.open()
  assert.equal((await applied).isNew, true)
})
