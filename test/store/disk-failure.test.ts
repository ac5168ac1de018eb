/** A disk that fails costs the proxy what it would have kept, and nothing else. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { DiskStore } from '../../src/store/disk/disk-store.ts'
import { CONTRACT_BOUNDS } from '../contract/store.ts'
import { descriptorsIn, directory, disk, filesIn, onlyFile } from './support/disks.ts'
import { type Deed, filesWith, systemError } from './support/failing-files.ts'
import { bytesIn, bytesOf, headOf, put, read, requestOf } from './support/responses.ts'

function open(path: string): Promise<DiskStore> {
  return DiskStore.open({ ...CONTRACT_BOUNDS, path, log: () => undefined })
}

async function locksIn(path: string): Promise<string[]> {
  return (await readdir(path)).filter((name) => name.startsWith('lock'))
}

/** A disk whose `deeds` fail with `code` while `isFailing` says so. */
async function failingDisk(t: TestContext, code: string, deeds: readonly Deed[]) {
  const fault = { isFailing: false, times: 0 }
  const files = filesWith((deed) => {
    if (!fault.isFailing || !deeds.includes(deed)) return undefined
    fault.times++
    return Promise.reject(systemError(code))
  })
  return { ...(await disk(t, { files })), fault }
}

for (const [code, deed] of [
  ['ENOSPC', 'writev'],
  ['EIO', 'writev'],
  ['EACCES', 'open'],
  ['EROFS', 'rename'],
] as const) {
  test(`a response that cannot be written (${code} at ${deed}) is given up and counted`, async (t) => {
    const { store, fault, path } = await failingDisk(t, code, [deed])
    await put(store, headOf('before'), bytesOf('before', 300_000))
    fault.isFailing = true
    assert.equal(await put(store, headOf('a'), bytesOf('a', 300_000)), undefined)
    fault.isFailing = false
    assert.equal(await store.get('a', requestOf()), undefined)
    assert.ok((await bytesIn(store, 'before'))?.equals(bytesOf('before', 300_000)))
    assert.ok((await put(store, headOf('after'), bytesOf('after', 300_000))) !== undefined)
    const { state, entries, errors } = store.stats().disk
    assert.deepEqual([state, entries], ['on', 2])
    assert.ok(errors > 0)
    assert.deepEqual(await filesIn(join(path, 'tmp')), [])
  })
}

test('a response whose head cannot be renewed is dropped, and the old head answered no more', async (t) => {
  const { store, fault, path } = await failingDisk(t, 'ENOSPC', ['writeFile'])
  await put(store, headOf('a'), bytesOf('a', 300_000))
  await put(store, headOf('b'), bytesOf('b', 300_000))
  fault.isFailing = true
  const { bytes } = store.stats().disk
  assert.equal(await store.refresh(headOf('a', { status: 203 })), false)
  assert.equal(await store.get('a', requestOf()), undefined)
  assert.equal(store.has('a'), false)
  const { errors, entries, bytes: after } = store.stats().disk
  assert.deepEqual([errors, entries], [1, 1])
  assert.ok(after < bytes)
  await store.close()
  const again = await open(path)
  t.after(() => again.close())
  assert.equal(await again.get('a', requestOf()), undefined)
  assert.ok((await bytesIn(again, 'b'))?.equals(bytesOf('b', 300_000)))
})

test('a disk that fails eight times in a row is turned off, and said so once', async (t) => {
  const { store, fault, events } = await failingDisk(t, 'EIO', ['writev'])
  await put(store, headOf('before'), bytesOf('before', 1_000))
  fault.isFailing = true
  for (let index = 0; index < 20; index++) await put(store, headOf(`${index}`), bytesOf('x', 1_000))
  const { state, entries, bytes, errors } = store.stats().disk
  assert.deepEqual([state, entries, bytes], ['failed', 0, 0])
  assert.ok(errors >= 8 && fault.times < 20, 'it is asked no more')
  assert.equal(events.filter((event) => event.kind === 'failed').length, 1)
  assert.equal(await store.get('before', requestOf()), undefined)
  assert.equal(await store.open(headOf('a'), 10), undefined)
  assert.equal(await store.refresh(headOf('before')), false)
})

