/** The purges in force: what they cover however many there are, and how they come from other nodes. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Cache } from '../../src/cache/cache.ts'
import { Positions } from '../../src/cache/purges/positions.ts'
import { type Held, Rules } from '../../src/cache/purges/rules.ts'
import { ManifestReader } from '../../src/cache/reading/manifest-reader.ts'
import { Streams } from '../../src/cache/streams.ts'
import { AddressBook } from '../../src/media/addresses/address-book.ts'
import type { PurgeRule } from '../../src/purge/purge-rule.ts'
import { Notebook } from '../../src/store/disk/notebook.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import type { StoredHead } from '../../src/store/store.ts'
import { filesWith, systemError } from '../store/support/failing-files.ts'
import { type Barrier, barrier, until } from '../support/barrier.ts'
import { testClock } from '../support/clock.ts'
import fc from '../support/properties.ts'
import { requestOf, routeOf, storedOf } from './support/route.ts'

function headOf(key: string, mark: number, tags = ''): StoredHead {
  const { head } = storedOf(tags === '' ? {} : { 'surrogate-key': tags })
  return { ...head, key, mark }
}

test('however many purges there are, what any of them covers stays covered', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `http://o/${names.join('/')}`)
  const what = fc.constantFrom<Held['what'][]>('key', 'prefix', 'tag')
  const purge = fc.record({ what, path, tag: name, isSoft: fc.boolean() })
  fc.assert(
    fc.property(
      fc.array(purge, { maxLength: 40 }),
      fc.array(fc.tuple(path, name, fc.nat(40))),
      (purges, heads) => {
        const few = new Rules({ keys: 3, prefixes: 4, tags: 2, text: 60 })
        const all = new Rules()
        for (const [index, one] of purges.entries()) {
          const value = one.what === 'tag' ? one.tag : one.path
          const held = { what: one.what, value, isSoft: one.isSoft, mark: index + 1 }
          for (const rules of [few, all]) rules.put(held)
        }
        assert.ok(few.size <= 3 + 4 + 2 + 2, `${few.size} are held`)
        const worse = { good: 0, stale: 1, gone: 2 }
        for (const [key, tag, mark] of heads) {
          const head = headOf(key, mark, tag)
          assert.ok(worse[few.standing(head)] >= worse[all.standing(head)], `${key} ${tag} ${mark}`)
          if (mark >= purges.length) assert.equal(few.standing(head), 'good')
        }
      },
    ),
  )
})

test('a head that was compared with all purges is compared with newer ones all the same', () => {
  const rules = new Rules()
  const head = headOf('http://o/a/b', 1, 't')
  rules.put({ what: 'prefix', value: 'http://o/b/', isSoft: false, mark: 2 })
  assert.equal(rules.standing(head), 'good')
  rules.put({ what: 'tag', value: 't', isSoft: true, mark: 3 })
  assert.equal(rules.standing(head), 'stale')
  rules.put({ what: 'prefix', value: 'http://o/a/', isSoft: false, mark: 4 })
  assert.equal(rules.standing(head), 'gone')
  assert.equal(rules.standing({ ...head, mark: 4 }), 'good')
})

test('what is done with is not held against anything any more, what is soft is', () => {
  const rules = new Rules()
  for (const [index, what] of (['key', 'prefix', 'tag', 'all'] as const).entries()) {
    // The hard prefix says all that the soft one of the same mark does, and takes its place.
    for (const isSoft of [true, false]) rules.put({ what, value: `x${index}`, isSoft, mark: index + 1 })
  }
  rules.retire(10, 10)
  assert.ok([...rules.list()].every(({ isSoft }) => isSoft))
  assert.deepEqual(new Set([...rules.list()].map(({ what }) => what)), new Set(['key', 'tag', 'all']))
})

test('positions take each number once, in any order, and know how far there is no gap', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(Array.from({ length: 20 }, (_, index) => index + 1)), (numbers) => {
      const positions = new Positions()
      for (const number of numbers) assert.ok(positions.take('a', number))
      for (const number of numbers) assert.ok(!positions.take('a', number))
      const gap = [...Array(21).keys()].find((number) => !numbers.includes(number + 1)) ?? 20
      assert.equal(positions.through('a'), gap)
    }),
  )
  const positions = new Positions()
  assert.ok(positions.take('a', 9))
  positions.skipTo('a', 8)
  assert.equal(positions.through('a'), 9)
  assert.deepEqual(
    [positions.take('a', 5), positions.take('a', 10), positions.take('b', 1)],
    [false, true, true],
  )
})

/** A cache over a store of which the test can hold up a look. */
function stage(t: { after(fn: () => unknown): void }) {
  const store = new MemoryStore({ maxBytes: 1_000_000, maxEntryBytes: 1_000_000 })
  t.after(() => store.close())
  const clock = testClock()
  const held: { look: Barrier | undefined } = { look: undefined }
  const get = store.get.bind(store)
  store.get = async (key, request) => {
    const { look } = held
    const found = await get(key, request)
    await look?.opened
    // From disk each look has a head of its own.
    return found === undefined ? undefined : { ...found, head: { ...found.head } }
  }
  let said = 'old'
  const route = routeOf({
    base: 'http://origin/',
    source: {
      name: 'origin',
      fetch: async () => {
        const fields = { 'cache-control': 'max-age=3600', 'content-length': '3' }
        const head = { status: 200, fields, requestedAt: clock.now(), receivedAt: clock.now() }
        const body = ReadableStream.from([Buffer.from(said)])
        return { head, from: 'origin', url: 'http://origin/', body, cancel: () => undefined }
      },
    },
  })
  const cache = new Cache({
    ...{ store, clock: clock.now, node: 'paris-1', routes: [route], streams: new Streams() },
    slicing: { bytes: 1024 * 1024, above: 8 * 1024 * 1024 },
    prefetching: { segments: 0, share: 25 },
    addresses: new AddressBook([]),
    manifests: new ManifestReader(new AddressBook([])),
    routeOf: () => route,
    tallyOf: () => ({ sent: 0, used: 0, wasted: 0 }),
    onTrouble: () => undefined,
  })
  const ask = async (): Promise<string> => {
    const answer = await cache.answer(route, requestOf(), new AbortController().signal)
    assert.equal(answer.kind, 'stored')
    return answer.kind === 'stored'
      ? Buffer.concat(await Array.fromAsync(answer.stored.body.read())).toString()
      : ''
  }
  const landed = (): Promise<void> => until(() => cache.underWay.fills === 0, 'all have landed')
  const say = (text: string): void => {
    said = text
  }
  return { cache, clock, held, ask, landed, say }
}

