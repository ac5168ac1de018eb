/** The suite that every store runs. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Store } from '../../src/store/store.ts'
import { bytesIn, bytesOf, headOf, placesOf, put, read, requestOf } from '../store/support/responses.ts'

const MIB = 1024 * 1024

/** The bounds that the suite counts on, in bytes. */
export const CONTRACT_BOUNDS = { maxBytes: 8 * MIB, maxEntryBytes: 3 * MIB }

export interface StoreUnderTest {
  readonly store: Store
  /** Closes the store and opens one in the same place; absent where nothing outlives the store. */
  readonly reopen?: () => Promise<Store>
}

/** Runs the suite. `make` opens an empty store with CONTRACT_BOUNDS for one test, and has it closed after it. */
export function storeContract(name: string, make: (t: TestContext) => Promise<StoreUnderTest>): void {
  const law = (sentence: string, run: (under: StoreUnderTest) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async (t) => run(await make(t)))
  }

  law('an empty store has nothing to answer', async ({ store }) => {
    assert.equal(store.peek('a', requestOf()), undefined)
    assert.equal(await store.get('a', requestOf()), undefined)
    assert.equal(await store.delete('a'), false)
    assert.equal(await store.refresh(headOf('a')), false)
    for (const place of placesOf(store)) assert.deepEqual([place.entries, place.bytes], [0, 0])
  })

  law('a committed response is answered with its head and every byte', async ({ store }) => {
    const bytes = bytesOf('a', 700_001)
    const committed = await put(store, headOf('a'), bytes)
    const stored = await store.get('a', requestOf())
    for (const response of [committed, stored]) {
      assert.deepEqual(response?.head, headOf('a'))
      assert.equal(response?.body.size, bytes.byteLength)
      assert.ok((await read(response)).equals(bytes))
    }
  })

  law('has tells of what was committed, and of nothing else', async ({ store }) => {
    assert.equal(store.has('a'), false)
    const writer = await store.open(headOf('a'), undefined)
    await writer?.write(bytesOf('a', 1_000))
    assert.equal(store.has('a'), false)
    await writer?.commit()
    assert.deepEqual([store.has('a'), store.has('b')], [true, false])
    await store.delete('a')
    assert.equal(store.has('a'), false)
  })

  law(
    'heads are those of all that lies there, each variant once, and of nothing that was deleted',
    async ({ store }) => {
      for (const key of ['a', 'b', 'c']) await put(store, headOf(key), bytesOf(key, 1_000))
      await put(store, headOf('a', { variant: { 'accept-language': 'fr' } }), bytesOf('a', 1_000))
      await store.delete('b')
      for (const place of ['memory', 'disk'] as const) {
        const entries = store.stats()[place].entries
        const heads = await Array.fromAsync(store.heads(place))
        assert.equal(heads.length, entries, place)
        if (entries === 0) continue
        assert.deepEqual(heads.map(({ key }) => key).toSorted(), ['a', 'a', 'c'])
      }
    },
  )

  law('what is said to be wanted stays longer than what is not', async ({ store }) => {
    for (const key of ['a', 'b', 'c']) await put(store, headOf(key), bytesOf(key, 1.8 * MIB))
    store.use('a')
    store.use('nothing lies there')
    await put(store, headOf('d', { admission: 'always' }), bytesOf('d', 2.8 * MIB))
    assert.deepEqual(
      ['a', 'b', 'd'].map((key) => store.has(key)),
      [true, false, true],
    )
  })

  law('what is said to leave goes before what was used longer ago', async ({ store }) => {
    for (const key of ['a', 'b', 'c']) await put(store, headOf(key), bytesOf(key, 1.8 * MIB))
    store.demote('b')
    store.demote('c')
    store.demote('nothing lies there')
    store.use('b')
    await put(store, headOf('d', { admission: 'always' }), bytesOf('d', 2.8 * MIB))
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((key) => store.has(key)),
      [true, true, false, true],
    )
    for (const place of placesOf(store)) assert.deepEqual([place.entries, place.evictions], [3, 1])
  })

  law('what is said to leave stays while there is room, and is replaced as all else', async ({ store }) => {
    await put(store, headOf('a'), bytesOf('a', 1_000))
    store.demote('a')
    await put(store, headOf('b'), bytesOf('b', 1_000))
    assert.ok((await bytesIn(store, 'a'))?.equals(bytesOf('a', 1_000)), 'answered as before')
    store.demote('a')
    await put(store, headOf('a'), bytesOf('new', 1_000))
    for (const key of ['c', 'd']) await put(store, headOf(key), bytesOf(key, 2.2 * MIB))
    await put(store, headOf('e', { admission: 'always' }), bytesOf('e', 2.8 * MIB))
    store.demote('e')
    await store.delete('e')
    assert.ok((await bytesIn(store, 'a'))?.equals(bytesOf('new', 1_000)))
  })

  law('what lies in memory as a whole is the same bytes', async ({ store }) => {
    const bytes = bytesOf('a', 100_001)
    await put(store, headOf('a'), bytes)
    const chunks = (await store.get('a', requestOf()))?.body.chunks
    if (chunks !== undefined) assert.ok(Buffer.concat(chunks).equals(bytes))
  })

  law('nothing is visible before commit', async ({ store }) => {
    const writer = await store.open(headOf('a'), undefined)
    await writer?.write(bytesOf('a', 2 * MIB))
    assert.equal(store.peek('a', requestOf()), undefined)
    assert.equal(await store.get('a', requestOf()), undefined)
    assert.ok((await writer?.commit()) !== undefined)
    assert.ok((await store.get('a', requestOf())) !== undefined)
  })

  law('an aborted response leaves no trace', async ({ store }) => {
    const writer = await store.open(headOf('a'), undefined)
    await writer?.write(bytesOf('a', 2 * MIB))
    await writer?.abort(new Error('the origin broke off'))
    assert.equal(await store.get('a', requestOf()), undefined)
    for (const place of placesOf(store)) assert.deepEqual([place.entries, place.bytes], [0, 0])
  })

  law('an aborted response leaves what was stored before it', async ({ store }) => {
    await put(store, headOf('a'), bytesOf('before', 1_000))
    const writer = await store.open(headOf('a'), undefined)
    await writer?.write(bytesOf('a', 1_000))
    await writer?.abort(new Error('the origin broke off'))
    assert.ok((await bytesIn(store, 'a'))?.equals(bytesOf('before', 1_000)))
  })

  law('a commit takes the place of the same key and variant', async ({ store }) => {
    await put(store, headOf('a', { variant: { accept: 'x' } }), bytesOf('old', 300_000))
    await put(store, headOf('a', { variant: { accept: 'x' }, status: 203 }), bytesOf('new', 1_000))
    assert.equal((await store.get('a', requestOf({ accept: 'x' })))?.head.status, 203)
    assert.ok((await bytesIn(store, 'a', { accept: 'x' }))?.equals(bytesOf('new', 1_000)))
    for (const place of placesOf(store)) {
      assert.equal(place.entries, 1)
      assert.ok(place.bytes < 100_000, 'the old bytes are counted no more')
    }
  })

  law('each request is answered with the variant that it selects', async ({ store }) => {
    for (const language of ['de', 'fr']) {
      await put(store, headOf('a', { variant: { 'accept-language': language } }), bytesOf(language, 1_000))
    }
    for (const language of ['de', 'fr']) {
      const bytes = await bytesIn(store, 'a', { 'accept-language': language })
      assert.ok(bytes?.equals(bytesOf(language, 1_000)))
    }
    assert.equal(await bytesIn(store, 'a', { 'accept-language': 'en' }), undefined)
    for (const place of placesOf(store)) assert.equal(place.entries, 2)
  })

  law('of two variants that a request selects, the one stored last is answered', async ({ store }) => {
    await put(store, headOf('a'), bytesOf('first', 1_000))
    await put(store, headOf('a', { variant: { accept: 'x' } }), bytesOf('second', 1_000))
    assert.ok((await bytesIn(store, 'a', { accept: 'x' }))?.equals(bytesOf('second', 1_000)))
    assert.ok((await bytesIn(store, 'a', { accept: 'y' }))?.equals(bytesOf('first', 1_000)))
  })

  law('a key has at most 16 variants', async ({ store }) => {
    for (let index = 0; index < 40; index++) {
      await put(store, headOf('a', { variant: { accept: `${index}` } }), bytesOf(`${index}`, 100))
    }
    for (const place of placesOf(store)) assert.equal(place.entries, 16)
    assert.ok((await bytesIn(store, 'a', { accept: '39' }))?.equals(bytesOf('39', 100)))
  })

  law('a refresh replaces the head, and the body stays', async ({ store }) => {
    await put(store, headOf('a'), bytesOf('a', 300_000))
    const renewed = headOf('a', { fields: { etag: '"1"', 'x-new': 'yes' } })
    assert.equal(await store.refresh(renewed), true)
    const stored = await store.get('a', requestOf())
    assert.deepEqual(stored?.head, renewed)
    assert.ok((await read(stored)).equals(bytesOf('a', 300_000)))
    for (const place of placesOf(store)) assert.equal(place.entries, 1)
  })

  law('a refresh of what was replaced meanwhile is refused', async ({ store }) => {
    await put(store, headOf('a'), bytesOf('old', 1_000))
    const newer = headOf('a', { fields: { etag: '"2"' }, storedAt: 2_000 })
    await put(store, newer, bytesOf('new', 1_000))
    assert.equal(await store.refresh(headOf('a', { status: 203 })), false)
    const stored = await store.get('a', requestOf())
    assert.deepEqual(stored?.head, newer)
    assert.ok((await read(stored)).equals(bytesOf('new', 1_000)))
  })

  law('the last of many refreshes holds, and is counted once', async ({ store }) => {
    await put(store, headOf('a'), bytesOf('a', 1_000))
    await store.refresh(headOf('a', { status: 203 }))
    const before = placesOf(store).map((place) => place.bytes)
    const refreshes = Array.from({ length: 20 }, (_, index) =>
      store.refresh(headOf('a', { status: 200 + index })),
    )
    assert.ok((await Promise.all(refreshes)).every((isRenewed) => isRenewed))
    assert.equal((await store.get('a', requestOf()))?.head.status, 219)
    assert.deepEqual(
      placesOf(store).map((place) => place.bytes),
      before,
    )
  })

  law('a refresh of one variant leaves the others', async ({ store }) => {
    for (const accept of ['x', 'y']) {
      await put(store, headOf('a', { variant: { accept } }), bytesOf(accept, 1_000))
    }
    assert.equal(await store.refresh(headOf('a', { variant: { accept: 'x' }, status: 203 })), true)
    assert.equal(await store.refresh(headOf('a', { variant: { accept: 'z' } })), false)
    assert.equal((await store.get('a', requestOf({ accept: 'x' })))?.head.status, 203)
    assert.equal((await store.get('a', requestOf({ accept: 'y' })))?.head.status, 200)
  })

  law('a delete forgets every variant of a key, and no other key', async ({ store }) => {
    for (const accept of ['x', 'y']) {
      await put(store, headOf('a', { variant: { accept } }), bytesOf(accept, 1_000))
    }
    await store.refresh(headOf('a', { variant: { accept: 'x' } }))
    await put(store, headOf('b'), bytesOf('b', 1_000))
    assert.equal(await store.delete('a'), true)
    assert.equal(await store.delete('a'), false)
    assert.equal(await bytesIn(store, 'a', { accept: 'x' }), undefined)
    assert.equal(await bytesIn(store, 'a', { accept: 'y' }), undefined)
    assert.ok((await bytesIn(store, 'b'))?.equals(bytesOf('b', 1_000)))
    await store.delete('b')
    for (const place of placesOf(store)) assert.deepEqual([place.entries, place.bytes], [0, 0])
  })

  law('a range is read to the byte, wherever it begins and ends', async ({ store }) => {
    const size = 2 * 262_144 + 1_000
    const bytes = bytesOf('a', size)
    await put(store, headOf('a'), bytes)
    const stored = await store.get('a', requestOf())
    for (const [first, last] of [
      [0, 0],
      [size - 1, size - 1],
      [100, 299],
      [262_143, 262_143],
      [262_144, 262_144],
      [262_143, 262_144],
      [262_000, 524_300],
      [524_287, size - 1],
      [0, size - 1],
    ] as const) {
      assert.ok(
        (await read(stored, { first, last })).equals(bytes.subarray(first, last + 1)),
        `${first}-${last}`,
      )
    }
  })

  law('a body may be empty', async ({ store }) => {
    const committed = await put(store, headOf('a'), Buffer.alloc(0))
    assert.equal(committed?.body.size, 0)
    assert.equal((await store.get('a', requestOf()))?.body.size, 0)
    assert.equal((await bytesIn(store, 'a'))?.byteLength, 0)
  })

  law('a body in very small chunks is whole', async ({ store }) => {
    const bytes = bytesOf('a', 10_007)
    await put(store, headOf('a'), bytes, 3)
    assert.ok((await bytesIn(store, 'a'))?.equals(bytes))
  })

  law(
    'a reader goes on to read what it began though it is replaced, deleted and evicted',
    async ({ store }) => {
      const deeds = {
        replace: async (key: string) => void (await put(store, headOf(key), bytesOf('new', 1_000))),
        delete: async (key: string) => void (await store.delete(key)),
        evict: async () => {
          for (let index = 0; index < 10; index++)
            await put(store, headOf(`other${index}`), bytesOf('x', MIB))
        },
      }
      for (const [name, deed] of Object.entries(deeds)) {
        const bytes = bytesOf(name, 1_500_000)
        await put(store, headOf(name), bytes)
        const stored = await store.get(name, requestOf())
        assert.ok(stored !== undefined)
        const parts: Uint8Array[] = []
        for await (const part of stored.body.read()) {
          if (parts.length === 0) await deed(name)
          parts.push(part)
        }
        assert.ok(Buffer.concat(parts).equals(bytes), name)
      }
    },
  )

  law('what was handed out can be read after it was deleted', async ({ store }) => {
    const bytes = bytesOf('a', 1_500_000)
    await put(store, headOf('a'), bytes)
    const stored = await store.get('a', requestOf())
    await store.delete('a')
    assert.ok((await read(stored)).equals(bytes))
  })

  law('many read one response at once, each its own range', async ({ store }) => {
    const bytes = bytesOf('a', 1_500_000)
    await put(store, headOf('a'), bytes)
    const reads = Array.from({ length: 20 }, async (_, index) => {
      const range = { first: index * 50_000, last: 1_499_999 - index * 10 }
      const found = await read(await store.get('a', requestOf()), range)
      assert.ok(found.equals(bytes.subarray(range.first, range.last + 1)))
    })
    await Promise.all(reads)
  })

  law('an aborted read throws the reason of its signal', async ({ store }) => {
    await put(store, headOf('a'), bytesOf('a', 1_500_000), 262_144)
    const stored = await store.get('a', requestOf())
    const reason = new Error('the viewer left')
    await assert.rejects(read(stored, undefined, AbortSignal.abort(reason)), reason)
    const leaving = new AbortController()
    const parts = stored?.body.read(undefined, leaving.signal)[Symbol.asyncIterator]()
    assert.equal((await parts?.next())?.done, false)
    leaving.abort(reason)
    await assert.rejects(async () => await parts?.next(), reason)
  })

  law('bytes held never exceed the bound, whatever is written at once', async ({ store }) => {
    const check = (): void => {
      for (const place of placesOf(store)) assert.ok(place.bytes <= place.maxBytes, `${place.bytes} bytes`)
    }
    let kept = 0
    const writers = Array.from({ length: 6 }, async (_, line) => {
      for (let index = 0; index < 25; index++) {
        const name = `${line}-${index}`
        const size = (line * 7_919 + index * 104_729) % MIB
        const writer = await store.open(headOf(name), index % 2 === 0 ? size : undefined)
        for (let at = 0; at < size; at += 100_000) {
          await writer?.write(bytesOf(name, Math.min(100_000, size - at)))
          check()
        }
        if (index % 5 === 4) await writer?.abort(new Error('the origin broke off'))
        else if ((await writer?.commit()) !== undefined) kept++
        check()
      }
    })
    await Promise.all(writers)
    assert.ok(kept > 60, `${kept} responses were kept`)
    for (const place of placesOf(store)) assert.ok(place.evictions > 0)
  })

  law(
    'a response larger than an entry may be is declined, or given up without a throw',
    async ({ store }) => {
      const tooLarge = CONTRACT_BOUNDS.maxEntryBytes + 1
      assert.equal(await store.open(headOf('a'), tooLarge), undefined)
      await put(store, headOf('b'), bytesOf('b', 1_000))
      const writer = await store.open(headOf('a'), undefined)
      for (let written = 0; written < tooLarge; written += 500_000) await writer?.write(bytesOf('a', 500_000))
      assert.equal(writer?.held, 'nowhere')
      assert.equal(await writer?.commit(), undefined)
      assert.equal(await store.get('a', requestOf()), undefined)
      assert.ok((await bytesIn(store, 'b'))?.equals(bytesOf('b', 1_000)))
      for (const place of placesOf(store)) assert.deepEqual([place.entries, place.declined], [1, 2])
    },
  )

  law('what is written can be read back from where it is held', async ({ store }) => {
    const bytes = bytesOf('a', 2_000_000)
    const writer = await store.open(headOf('a'), bytes.byteLength)
    assert.ok(writer !== undefined)
    assert.notEqual(writer.held, 'nowhere')
    const isDisk = writer.held === 'disk'
    for (let at = 0; at < bytes.byteLength; at += 100_000) {
      await writer.write(bytes.subarray(at, at + 100_000))
      if (!isDisk) continue
      for (const range of [
        { first: at, last: at + 99_999 },
        { first: Math.max(0, at - 262_144), last: at },
      ]) {
        const found = await writer.readBack(range)
        assert.ok(Buffer.from(found).equals(bytes.subarray(range.first, range.last + 1)))
      }
    }
    assert.ok((await read(await writer.commit())).equals(bytes))
    if (isDisk)
      assert.ok(Buffer.from(await writer.readBack({ first: 5, last: 9 })).equals(bytes.subarray(5, 10)))
  })

  law('what is counted is what is held', async ({ store }) => {
    let total = 0
    for (let index = 0; index < 10; index++) {
      total += index * 10_000
      await put(store, headOf(`${index}`), bytesOf('x', index * 10_000))
    }
    for (const place of placesOf(store)) {
      assert.equal(place.entries, 10)
      assert.ok(place.bytes >= total && place.bytes < total + 10 * 16_384, `${place.bytes} of ${total}`)
      assert.deepEqual([place.evictions, place.declined], [0, 0])
    }
    for (let index = 0; index < 10; index++) await store.delete(`${index}`)
    for (const place of placesOf(store)) assert.deepEqual([place.entries, place.bytes], [0, 0])
  })

  law('a closed store answers as an empty one, and takes no more', async ({ store }) => {
    await put(store, headOf('a'), bytesOf('a', 1_000))
    const open = await store.open(headOf('b'), undefined)
    await open?.write(bytesOf('b', 1_000))
    await store.close()
    assert.equal(store.peek('a', requestOf()), undefined)
    assert.equal(await store.get('a', requestOf()), undefined)
    assert.equal(await store.refresh(headOf('a')), false)
    assert.equal(await store.delete('a'), false)
    assert.equal(await open?.commit(), undefined)
    assert.equal(await store.get('b', requestOf()), undefined)
    assert.equal(await put(store, headOf('c'), bytesOf('c', 10)), undefined)
    for (const place of placesOf(store)) assert.equal(place.entries, 0)
    await store.close()
  })

  law('what was committed, renewed and deleted before a close is so after it', async ({ store, reopen }) => {
    if (reopen === undefined) return
    await put(store, headOf('large'), bytesOf('large', 1_500_000))
    await put(store, headOf('small', { variant: { accept: 'x' } }), bytesOf('small', 10))
    await put(store, headOf('deleted'), bytesOf('deleted', 10))
    await store.refresh(headOf('large', { status: 203 }))
    await store.delete('deleted')
    const again = await reopen()
    assert.equal((await again.get('large', requestOf()))?.head.status, 203)
    assert.ok((await bytesIn(again, 'large'))?.equals(bytesOf('large', 1_500_000)))
    assert.ok((await bytesIn(again, 'small', { accept: 'x' }))?.equals(bytesOf('small', 10)))
    assert.equal(await again.get('small', requestOf()), undefined)
    assert.equal(await again.get('deleted', requestOf()), undefined)
  })
}