test('failures that are not in a row do not turn the disk off', async (t) => {
  const { store, fault } = await failingDisk(t, 'EIO', ['writev'])
  for (let index = 0; index < 20; index++) {
    fault.isFailing = true
    await put(store, headOf('a'), bytesOf('x', 1_000))
    fault.isFailing = false
    await put(store, headOf('b'), bytesOf('x', 1_000))
  }
  assert.equal(store.stats().disk.state, 'on')
})

test('what is purged on a disk turned off does not come back with the next start', async (t) => {
  const { store, fault, reopen } = await failingDisk(t, 'EIO', ['writev'])
  await put(store, headOf('a'), bytesOf('a', 1_000))
  fault.isFailing = true
  for (let index = 0; index < 8; index++) await put(store, headOf(`${index}`), bytesOf('x', 1_000))
  await store.delete('a')
  fault.isFailing = false
  const again = await reopen()
  await again.reconciled
  assert.equal(await again.get('a', requestOf()), undefined)
})

test('a response that cannot be read is a miss, and a reader is told', async (t) => {
  const { store, fault } = await failingDisk(t, 'EIO', ['read'])
  await put(store, headOf('small'), bytesOf('small', 1_000))
  await put(store, headOf('large'), bytesOf('large', 1_000_000))
  const large = await store.get('large', requestOf())
  fault.isFailing = true
  await assert.rejects(read(large), { code: 'EIO' })
  assert.equal(await store.get('small', requestOf()), undefined)
  assert.deepEqual([store.stats().disk.entries, store.stats().disk.errors], [0, 2])
})

test('a lack of descriptors drops nothing', async (t) => {
  const { store, fault } = await failingDisk(t, 'EMFILE', ['open'])
  await put(store, headOf('a'), bytesOf('a', 1_000))
  fault.isFailing = true
  assert.equal(await store.get('a', requestOf()), undefined)
  fault.isFailing = false
  assert.ok((await bytesIn(store, 'a'))?.equals(bytesOf('a', 1_000)))
})

test('a file that cannot be removed stays in the books, and nobody waits for it', async (t) => {
  const { store, fault, path } = await failingDisk(t, 'EIO', ['unlink'])
  await put(store, headOf('stuck'), bytesOf('x', 3_000_000))
  fault.isFailing = true
  await store.delete('stuck')
  fault.isFailing = false
  for (let index = 0; index < 10; index++) await put(store, headOf(`${index}`), bytesOf('x', 1_000_000))
  const total = (await filesIn(path)).reduce((sum, file) => sum + file.bytes, 0)
  assert.ok(total <= CONTRACT_BOUNDS.maxBytes, `${total} bytes lie there`)
  assert.ok(store.stats().disk.entries >= 3)
})

test('a journal that cannot be written keeps the response out, not the proxy down', async (t) => {
  const fault = { isFailing: false }
  const files = filesWith((deed, path) =>
    fault.isFailing && deed === 'writev' && path.endsWith('journal')
      ? Promise.reject(systemError('EIO'))
      : undefined,
  )
  const { store, reopen } = await disk(t, { files })
  await put(store, headOf('a'), bytesOf('a', 10))
  await reopen()
  const again = await reopen()
  fault.isFailing = true
  assert.equal(await put(again, headOf('b'), bytesOf('b', 10)), undefined)
  fault.isFailing = false
  assert.ok((await put(again, headOf('c'), bytesOf('c', 10))) !== undefined)
  const last = await reopen()
  assert.deepEqual([last.stats().disk.entries, last.stats().disk.corrupt], [2, 0])
})

test('a caller who waits when asked to holds few megabytes; one who does not is given up', async (t) => {
  const stalled = Promise.withResolvers<void>()
  const files = filesWith((deed, path) =>
    deed === 'writev' && path.includes('/tmp/') && path.endsWith('.aside') ? stalled.promise : undefined,
  )
  const path = await directory(t)
  await (await open(path)).close()
  const { store } = await disk(t, { files, path, maxBytes: 200e6, maxEntryBytes: 200e6 })
  const writer = await store.open(headOf('a'), undefined)
  let taken = 0
  while (taken < 20e6 && writer?.write(Buffer.alloc(100_000)) === undefined) taken += 100_000
  assert.ok(taken < 5e6, `${taken} bytes were taken before the caller was asked to wait`)
  for (; taken < 60e6 && writer?.held === 'disk'; taken += 100_000) void writer.write(Buffer.alloc(100_000))
  assert.ok(taken < 40e6, `${taken} bytes were held`)
  stalled.resolve()
  assert.equal(await writer?.commit(), undefined)
  assert.deepEqual([store.stats().disk.declined, store.stats().disk.bytes], [1, 0])
})

