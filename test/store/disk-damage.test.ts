/** What is not as it was written is never handed out: it is dropped and counted. */
import assert from 'node:assert/strict'
import { readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { DiskStore } from '../../src/store/disk/disk-store.ts'
import { type DiskUnderTest, disk, filesIn, onlyFile } from './support/disks.ts'
import { bytesIn, bytesOf, headOf, put, read, requestOf } from './support/responses.ts'

const SMALL = 10_000
const LARGE = 1_000_000

async function flip(file: string, at: number): Promise<void> {
  const bytes = await readFile(file)
  const place = at < 0 ? bytes.byteLength + at : at
  bytes.writeUInt8(bytes.readUInt8(place) ^ 4, place)
  await writeFile(file, bytes)
}

function assertDropped(store: DiskStore, corrupt: number): void {
  const { disk } = store.stats()
  assert.deepEqual(
    { entries: disk.entries, corrupt: disk.corrupt, errors: disk.errors, state: disk.state },
    { entries: 0, corrupt, errors: 0, state: 'on' },
  )
}

async function stored(under: DiskUnderTest, size: number): Promise<string> {
  await put(under.store, headOf('a'), bytesOf('a', size))
  return await onlyFile(under.path, '.body')
}

const PLACES: [string, number][] = [
  ['the magic', 0],
  ['the version', 8],
  ['the length of the head', 13],
  ['the sum of the head', 17],
  ['the sum of the prefix', 21],
  ['the first byte of the head', 24],
  ['the head', 100],
  ['the table', -28],
  ['the length of the body', -24],
  ['the sum of the table', -16],
  ['the sum of the trailer', -12],
  ['the end magic', -1],
]

for (const [what, at] of PLACES) {
  for (const size of [SMALL, LARGE]) {
    test(`a flipped bit in ${what} of a file of ${size} bytes makes it a miss`, async (t) => {
      const under = await disk(t)
      await flip(await stored(under, size), at)
      const store = await under.reopen()
      assert.equal(await store.get('a', requestOf()), undefined)
      assertDropped(store, 1)
      await store.close()
      assert.deepEqual(
        (await filesIn(under.path)).filter((file) => file.path.endsWith('.body')),
        [],
      )
    })
  }
}

test('a flipped bit in a small body makes it a miss', async (t) => {
  const under = await disk(t)
  await flip(await stored(under, SMALL), 5_000)
  assert.equal(await under.store.get('a', requestOf()), undefined)
  assertDropped(under.store, 1)
})

test('a flipped bit in a large body stops the reader before the damaged block, and never as an end', async (t) => {
  const under = await disk(t)
  const bytes = bytesOf('a', LARGE)
  await flip(await stored(under, LARGE), 600_000)
  const found = await under.store.get('a', requestOf())
  assert.ok(found !== undefined)
  const parts: Uint8Array[] = []
  await assert.rejects(async () => {
    for await (const part of found.body.read()) parts.push(part)
  }, /block 2 of the body is damaged/)
  assert.ok(Buffer.concat(parts).equals(bytes.subarray(0, 524_288)))
  assertDropped(under.store, 1)
})

test('a range beside the damaged block is read, a range in it is not', async (t) => {
  const under = await disk(t)
  const bytes = bytesOf('a', LARGE)
  await flip(await stored(under, LARGE), 600_000)
  const found = await under.store.get('a', requestOf())
  assert.ok((await read(found, { first: 100, last: 500_000 })).equals(bytes.subarray(100, 500_001)))
  assert.equal(under.store.stats().disk.entries, 1)
  await assert.rejects(read(found, { first: 599_000, last: 599_001 }), /damaged/)
  assertDropped(under.store, 1)
})

for (const size of [SMALL, LARGE]) {
  for (const left of [0, 10, 200, size - 1]) {
    test(`a file of ${size} bytes cut off after ${left} is a miss`, async (t) => {
      const under = await disk(t)
      await truncate(await stored(under, size), left)
      const store = await under.reopen()
      assert.equal(await store.get('a', requestOf()), undefined)
      assertDropped(store, 1)
    })
  }
}

test('a file cut off while it is read stops the reader with an error', async (t) => {
  const under = await disk(t)
  const file = await stored(under, LARGE)
  const found = await under.store.get('a', requestOf())
  await truncate(file, 600_000)
  await assert.rejects(read(found), /ends in block/)
  assertDropped(under.store, 1)
})

for (const at of [0, 9, 14, 22, 60]) {
  test(`a flipped bit at ${at} of a renewed head makes the response a miss`, async (t) => {
    const under = await disk(t)
    await stored(under, SMALL)
    await under.store.refresh(headOf('a', { status: 203 }))
    await flip(await onlyFile(under.path, '.head'), at)
    assert.equal(await under.store.get('a', requestOf()), undefined)
    assertDropped(under.store, 1)
  })
}

test('a torn renewed head makes the response a miss', async (t) => {
  const under = await disk(t)
  await stored(under, SMALL)
  await under.store.refresh(headOf('a', { status: 203 }))
  await truncate(await onlyFile(under.path, '.head'), 50)
  assert.equal(await under.store.get('a', requestOf()), undefined)
  assertDropped(under.store, 1)
})

test('a renewed head of another response is not taken for this one', async (t) => {
  const under = await disk(t)
  await put(under.store, headOf('b'), bytesOf('b', 10))
  await under.store.refresh(headOf('b', { status: 203 }))
  const other = await onlyFile(under.path, '.head')
  await rename(other, join(under.path, 'aside'))
  await under.store.delete('b')
  const file = await stored(under, SMALL)
  await under.store.refresh(headOf('a'))
  await rename(join(under.path, 'aside'), file.replace(/body$/, 'head'))
  assert.equal(await under.store.get('a', requestOf()), undefined)
  assertDropped(under.store, 1)
})

test('a file that vanished is a miss, and no fault of the disk', async (t) => {
  const under = await disk(t)
  await rm(await stored(under, SMALL))
  assert.equal(await under.store.get('a', requestOf()), undefined)
  assertDropped(under.store, 0)
})

test('a response under the name of another one is not answered for it', async (t) => {
  const under = await disk(t)
  const a = await stored(under, SMALL)
  const bytes = await readFile(a)
  await under.store.delete('a')
  await put(under.store, headOf('b'), bytesOf('b', SMALL))
  await writeFile(await onlyFile(under.path, '.body'), bytes)
  assert.equal(await under.store.get('b', requestOf()), undefined)
})

/** Three responses, of which the second is damaged in the journal at `at`. */
async function withDamagedJournal(t: Parameters<typeof disk>[0], at: number): Promise<DiskStore> {
  const under = await disk(t)
  for (const key of ['a', 'b', 'c']) await put(under.store, headOf(key), bytesOf(key, SMALL))
  await under.store.close()
  await flip(join(under.path, 'journal'), at)
  const store = await under.reopen()
  await store.reconciled
  return store
}

for (const [what, at] of [
  ['the opening', 3],
  ['a record', 100],
] as const) {
  test(`a flipped bit in ${what} of the journal loses nothing that is whole`, async (t) => {
    const store = await withDamagedJournal(t, at)
    for (const key of ['a', 'b', 'c']) assert.ok((await bytesIn(store, key))?.equals(bytesOf(key, SMALL)))
    assert.deepEqual([store.stats().disk.entries, store.stats().disk.corrupt], [3, 1])
  })
}

test('a torn end of the journal is ignored, and written over', async (t) => {
  const under = await disk(t)
  for (const key of ['a', 'b']) await put(under.store, headOf(key), bytesOf(key, SMALL))
  await under.store.close()
  await truncate(join(under.path, 'journal'), 3 * 44 - 10)
  const store = await under.reopen()
  await put(store, headOf('c'), bytesOf('c', SMALL))
  await store.reconciled
  for (const key of ['a', 'b', 'c']) assert.ok((await bytesIn(store, key))?.equals(bytesOf(key, SMALL)))
  const again = await under.reopen()
  assert.deepEqual([again.stats().disk.entries, again.stats().disk.corrupt], [3, 0])
})