test('a look that found something before it was deleted is not believed when the purge is long over', async (t) => {
  for (const order of [
    { kind: 'prefix', values: ['/'], soft: false },
    { kind: 'url', values: ['/seg1.ts'], soft: false },
  ] as const) {
    const { cache, clock, held, ask, landed, say } = stage(t)
    assert.equal(await ask(), 'old')
    await landed()
    // 1. It finds what is there, and reads it for long.
    const look = barrier()
    held.look = look
    const late = ask()
    held.look = undefined
    // 2. That is purged, and deleted, and other purges come.
    say('new')
    await cache.purges.issue(order)
    clock.advance(60_000)
    for (let more = 0; more < 3; more++) await cache.purges.issue({ kind: 'tag', values: ['x'], soft: false })
    // 3. It has read it.
    look.open()
    assert.equal(await late, 'new')
  }
})

test('a rule from another node is applied once, however often it comes, and in any order', async (t) => {
  const { cache, ask, landed, say } = stage(t)
  const rule = (sequence: number, values: string[]): PurgeRule => ({
    ...{ sequence, by: 'paris-2:x', at: 0, kind: 'url', soft: false, values },
  })
  assert.equal(await ask(), 'old')
  await landed()
  say('new')
  assert.equal((await cache.purges.apply(rule(2, ['/seg1.ts']))).isNew, true)
  assert.equal(await ask(), 'new')
  await landed()
  say('newer')
  assert.equal((await cache.purges.apply(rule(2, ['/seg1.ts']))).isNew, false)
  assert.equal(await ask(), 'new')
  assert.equal(cache.purges.sequenceOf('paris-2:x'), 0)
  assert.equal((await cache.purges.apply(rule(1, ['/other.ts']))).isNew, true)
  assert.equal(cache.purges.sequenceOf('paris-2:x'), 2)
  assert.deepEqual(cache.purges.positions(), { 'paris-2:x': 2 })
  assert.equal(cache.purges.stats().received, 2)
})

