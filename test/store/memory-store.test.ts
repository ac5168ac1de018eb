/** What memory keeps and what it lets go: by bytes, by variants, and by how often a thing is asked for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RequestHead } from '../../src/rfc/heads.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import type { StoredHead, StoredResponse } from '../../src/store/store.ts'
import { CONTRACT_BOUNDS, storeContract } from '../contract/store.ts'

const KB = 1024

function headOf(key: string, more: Partial<StoredHead> = {}): StoredHead {
  return {
    key,
    status: 200,
    fields: { etag: '"1"' },
    variant: {},
    freshness: {
      bornAt: 0,
      freshUntil: 60_000,
      staleWhileRevalidateUntil: 60_000,
      staleIfErrorUntil: 60_000,
      mustValidate: false,
      immutable: false,
      explicit: true,
    },
    silent: { freshMs: 0, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 },
    kind: 'segment',
    admission: 'when-wanted',
    storedAt: 0,
    ...more,
  }
}

const PLAIN: RequestHead = { method: 'GET', target: '/', fields: {} }

function openStore(maxBytes: number, maxEntryBytes = maxBytes): MemoryStore {
  return new MemoryStore({ maxBytes, maxEntryBytes })
}

async function put(store: MemoryStore, head: StoredHead, bytes: number): Promise<StoredResponse | undefined> {
  const writer = await store.open(head, bytes)
  writer?.write(Buffer.alloc(bytes, 'a'))
  const stored = await writer?.commit()
  const { memory } = store.stats()
  assert.ok(memory.bytes <= memory.maxBytes, `${memory.bytes} bytes are held of ${memory.maxBytes}`)
  return stored
}

storeContract('memory', async (t) => {
  const store = new MemoryStore(CONTRACT_BOUNDS)
  t.after(() => store.close())
  return { store }
})

test('what was committed is found, and nothing before', async () => {
  const store = openStore(100 * KB)
  const writer = await store.open(headOf('a'), undefined)
  assert.ok(writer)
  writer.write(Buffer.from('first '))
  writer.write(Buffer.from('second'))
  assert.equal(store.peek('a', PLAIN), undefined)
  await writer.commit()
  const stored = store.peek('a', PLAIN)
  assert.equal(Buffer.concat(stored?.body.chunks ?? []).toString(), 'first second')
  assert.equal(stored?.body.size, 12)
  assert.equal(store.stats().memory.entries, 1)
})

test('an aborted response leaves no trace', async () => {
  const store = openStore(100 * KB)
  const writer = await store.open(headOf('a'), undefined)
  writer?.write(Buffer.alloc(10 * KB))
  assert.ok(store.stats().memory.bytes > 10 * KB)
  await writer?.abort(new Error('broken off'))
  assert.equal(store.peek('a', PLAIN), undefined)
  assert.equal(store.stats().memory.bytes, 0)
  assert.equal(store.stats().memory.entries, 0)
})

test('bytes of responses being written count as held, so that the bound is never passed', async () => {
  const store = openStore(100 * KB)
  const writers = await Promise.all(['a', 'b', 'c'].map((key) => store.open(headOf(key), undefined)))
  for (let round = 0; round < 10; round++) {
    for (const writer of writers) {
      writer?.write(Buffer.alloc(8 * KB))
      assert.ok(store.stats().memory.bytes <= 100 * KB)
    }
  }
  const held = writers.map((writer) => writer?.held)
  assert.ok(held.includes('nowhere'))
  for (const writer of writers) await writer?.commit()
  assert.ok(store.stats().memory.bytes <= 100 * KB)
})

test('a response larger than an entry may be is declined when its size is told, and given up when it is not', async () => {
  const store = openStore(100 * KB, 20 * KB)
  assert.equal(await store.open(headOf('a'), 21 * KB), undefined)
  const writer = await store.open(headOf('b'), undefined)
  writer?.write(Buffer.alloc(15 * KB))
  assert.equal(writer?.held, 'memory')
  writer?.write(Buffer.alloc(15 * KB))
  assert.equal(writer?.held, 'nowhere')
  assert.equal(await writer?.commit(), undefined)
  assert.equal(store.stats().memory.bytes, 0)
  assert.equal(store.stats().memory.declined, 2)
})

test('the least recently used goes first', async () => {
  const store = openStore(50 * KB)
  for (const key of ['a', 'b', 'c', 'd']) await put(store, headOf(key), 10 * KB)
  await store.get('e', PLAIN)
  await put(store, headOf('e'), 10 * KB)
  assert.equal(store.peek('a', PLAIN), undefined)
  assert.ok(store.peek('d', PLAIN))
  assert.ok(store.peek('e', PLAIN))
  assert.equal(store.stats().memory.evictions, 1)
  assert.equal(store.stats().memory.entries, 4)
})

test('a walk through the catalogue does not push out what is asked for again and again', async () => {
  const store = openStore(50 * KB)
  await put(store, headOf('hot'), 10 * KB)
  for (let title = 0; title < 60; title++) {
    // Between two looks at it, three times as much comes by as there is room for.
    if (title % 12 === 0) for (let asked = 0; asked < 20; asked++) store.peek('hot', PLAIN)
    await store.get(`cold-${title}`, PLAIN)
    await put(store, headOf(`cold-${title}`), 10 * KB)
  }
  assert.ok(store.peek('hot', PLAIN))
})

test('room is made for the live edge even where all is asked for often, and not for the tail', async () => {
  const store = openStore(50 * KB)
  for (const key of ['a', 'b', 'c', 'd']) {
    await put(store, headOf(key), 10 * KB)
    for (let asked = 0; asked < 100_000; asked++) store.peek(key, PLAIN)
  }
  assert.equal(await put(store, headOf('tail'), 10 * KB), undefined)
  assert.ok(await put(store, headOf('edge', { admission: 'always' }), 10 * KB))
})

test('variants of one key lie side by side, and each replaces its own', async () => {
  const store = openStore(100 * KB)
  const gzip: RequestHead = { ...PLAIN, fields: { 'accept-encoding': 'gzip' } }
  const br: RequestHead = { ...PLAIN, fields: { 'accept-encoding': 'br' } }
  await put(store, headOf('a', { variant: { 'accept-encoding': 'gzip' } }), 1 * KB)
  await put(store, headOf('a', { variant: { 'accept-encoding': 'br' } }), 2 * KB)
  assert.equal(store.peek('a', gzip)?.body.size, 1 * KB)
  assert.equal(store.peek('a', br)?.body.size, 2 * KB)
  assert.equal(store.peek('a', PLAIN), undefined)
  await put(store, headOf('a', { variant: { 'accept-encoding': 'br' } }), 3 * KB)
  assert.equal(store.peek('a', gzip)?.body.size, 1 * KB)
  assert.equal(store.peek('a', br)?.body.size, 3 * KB)
  assert.equal(store.stats().memory.entries, 2)
})

test('an origin that varies by viewer keeps no more than 16 variants of a key', async () => {
  const store = openStore(1024 * KB)
  for (let viewer = 0; viewer < 40; viewer++)
    await put(store, headOf('a', { variant: { 'user-agent': `${viewer}` } }), KB)
  assert.equal(store.stats().memory.entries, 16)
  assert.ok(store.stats().memory.bytes < 16 * 3 * KB)
})

test('a renewed head keeps the body, and one that is gone is not renewed', async () => {
  const store = openStore(100 * KB)
  await put(store, headOf('a'), KB)
  assert.equal(await store.refresh(headOf('a', { fields: { etag: '"1"', 'x-new': 'yes' } })), true)
  const stored = store.peek('a', PLAIN)
  assert.equal(stored?.head.fields['x-new'], 'yes')
  assert.equal(stored?.body.size, KB)
  assert.equal(await store.refresh(headOf('b')), false)
})

test('a head that grew does not pass the bound, not even while others are written', async () => {
  const store = openStore(50 * KB)
  await put(store, headOf('a'), 10 * KB)
  const writer = await store.open(headOf('b'), undefined)
  for (let index = 0; index < 36; index++) writer?.write(Buffer.alloc(KB))
  await store.refresh(headOf('a', { fields: { 'x-long': 'x'.repeat(10 * KB) } }))
  const { memory } = store.stats()
  assert.ok(memory.bytes <= memory.maxBytes, `${memory.bytes} of ${memory.maxBytes}`)
})

test('delete forgets every variant and gives back its bytes', async () => {
  const store = openStore(100 * KB)
  await put(store, headOf('a', { variant: { 'accept-encoding': 'gzip' } }), KB)
  await put(store, headOf('a', { variant: { 'accept-encoding': 'br' } }), KB)
  assert.equal(await store.delete('a'), true)
  assert.equal(await store.delete('a'), false)
  assert.equal(store.stats().memory.entries, 0)
  assert.equal(store.stats().memory.bytes, 0)
})

test('what is read in memory is cut from the stored chunks', async () => {
  const store = openStore(100 * KB)
  const writer = await store.open(headOf('a'), undefined)
  for (const part of ['0123', '4567', '89']) writer?.write(Buffer.from(part))
  await writer?.commit()
  const body = store.peek('a', PLAIN)?.body
  assert.ok(body)
  const read = async (first: number, last: number): Promise<string> =>
    Buffer.concat(await Array.fromAsync(body.read({ first, last }))).toString()
  assert.equal(await read(0, 9), '0123456789')
  assert.equal(await read(3, 8), '345678')
  assert.equal(await read(4, 4), '4')
  assert.equal(await read(9, 9), '9')
})

test('after it was closed it is an empty store, also for what was being written', async () => {
  const store = openStore(100 * KB)
  await put(store, headOf('a'), KB)
  const writer = await store.open(headOf('b'), undefined)
  writer?.write(Buffer.alloc(KB))
  await store.close()
  assert.equal(await writer?.commit(), undefined)
  assert.equal(store.peek('a', PLAIN), undefined)
  assert.equal(store.peek('b', PLAIN), undefined)
  assert.equal(await store.open(headOf('c'), 1), undefined)
  assert.equal(store.stats().memory.bytes, 0)
  assert.equal(store.stats().memory.entries, 0)
})

test('nothing is kept where memory is none', async () => {
  const store = openStore(0)
  assert.equal(await put(store, headOf('a'), 0), undefined)
  assert.equal(store.stats().memory.bytes, 0)
})

test('what is said to leave stays after all when somebody reads it', async () => {
  const store = openStore(100 * KB)
  for (const key of ['a', 'b']) await put(store, headOf(key), 40 * KB)
  store.demote('b')
  assert.ok(store.peek('b', PLAIN) !== undefined)
  await put(store, headOf('c', { admission: 'always' }), 40 * KB)
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => store.has(key)),
    [false, true, true],
  )
})
