/** What a start makes of what it finds. */
import assert from 'node:assert/strict'
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { barrier } from '../support/barrier.ts'
import { directory, disk, filesIn, onlyFile } from './support/disks.ts'
import { filesWith } from './support/failing-files.ts'
import { bytesIn, bytesOf, headOf, put, requestOf } from './support/responses.ts'

const MIB = 1024 * 1024

test('what lay there is answered before the directory was looked through', async (t) => {
  const under = await disk(t)
  await put(under.store, headOf('a'), bytesOf('a', 1_000))
  const looking = barrier()
  const files = filesWith((deed, path) =>
    /\/[0-9a-f]{2}$/.test(path) && deed === 'readdir' ? looking.opened : undefined,
  )
  const store = await under.reopen({ files })
  assert.ok((await bytesIn(store, 'a'))?.equals(bytesOf('a', 1_000)))
  assert.equal(under.events.length, 1, 'only the first store has looked through the directory')
  looking.open()
  await store.reconciled
  assert.equal(under.events.length, 2)
})

test('a response that the journal does not know is adopted, its renewed head too', async (t) => {
  const under = await disk(t)
  for (const key of ['a', 'b']) await put(under.store, headOf(key), bytesOf(key, 300_000))
  await under.store.refresh(headOf('a', { status: 203 }))
  await under.store.close()
  await rm(join(under.path, 'journal'))
  const store = await under.reopen()
  await store.reconciled
  assert.equal((await store.get('a', requestOf()))?.head.status, 203)
  for (const key of ['a', 'b']) assert.ok((await bytesIn(store, key))?.equals(bytesOf(key, 300_000)))
  assert.deepEqual(under.events.at(-1), { kind: 'reconciled', adopted: 2, dropped: 0, removed: 0 })
})

test('while files may lie there uncounted, what is written waits for the count', async (t) => {
  const under = await disk(t)
  for (let index = 0; index < 7; index++) await put(under.store, headOf(`${index}`), bytesOf('x', MIB))
  await under.store.close()
  await rm(join(under.path, 'journal'))
  const store = await under.reopen()
  assert.ok((await put(store, headOf('new'), bytesOf('new', 2 * MIB))) !== undefined)
  const total = (await filesIn(under.path)).reduce((sum, file) => sum + file.bytes, 0)
  assert.ok(total <= 8 * MIB, `${total} bytes lie there`)
})

test('an entry whose file is gone is dropped', async (t) => {
  const under = await disk(t)
  await put(under.store, headOf('a'), bytesOf('a', 1_000))
  await under.store.close()
  await rm(await onlyFile(under.path, '.body'))
  const store = await under.reopen()
  assert.equal(store.stats().disk.entries, 1)
  await store.reconciled
  assert.deepEqual([store.stats().disk.entries, store.stats().disk.bytes], [0, 0])
})

test('what a killed process left on its way is removed', async (t) => {
  const path = await directory(t)
  await mkdir(join(path, 'tmp'))
  await writeFile(join(path, 'tmp', '0123456789ab.aside'), 'half a response')
  await disk(t, { path })
  assert.deepEqual(await filesIn(join(path, 'tmp')), [])
})

test("other people's files are left alone, not counted, and told once", async (t) => {
  const under = await disk(t)
  const theirs = ['notes.txt', '00/notes.txt', '00/00ff-1-2.body', 'tmp/notes.txt'].map((name) =>
    join(under.path, name),
  )
  await under.store.close()
  await mkdir(join(under.path, '00'))
  for (const file of theirs) await writeFile(file, 'theirs')
  const store = await under.reopen()
  await store.reconciled
  for (const file of theirs) assert.equal(await readFile(file, 'utf8'), 'theirs')
  assert.equal(store.stats().disk.bytes, 0)
  assert.deepEqual(
    under.events.filter((event) => event.kind === 'foreign'),
    [{ kind: 'foreign', example: join(under.path, 'notes.txt'), files: 3 }],
  )
})

test('a file with a name of ours and foreign content is removed', async (t) => {
  const under = await disk(t)
  await put(under.store, headOf('a'), bytesOf('a', 1_000))
  const file = await onlyFile(under.path, '.body')
  await under.store.close()
  const stranger = file.replace(/[0-9a-f]{12}\.body$/, '0123456789ab.body')
  await writeFile(stranger, 'theirs')
  const store = await under.reopen()
  await store.reconciled
  assert.deepEqual([store.stats().disk.entries, store.stats().disk.corrupt], [1, 1])
  assert.equal(await onlyFile(under.path, '.body'), file)
})