test('who keeps the log hears each rule of this node in its order, and none of others', async (t) => {
  const { cache } = stage(t)
  const heard: PurgeRule[] = []
  cache.purges.onPurge((rule) => heard.push(rule))
  const order = { kind: 'tag', values: ['x'], soft: false } as const
  await Promise.all([cache.purges.issue(order), cache.purges.issue(order)])
  await cache.purges.apply({ ...order, sequence: 1, by: 'paris-2:x', at: 0 })
  assert.deepEqual(
    heard.map(({ by, sequence }) => [by, sequence]),
    [1, 2].map((sequence) => [cache.purges.by, sequence]),
  )
  assert.match(cache.purges.by, /^paris-1:[0-9a-f]{12}$/)
})

test('a gap in the log makes all that is older be validated', async (t) => {
  const { cache, ask, landed, say } = stage(t)
  assert.equal(await ask(), 'old')
  await landed()
  say('new')
  await cache.purges.skipTo('paris-2:x', 40)
  assert.equal(await ask(), 'new')
  assert.equal(cache.purges.sequenceOf('paris-2:x'), 40)
})

async function notebookPath(t: { after(fn: () => unknown): void }): Promise<{ path: string; aside: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'relais-notes-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return { path: join(folder, 'purges'), aside: join(folder, 'aside') }
}

test('notes are there after a restart, in their order, whatever was appended while they were written anew', async (t) => {
  const paths = await notebookPath(t)
  const notes = await Notebook.open({ ...paths, onFailure: () => assert.fail() })
  const written = [notes.append(['a']), notes.append(['b'])]
  written.push(
    notes.rewrite(['ab']),
    notes.append(['c']),
    notes.append(['d']),
    notes.rewrite(['abcd']),
    notes.append(['e']),
  )
  assert.deepEqual(new Set(await Promise.all(written)), new Set([true]))
  await notes.close()
  const again = await Notebook.open({ ...paths, onFailure: () => assert.fail() })
  assert.deepEqual([again.lines, again.isDamaged], [['abcd', 'e'], false])
  await again.close()
})

test('of notes that a kill tore the last is not believed and written over, and damage is told', async (t) => {
  const paths = await notebookPath(t)
  const open = (): Promise<Notebook> => Notebook.open({ ...paths, onFailure: () => assert.fail() })
  const first = await open()
  await first.append(['one', 'two'])
  await first.close()
  const bytes = await readFile(paths.path)
  for (let end = 0; end < bytes.length; end++) {
    await writeFile(paths.path, bytes.subarray(0, end))
    const torn = await open()
    assert.equal(torn.isDamaged, false)
    await torn.append(['three'])
    await torn.close()
    const again = await open()
    assert.equal(again.isDamaged, false)
    assert.equal(again.lines.at(-1), 'three')
    assert.ok(again.lines.length < 4)
    await again.close()
  }
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes)
    flipped[at] = (flipped[at] ?? 0) ^ 1
    await writeFile(paths.path, flipped)
    const damaged = await open()
    assert.ok(damaged.isDamaged || at === bytes.length - 1, `byte ${at}`)
    await damaged.close()
  }
})

test('notes that the disk does not take are told to whoever wants them kept, and nothing throws', async (t) => {
  const paths = await notebookPath(t)
  let isFull = false
  const files = filesWith((deed) => {
    if (isFull && (deed === 'writev' || deed === 'rename')) throw systemError('ENOSPC')
    return undefined
  })
  const failures: string[] = []
  const notes = await Notebook.open({ ...paths, files, onFailure: (what) => failures.push(what) })
  assert.equal(await notes.append(['one']), true)
  isFull = true
  assert.deepEqual([await notes.append(['two']), await notes.rewrite(['three'])], [false, false])
  isFull = false
  assert.equal(await notes.append(['four']), true)
  await notes.close()
  assert.deepEqual(failures, [`write ${paths.path}`, `rewrite ${paths.path}`])
  const again = await Notebook.open({ ...paths, onFailure: () => assert.fail() })
  assert.deepEqual(again.lines, ['one', 'four'])
  await again.close()
})
