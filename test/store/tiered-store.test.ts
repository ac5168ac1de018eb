/** What memory and disk do for each other. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import type { RequestHead } from '../../src/rfc/heads.ts'
import type { DiskStore } from '../../src/store/disk/disk-store.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import type { Store, StoredHead, StoredResponse, StoreWriter } from '../../src/store/store.ts'
import { TieredStore } from '../../src/store/tiered-store.ts'
import { CONTRACT_BOUNDS } from '../contract/store.ts'
import { barrier } from '../support/barrier.ts'
import { disk, onlyFile } from './support/disks.ts'
import { bytesIn, bytesOf, headOf, put, read, requestOf } from './support/responses.ts'

const MEMORY = { maxBytes: 4 * 1024 * 1024, maxEntryBytes: 1024 * 1024 }

/** A store that does something else before it answers a get, and counts these. */
class Watched implements Store {
  readonly #store: Store
  gets = 0
  afterGet: () => Promise<void> = async () => undefined

  constructor(store: Store) {
    this.#store = store
  }

  peek(key: string, request: RequestHead): StoredResponse | undefined {
    return this.#store.peek(key, request)
  }

  has(key: string): boolean {
    return this.#store.has(key)
  }

  use(key: string): void {
    this.#store.use(key)
  }

  demote(key: string): void {
    this.#store.demote(key)
  }

  async get(key: string, request: RequestHead): Promise<StoredResponse | undefined> {
    this.gets++
    const stored = await this.#store.get(key, request)
    await this.afterGet()
    return stored
  }

  open(head: StoredHead, size: number | undefined): Promise<StoreWriter | undefined> {
    return this.#store.open(head, size)
  }

  refresh(head: StoredHead): Promise<boolean> {
    return this.#store.refresh(head)
  }

  heads(place: 'memory' | 'disk'): AsyncIterable<StoredHead> {
    return this.#store.heads(place)
  }

  delete(key: string): Promise<boolean> {
    return this.#store.delete(key)
  }