test('a head without its body is removed', async (t) => {
  const under = await disk(t)
  await put(under.store, headOf('a'), bytesOf('a', 1_000))
  await under.store.refresh(headOf('a'))
  await under.store.close()
  await rm(await onlyFile(under.path, '.body'))
  await rm(join(under.path, 'journal'))
  await (await under.reopen()).reconciled
  assert.deepEqual(
    (await filesIn(under.path)).filter((file) => file.path.endsWith('.head')),
    [],
  )
})

test('a purge while the directory is looked through reaches what is not known yet', async (t) => {
  const under = await disk(t)
  await put(under.store, headOf('a'), bytesOf('a', 1_000))
  await under.store.close()
  await rm(join(under.path, 'journal'))
  const store = await under.reopen()
  await store.delete('a')
  await store.reconciled
  assert.equal(await store.get('a', requestOf()), undefined)
  assert.equal((await filesIn(under.path)).filter((file) => file.path.endsWith('.body')).length, 0)
})

/** Two files for one response, as a kill leaves them between the name of the newer and the end of the older. */
async function withTwo(t: Parameters<typeof disk>[0]) {
  const under = await disk(t)
  await put(under.store, headOf('a'), bytesOf('older', 1_000))
  const older = await onlyFile(under.path, '.body')
  await copyFile(older, join(under.path, 'kept'))
  const journal = await readFile(join(under.path, 'journal'))
  await put(under.store, headOf('a'), bytesOf('newer', 1_000))
  const newer = await onlyFile(under.path, '.body')
  const grown = await readFile(join(under.path, 'journal'))
  await under.store.close()
  await rename(join(under.path, 'kept'), older)
  // The records of both puts, and none of a remove.
  await writeFile(join(under.path, 'journal'), grown.subarray(0, journal.byteLength + 44))
  return { under, older, newer }
}

test('of two files for one response the newer is kept, and the older removed', async (t) => {
  const { under, newer } = await withTwo(t)
  const store = await under.reopen()
  await store.reconciled
  assert.ok((await bytesIn(store, 'a'))?.equals(bytesOf('newer', 1_000)))
  await store.close()
  assert.equal(await onlyFile(under.path, '.body'), newer)
})

test('a newer file that never got its name leaves the older one stored', async (t) => {
  const { under, older, newer } = await withTwo(t)
  await rm(newer)
  const store = await under.reopen()
  assert.ok((await bytesIn(store, 'a'))?.equals(bytesOf('older', 1_000)))
  await store.reconciled
  assert.equal(store.stats().disk.entries, 1)
  assert.equal(await onlyFile(under.path, '.body'), older)
})

test('the order of use outlives a restart', async (t) => {
  const under = await disk(t)
  for (let index = 0; index < 7; index++) await put(under.store, headOf(`${index}`), bytesOf('x', MIB))
  await under.store.get('0', requestOf())
  const store = await under.reopen()
  await put(store, headOf('new'), bytesOf('x', MIB))
  assert.ok((await store.get('0', requestOf())) !== undefined)
  assert.equal(await store.get('1', requestOf()), undefined)
})

test('a lower bound is kept as soon as anything is written', async (t) => {
  const under = await disk(t)
  for (let index = 0; index < 7; index++) await put(under.store, headOf(`${index}`), bytesOf('x', MIB))
  const store = await under.reopen({ maxBytes: 3 * MIB, maxEntryBytes: MIB })
  assert.ok((await put(store, headOf('new'), bytesOf('new', 100_000))) !== undefined)
  const total = (await filesIn(under.path)).reduce((sum, file) => sum + file.bytes, 0)
  assert.ok(total <= 3 * MIB, `${total} bytes lie there`)
  assert.ok((await store.get('6', requestOf())) !== undefined, 'what was used last stays')
})

test('the journal stays short, however often the same is stored', async (t) => {
  const under = await disk(t)
  for (let round = 0; round < 100; round++) {
    await Promise.all(Array.from({ length: 50 }, () => put(under.store, headOf('a'), bytesOf('a', 10))))
  }
  const { bytes } = (await filesIn(under.path)).find((file) => file.path.endsWith('/journal')) ?? {}
  assert.ok(bytes !== undefined && bytes < 44 * 6_000, `${bytes} bytes`)
  const store = await under.reopen()
  assert.ok((await bytesIn(store, 'a'))?.equals(bytesOf('a', 10)))
})