test('a full file system gives responses up until there is room again', async (t) => {
  const path = await directory(t)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', path], { stdio: 'ignore' })
  } catch {
    return t.skip('a file system of its own can only be mounted as root')
  }
  try {
    const store = await open(path)
    await put(store, headOf('a'), bytesOf('a', 2_000_000))
    assert.equal(await put(store, headOf('b'), bytesOf('b', 2_900_000)), undefined)
    assert.ok(store.stats().disk.errors > 0)
    assert.ok((await bytesIn(store, 'a'))?.equals(bytesOf('a', 2_000_000)))
    assert.ok((await put(store, headOf('c'), bytesOf('c', 1_000_000))) !== undefined)
    await store.delete('a')
    // The first may still find the deleted file open for someone who would read it; then it is closed.
    await put(store, headOf('b'), bytesOf('b', 2_000_000))
    assert.ok((await put(store, headOf('b'), bytesOf('b', 1_900_000))) !== undefined)
    await store.close()
    const again = await open(path)
    assert.ok((await bytesIn(again, 'b'))?.equals(bytesOf('b', 1_900_000)))
    await again.close()
    assert.deepEqual(await descriptorsIn(path), [])
  } finally {
    execFileSync('umount', ['--lazy', path])
  }
})

test('a directory emptied by hand is filled again', async (t) => {
  const { store, path, reopen } = await disk(t)
  await put(store, headOf('a'), bytesOf('a', 1_000))
  for (const name of await readdir(path)) await rm(join(path, name), { recursive: true })
  assert.equal(await store.get('a', requestOf()), undefined)
  assert.ok((await put(store, headOf('a'), bytesOf('a', 2_000_000))) !== undefined)
  assert.ok((await bytesIn(store, 'a'))?.equals(bytesOf('a', 2_000_000)))
  const again = await reopen()
  assert.ok((await bytesIn(again, 'a'))?.equals(bytesOf('a', 2_000_000)))
  assert.equal(again.stats().disk.errors, 0)
})

test('a directory that cannot be created is one clear error', async (t) => {
  const path = await directory(t)
  await writeFile(join(path, 'file'), '')
  await assert.rejects(open(join(path, 'file', 'cache')), {
    message: `The directory ${join(path, 'file', 'cache')} cannot be created (ENOTDIR).`,
  })
})

test('a directory that may not be written is one clear error', async (t) => {
  const path = await directory(t)
  const files = filesWith((deed, file) =>
    deed === 'writeFile' && file.startsWith(path) ? Promise.reject(systemError('EROFS')) : undefined,
  )
  await assert.rejects(DiskStore.open({ ...CONTRACT_BOUNDS, path, log: () => undefined, files }), {
    message: `The directory ${path} is not writable (EROFS).`,
  })
  if (process.getuid?.() === 0) return t.diagnostic('root may write everywhere, so modes are not tried')
  await chmod(path, 0o500)
  await assert.rejects(open(path), { message: `The directory ${path} cannot be created (EACCES).` })
})

test('a directory that another store holds is one clear error, until that one lets go', async (t) => {
  const { store, path } = await disk(t)
  await assert.rejects(open(path), { message: `The directory ${path} is locked by pid ${process.pid}.` })
  await store.close()
  await (await open(path)).close()
})