  stats() {
    return this.#store.stats()
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}

interface Tiers {
  readonly store: TieredStore
  readonly memory: MemoryStore
  readonly below: Watched
  readonly disk: DiskStore
  readonly path: string
}

async function tiers(t: TestContext): Promise<Tiers> {
  const { store: bare, path } = await disk(t)
  const memory = new MemoryStore(MEMORY)
  const below = new Watched(bare)
  return { store: new TieredStore({ memory, disk: below }), memory, below, disk: bare, path }
}

test('what is committed lies in memory and on disk, and memory answers', async (t) => {
  const { store, disk, below } = await tiers(t)
  const committed = await put(store, headOf('a'), bytesOf('a', 100_000))
  assert.ok(committed?.body.chunks !== undefined)
  assert.ok(store.peek('a', requestOf()) !== undefined)
  assert.ok((await bytesIn(disk, 'a'))?.equals(bytesOf('a', 100_000)))
  assert.ok((await bytesIn(store, 'a'))?.equals(bytesOf('a', 100_000)))
  assert.equal(below.gets, 0)
})

test('what memory lost comes back from disk, once', async (t) => {
  const { store, memory, below } = await tiers(t)
  await put(store, headOf('a'), bytesOf('a', 800_000))
  await memory.delete('a')
  assert.equal(store.peek('a', requestOf()), undefined)
  assert.ok((await bytesIn(store, 'a'))?.equals(bytesOf('a', 800_000)))
  assert.ok(store.peek('a', requestOf()) !== undefined)
  assert.ok((await bytesIn(store, 'a'))?.equals(bytesOf('a', 800_000)))
  assert.equal(below.gets, 1)
})

test('all who ask for a response while it comes from disk share one read', async (t) => {
  const { store, memory, below } = await tiers(t)
  await put(store, headOf('a'), bytesOf('a', 800_000))
  await memory.delete('a')
  const found = await Promise.all(Array.from({ length: 50 }, () => bytesIn(store, 'a')))
  assert.ok(found.every((bytes) => bytes?.equals(bytesOf('a', 800_000))))
  assert.equal(below.gets, 1)
})

test('who asks for another variant meanwhile gets the one selected', async (t) => {
  const { store, memory } = await tiers(t)
  for (const accept of ['x', 'y']) {
    await put(store, headOf('a', { variant: { accept } }), bytesOf(accept, 10_000))
  }
  await memory.delete('a')
  const found = await Promise.all(['x', 'y', 'x', 'y'].map((accept) => bytesIn(store, 'a', { accept })))
  assert.deepEqual(
    found,
    ['x', 'y', 'x', 'y'].map((accept) => bytesOf(accept, 10_000)),
  )
})

test('a flipped bit on disk is a miss, not a broken answer', async (t) => {
  const { store, memory, path, disk } = await tiers(t)
  await put(store, headOf('a'), bytesOf('a', 800_000))
  await memory.delete('a')
  const file = await onlyFile(path, '.body')
  const bytes = await readFile(file)
  bytes.writeUInt8(bytes.readUInt8(700_000) ^ 1, 700_000)
  await writeFile(file, bytes)
  assert.equal(await store.get('a', requestOf()), undefined)
  assert.deepEqual([disk.stats().disk.entries, disk.stats().disk.corrupt], [0, 1])
})

test('of a large body a small part is read from disk alone, until the parts cost as much as the whole', async (t) => {
  const { store, memory, below } = await tiers(t)
  const bytes = bytesOf('a', 1_000_000)
  await put(store, headOf('a'), bytes)
  await memory.delete('a')
  const part = { first: 300_000, last: 300_999 }
  const readPart = async (): Promise<Buffer> => {
    const stored = await store.get('a', requestOf(), part)
    assert.ok(stored !== undefined)
    return Buffer.concat(await Array.fromAsync(stored.body.read(part)))
  }
  // Each costs a read of 256 KiB.
  for (let time = 0; time < 3; time++) {
    assert.ok((await readPart()).equals(bytes.subarray(300_000, 301_000)))
    assert.equal(store.peek('a', requestOf()), undefined)
  }
  assert.ok((await readPart()).equals(bytes.subarray(300_000, 301_000)))
  assert.ok(store.peek('a', requestOf()) !== undefined)
  const gets = below.gets
  await readPart()
  assert.equal(below.gets, gets)
})

test('who was given a part can still read the rest', async (t) => {
  const { store, memory } = await tiers(t)
  const bytes = bytesOf('a', 1_000_000)
  await put(store, headOf('a'), bytes)
  await memory.delete('a')
  const stored = await store.get('a', requestOf(), { first: 10, last: 99 })
  assert.equal(store.peek('a', requestOf()), undefined)
  assert.ok(stored !== undefined && (await read(stored)).equals(bytes))
})

test('a flipped bit in a part is a miss, not a broken answer', async (t) => {
  const { store, memory, path } = await tiers(t)
  await put(store, headOf('a'), bytesOf('a', 1_000_000))
  await memory.delete('a')
  const file = await onlyFile(path, '.body')
  const written = await readFile(file)
  written.writeUInt8(written.readUInt8(500_000) ^ 1, 500_000)
  await writeFile(file, written)
  assert.equal(await store.get('a', requestOf(), { first: 490_000, last: 490_999 }), undefined)
  assert.equal(store.has('a'), false)
})

test('what memory would not hold is streamed from disk', async (t) => {
  const { store, memory } = await tiers(t)
  const bytes = bytesOf('large', 2_500_000)
  const committed = await put(store, headOf('large'), bytes)
  const stored = await store.get('large', requestOf())
  for (const response of [committed, stored]) {
    assert.equal(response?.body.chunks, undefined)
    assert.ok((await read(response)).equals(bytes))
  }
  assert.equal(memory.stats().memory.entries, 0)
})

for (const [what, deed] of [
  ['a delete', async (store: Store) => void (await store.delete('a'))],
  ['a renewal', async (store: Store) => void (await store.refresh(headOf('a', { status: 203 })))],
  [
    'a commit',
    async (store: Store) => void (await put(store, headOf('a', { status: 203 }), bytesOf('b', 10))),
  ],
] as const) {
  test(`${what} is not undone by what came from disk before it`, async (t) => {
    const { store, memory, below } = await tiers(t)
    await put(store, headOf('a'), bytesOf('a', 800_000))
    await memory.delete('a')
    const reading = barrier()
    const mayGoOn = barrier()
    below.afterGet = async () => {
      reading.open()
      await mayGoOn.opened
    }
    const rising = store.get('a', requestOf())
    await reading.opened
    await deed(store)
    mayGoOn.open()
    assert.ok((await rising) !== undefined, 'who asked before is answered as of before')
    const now = store.peek('a', requestOf()) ?? (await store.get('a', requestOf()))
    assert.equal(now?.head.status, what === 'a delete' ? undefined : 203)
  })
}

test('who asks after a delete is not given what was on its way before it', async (t) => {
  const { store, memory, below } = await tiers(t)
  await put(store, headOf('a'), bytesOf('a', 10_000))
  await memory.delete('a')
  const reading = barrier()
  const mayGoOn = barrier()
  below.afterGet = async () => {
    reading.open()
    await mayGoOn.opened
  }
  const rising = store.get('a', requestOf())
  await reading.opened
  await store.delete('a')
  const after = store.get('a', requestOf())
  mayGoOn.open()
  await rising
  assert.equal(await after, undefined)
})

test('when memory gives a response up, disk holds it and reads it back', async (t) => {
  const { store } = await tiers(t)
  const bytes = bytesOf('a', 2_500_000)
  const writer = await store.open(headOf('a'), undefined)
  assert.equal(writer?.held, 'memory')
  for (let at = 0; at < bytes.byteLength; at += 100_000) await writer?.write(bytes.subarray(at, at + 100_000))
  assert.equal(writer?.held, 'disk')
  const found = await writer?.readBack({ first: 1_000, last: 900_000 })
  assert.ok(found !== undefined && bytes.subarray(1_000, 900_001).equals(found))
  assert.ok((await read(await writer?.commit())).equals(bytes))
})

test('when both give a response up, it is in nobody\u2019s hands', async (t) => {
  const { store } = await tiers(t)
  const writer = await store.open(headOf('a'), undefined)
  for (let at = 0; at < 40; at++) await writer?.write(bytesOf('a', 100_000))
  assert.equal(writer?.held, 'nowhere')
  assert.equal(await writer?.commit(), undefined)
  assert.equal(await store.get('a', requestOf()), undefined)
})

test('a store without disk declines what memory declines', async () => {
  const store = new TieredStore({ memory: new MemoryStore(MEMORY), disk: undefined })
  assert.equal(await store.open(headOf('a'), 2_000_000), undefined)
  assert.equal(store.stats().disk.state, 'off')
})

test('each place counts for itself', async (t) => {
  const { store } = await tiers(t)
  await put(store, headOf('a'), bytesOf('a', 10_000))
  await put(store, headOf('large'), bytesOf('large', 2_000_000))
  const { memory, disk } = store.stats()
  assert.deepEqual([memory.entries, memory.maxBytes], [1, MEMORY.maxBytes])
  assert.deepEqual([disk.entries, disk.maxBytes, disk.state], [2, CONTRACT_BOUNDS.maxBytes, 'on'])
})

test('a place that does not keep the newer response forgets the older one', async (t) => {
  const { store, memory } = await tiers(t)
  await put(store, headOf('a'), bytesOf('old', 1_000))
  const large = memory.maxEntryBytes + 1
  await put(store, headOf('a', { storedAt: 2_000 }), bytesOf('new', large))
  assert.equal(store.peek('a', requestOf()), undefined)
  const stored = await store.get('a', requestOf())
  assert.equal(stored?.head.storedAt, 2_000)
})
