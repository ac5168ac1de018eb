/** What was evicted while connections still hold it: it stays in the account, and the stalest is called back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryStore } from '../../src/store/memory-store.ts'
import type { Body } from '../../src/store/store.ts'
import { bytesOf, headOf, put } from './support/responses.ts'

const MIB = 1024 * 1024

function openStore(): MemoryStore {
  return new MemoryStore({ maxBytes: 10 * MIB, maxEntryBytes: 5 * MIB })
}

async function stored(store: MemoryStore, name: string, bytes: number): Promise<Body> {
  const response = await put(store, headOf(name), bytesOf(name, bytes), MIB)
  assert.ok(response !== undefined, `${name} was declined`)
  return response.body
}

async function evict(store: MemoryStore, name: string): Promise<void> {
  for (let more = 0; store.has(name); more++) await stored(store, `after ${name}, ${more}`, MIB)
}

test('bytes that a connection holds are in the account after they were evicted, until they are given back', async () => {
  const store = openStore()
  const body = await stored(store, 'a', 3 * MIB)
  const giveBack = [body.lend?.(undefined), body.lend?.(undefined)]
  assert.equal(store.stats().memory.lent, 0, 'while it is stored it is counted there')
  await evict(store, 'a')
  assert.equal(store.stats().memory.lent, 3 * MIB, 'once, however many hold it')
  assert.ok(store.stats().memory.bytes <= 10 * MIB)
  giveBack[0]?.()
  giveBack[0]?.()
  assert.equal(store.stats().memory.lent, 3 * MIB)
  giveBack[1]?.()
  assert.equal(store.stats().memory.lent, 0)
})

test('what is deleted or replaced is in the account as what is evicted is, and so is what is lent only then', async () => {
  const store = openStore()
  const [deleted, replaced, late] = [
    await stored(store, 'deleted', MIB),
    await stored(store, 'replaced', MIB),
    await stored(store, 'late', MIB),
  ]
  deleted.lend?.(undefined)
  replaced.lend?.(undefined)
  await store.delete('deleted')
  assert.equal(store.stats().memory.lent, MIB)
  await stored(store, 'replaced', MIB)
  assert.equal(store.stats().memory.lent, 2 * MIB)
  await store.delete('late')
  assert.equal(store.stats().memory.lent, 2 * MIB)
  const giveBack = late.lend?.(undefined)
  assert.equal(store.stats().memory.lent, 3 * MIB)
  giveBack?.()
  assert.equal(store.stats().memory.lent, 2 * MIB)
})

test('a new head for what is stored lends nothing', async () => {
  const store = openStore()
  const body = await stored(store, 'a', MIB)
  body.lend?.(undefined)
  assert.ok(
    await store.refresh(
      headOf('a', { fields: { etag: '"1"', 'content-type': 'video/mp4', 'x-new': 'a longer head' } }),
    ),
  )
  assert.equal(store.stats().memory.lent, 0)
})

test('more than half of memory is not lent: the stalest are broken off, and the bound is never passed', async () => {
  const store = openStore()
  const broken: string[] = []
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
    const body = await stored(store, name, 2 * MIB)
    body.lend?.(() => broken.push(name))
  }
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
    await evict(store, name)
    assert.ok(store.stats().memory.bytes <= 10 * MIB)
  }
  await stored(store, 'one more', MIB)
  assert.deepEqual(broken, ['a', 'b', 'c', 'd'])
  assert.equal(store.stats().memory.recalled, 4)
  assert.ok(store.stats().memory.lent <= 5 * MIB)
  assert.ok(store.has('one more'))
})

test('a reader who goes on is called back after those who stand still', async () => {
  const store = openStore()
  const broken: string[] = []
  const readers = new Map<string, AsyncIterator<Uint8Array>>()
  for (const name of ['a', 'b', 'c']) {
    const body = await stored(store, name, 2 * MIB)
    const reader = body.read(undefined, undefined, () => broken.push(name))[Symbol.asyncIterator]()
    await reader.next()
    readers.set(name, reader)
  }
  await store.delete('a')
  await store.delete('b')
  await readers.get('a')?.next()
  await store.delete('c')
  for (const name of ['d', 'e', 'f']) await stored(store, name, 3 * MIB)
  assert.deepEqual(broken, ['b'])
  assert.equal((await readers.get('a')?.next())?.done, true, 'a has all of it')
})

test('who is called back reads on elsewhere, owes the piece under way, and is broken off when that is called back, too', async () => {
  const store = openStore()
  const bytes = bytesOf('a', 3 * MIB)
  const elsewhere: Body = { size: bytes.byteLength, chunks: undefined, read: readFrom }
  async function* readFrom(range = { first: 0, last: bytes.byteLength - 1 }): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(range.first, range.last + 1)
  }
  const writer = await store.open(headOf('a'), bytes.byteLength, () => elsewhere)
  for (let at = 0; at < bytes.byteLength; at += MIB)
    writer?.write(Uint8Array.from(bytes.subarray(at, at + MIB)))
  const body = (await writer?.commit())?.body
  const broken: string[] = []
  const going = body?.read(undefined, undefined, () => broken.push('going'))[Symbol.asyncIterator]()
  const standing = body?.read(undefined, undefined, () => broken.push('standing'))[Symbol.asyncIterator]()
  body?.lend?.(() => broken.push('holding all'))
  const first = await going?.next()
  await standing?.next()
  await standing?.next()
  await store.delete('a')
  assert.equal(store.stats().memory.lent, 3 * MIB)
  const full = async (name: string): Promise<unknown> =>
    (await stored(store, name, 4 * MIB)).lend?.(undefined)
  for (const name of ['b', 'c']) await full(name)
  assert.deepEqual(broken, ['holding all'])
  assert.equal(body?.chunks, undefined)
  const rest = await going?.next()
  assert.ok(Buffer.concat([first?.value, rest?.value]).equals(bytes))
  for (const name of ['d', 'e', 'f']) await full(name)
  assert.deepEqual(broken, ['holding all', 'standing'])
  assert.equal((await going?.next())?.done, true)
})

test('who can read on elsewhere is called back before who would be broken off', async () => {
  const store = openStore()
  const writer = await store.open(headOf('elsewhere'), 2 * MIB, () => ({
    size: 2 * MIB,
    chunks: undefined,
    read: async function* () {
      yield bytesOf('elsewhere', 2 * MIB)
    },
  }))
  writer?.write(bytesOf('elsewhere', MIB))
  writer?.write(bytesOf('more', MIB))
  const broken: string[] = []
  const body = await stored(store, 'here alone', 2 * MIB)
  body.lend?.(() => broken.push('here alone'))
  await store.delete('here alone')
  const reader = (await writer?.commit())?.body.read(undefined, undefined, () => broken.push('elsewhere'))
  await reader?.[Symbol.asyncIterator]().next()
  await store.delete('elsewhere')
  ;(await stored(store, 'another', 2 * MIB)).lend?.(() => broken.push('another'))
  await store.delete('another')
  assert.equal(store.stats().memory.lent, 6 * MIB)
  await stored(store, 'new', 4 * MIB)
  await stored(store, 'newer', MIB)
  assert.equal(store.stats().memory.lent, 5 * MIB)
  assert.deepEqual(broken, [])
})

test('a reader who has nowhere to read on is told so, and is never shown an end', async () => {
  const store = openStore()
  const body = await stored(store, 'a', 3 * MIB)
  const reader = body.read()[Symbol.asyncIterator]()
  await reader.next()
  await store.delete('a')
  for (const name of ['b', 'c', 'd', 'e']) (await stored(store, name, 3 * MIB)).lend?.(undefined)
  await assert.rejects(async () => reader.next(), /byte 1048576 of the body has been evicted/)
})