test('the lock of a living process holds, and that of a dead one does not', async (t) => {
  const path = await directory(t)
  const child = spawn(process.execPath, [join(import.meta.dirname, 'support', 'disk-holder.ts'), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  await assert.rejects(open(path), { message: `The directory ${path} is locked by pid ${child.pid}.` })
  child.kill('SIGKILL')
  await once(child, 'exit')
  const [lock = ''] = await locksIn(path)
  assert.equal(JSON.parse(await readFile(join(path, lock), 'utf8')).pid, child.pid)
  await (await open(path)).close()
  assert.deepEqual(await locksIn(path), [])
})

test('a lock whose pid belongs to another process by now does not hold', async (t) => {
  const path = await directory(t)
  const { store } = await disk(t, { path })
  const [name = ''] = await locksIn(path)
  const lock = JSON.parse(await readFile(join(path, name), 'utf8'))
  await store.close()
  for (const text of [
    JSON.stringify({
      pid: process.pid,
      run: `${Number.parseInt(lock.run, 10) - 1}${lock.run.replace(/^\d+/, '')}`,
    }),
    JSON.stringify({ pid: 1, run: '1@another-boot' }),
    'not a lock',
    '',
  ]) {
    await writeFile(join(path, name), text)
    await (await open(path)).close()
    assert.deepEqual(await locksIn(path), [])
  }
  await writeFile(join(path, name), JSON.stringify(lock))
  await assert.rejects(open(path), /locked by pid/)
})

test('of many who find the lock of a dead process at most one gets it, and then the next one', async (t) => {
  const path = await directory(t)
  await (await open(path)).close()
  await writeFile(join(path, 'lock-0123456789ab'), JSON.stringify({ pid: 1, run: '1@another-boot' }))
  const opened = await Promise.allSettled(Array.from({ length: 8 }, () => open(path)))
  const stores = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  for (const store of stores) await store.close()
  assert.ok(stores.length <= 1, `${stores.length} got it`)
  await (await open(path)).close()
})

test('no descriptor is left behind, whatever became of reader and writer', async (t) => {
  const { store, path } = await disk(t)
  for (let index = 0; index < 40; index++) {
    const key = `${index % 5}`
    await put(store, headOf(key), bytesOf(key, 1_000_000))
    await store.get(key, requestOf())
    const body = (await store.get(key, requestOf()))?.body
    assert.ok(body !== undefined)
    for await (const part of body.read()) if (part.byteLength > 0) break
    const leaving = AbortSignal.abort(new Error('the viewer left'))
    await assert.rejects(Array.fromAsync(body.read(undefined, leaving)))
    const unread = body.read()[Symbol.asyncIterator]()
    await unread.return?.()
    const writer = await store.open(headOf('aborted'), undefined)
    await writer?.write(bytesOf('x', 2_000_000))
    await writer?.abort(new Error('the origin broke off'))
  }
  // The journal, and as many files as are kept open for those who may come to read them.
  assert.ok((await descriptorsIn(path)).length <= 1 + 16)
  await store.close()
  assert.deepEqual(await descriptorsIn(path), [])
})

test('the files never take more than the bound, those on their way and the journal among them', async (t) => {
  const { store, path } = await disk(t)
  let isWriting = true
  let checks = 0
  const watching = (async () => {
    while (isWriting) {
      const total = (await filesIn(path)).reduce((sum, file) => sum + file.bytes, 0)
      assert.ok(total <= CONTRACT_BOUNDS.maxBytes, `${total} bytes lie there`)
      checks++
    }
  })()
  const lines = Array.from({ length: 4 }, async (_, line) => {
    for (let index = 0; index < 40; index++) {
      const name = `${line}-${index}`
      await put(store, headOf(name), bytesOf(name, (line * 7_919 + index * 104_729) % 2_000_000))
      await store.refresh(headOf(name, { status: 203 }))
    }
  })
  await Promise.all(lines)
  isWriting = false
  await watching
  assert.ok(checks > 10 && store.stats().disk.evictions > 0)
})

test('the file of a response says all that is to be known of it', async (t) => {
  const { store, path } = await disk(t)
  await put(store, headOf('a'), bytesOf('a', 300_000))
  const head = JSON.stringify(headOf('a'))
  const bytes = await readFile(await onlyFile(path, '.body'))
  assert.equal(bytes.byteLength, 24 + Buffer.byteLength(head) + 300_000 + 2 * 4 + 24)
  assert.equal(bytes.toString('latin1', 0, 8), 'RELAISRB')
  assert.equal(bytes.toString('utf8', 24, 24 + bytes.readUInt32LE(12)), head)
  assert.equal(bytes.toString('latin1', bytes.byteLength - 8), 'RELAISRE')
})
