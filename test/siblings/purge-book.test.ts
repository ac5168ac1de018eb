/** A node remembers which purges it applied, across restarts and kills, or knows that it does not. */
import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import * as promises from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { PurgeOrder, PurgeRule } from '../../src/purge/purge-rule.ts'
import { PurgeBook } from '../../src/siblings/purge-book.ts'
import type { DiskFiles } from '../../src/store/disk/files.ts'
import { type TestClock, testClock } from '../support/clock.ts'

const HOUR = 3_600_000

interface Opened {
  readonly book: PurgeBook
  readonly applied: { readonly rule: PurgeRule; readonly takenAt: number }[]
  readonly distrusted: number[]
  readonly troubles: string[]
}

interface Setting {
  readonly path: string | undefined
  readonly clock: TestClock
}

function setting(t: TestContext): Setting & { readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'relais-purges-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return { path: join(folder, 'disk', 'purges'), clock: testClock() }
}

async function open(
  t: TestContext,
  { path, clock }: Setting,
  more: { readonly files?: DiskFiles; readonly maxBytes?: number } = {},
): Promise<Opened> {
  const opened = { applied: [] as Opened['applied'], distrusted: [] as number[], troubles: [] as string[] }
  const book = await PurgeBook.open({
    node: 'paris-1',
    path,
    clock: clock.now,
    target: {
      apply: (rule, takenAt) => opened.applied.push({ rule, takenAt }),
      distrust: (at) => opened.distrusted.push(at),
    },
    onTrouble: (what) => opened.troubles.push(what),
    ...more,
  })
  t.after(() => book.close())
  return { book, ...opened }
}

function order(value: string): PurgeOrder {
  return { kind: 'url', values: [value], soft: false }
}

function valuesOf({ applied }: Opened): readonly (string | undefined)[] {
  return applied.map(({ rule }) => rule.values[0])
}

/** Opened and filled with /1 to /count a second apart, and left alone as by a kill. */
async function killedAfter(t: TestContext, where: Setting, count: number): Promise<void> {
  const { book } = await open(t, where)
  for (let index = 1; index <= count; index++) {
    where.clock.advance(1_000)
    await book.issue(order(`/${index}`))
  }
}

test('an order is applied at once, and counted from 1', async (t) => {
  const opened = await open(t, setting(t))
  const issued = [opened.book.issue(order('/a')), opened.book.issue(order('/b'))]
  assert.deepEqual(valuesOf(opened), ['/a', '/b'], 'before anything is awaited')
  const [first, second] = await Promise.all(issued)
  assert.deepEqual([first?.sequence, second?.sequence], [1, 2])
  assert.deepEqual(opened.book.positions, { [opened.book.issuer]: 2 })
})

test('after a kill all purges come again, with the time at which they were taken', async (t) => {
  const where = setting(t)
  const start = where.clock.now()
  await killedAfter(t, where, 3)
  const again = await open(t, where)
  assert.deepEqual(valuesOf(again), ['/1', '/2', '/3'])
  assert.deepEqual(
    again.applied.map(({ takenAt }) => takenAt),
    [1, 2, 3].map((second) => start + second * 1_000),
  )
  assert.deepEqual(again.distrusted, [start], 'what was stored before there was a log')
})

test('a node that begins again is another issuer, so no number is given out twice', async (t) => {
  const where = setting(t)
  const first = await open(t, where)
  await first.book.issue(order('/a'))
  where.clock.advance(1)
  const second = await open(t, where)
  assert.equal((await second.book.issue(order('/b'))).sequence, 1)
  assert.deepEqual(second.book.positions, { [first.book.issuer]: 1, [second.book.issuer]: 1 })
})

test('wherever a kill tears the end, what is whole before it is kept, and nothing is distrusted', async (t) => {
  const where = setting(t)
  const start = where.clock.now()
  await killedAfter(t, where, 4)
  const whole = readFileSync(where.path)
  const last = whole.lastIndexOf('\n', whole.byteLength - 2) + 1
  for (let size = last; size < whole.byteLength; size += 7) {
    writeFileSync(where.path, whole)
    truncateSync(where.path, size)
    const again = await open(t, where)
    assert.deepEqual(valuesOf(again), ['/1', '/2', '/3'])
    assert.deepEqual(again.distrusted, [start])
    await again.book.issue(order('/new'))
    await again.book.close()
    assert.deepEqual(valuesOf(await open(t, where)), ['/1', '/2', '/3', '/new'])
  }
})

test('a file that is damaged before its end, or was taken away, has what is stored distrusted', async (t) => {
  const where = setting(t)
  await killedAfter(t, where, 4)
  const text = readFileSync(where.path, 'utf8')
  writeFileSync(where.path, text.replace('"/2"', '"/X"'))
  const damaged = await open(t, where)
  assert.deepEqual(valuesOf(damaged), ['/1'])
  assert.deepEqual(damaged.distrusted, [where.clock.now()])
  await damaged.book.close()
  rmSync(where.path)
  assert.deepEqual((await open(t, where)).distrusted, [where.clock.now()])
})

test('whatever lies in the file, nothing throws, and what is no line of ours is damage', async (t) => {
  const where = setting(t)
  await killedAfter(t, where, 1)
  appendFileSync(where.path, '\0\0\0\n{"rule":{}}\n00000000 null\n')
  const again = await open(t, where)
  assert.deepEqual(valuesOf(again), ['/1'])
  assert.equal(again.distrusted.length, 1)
})

test('that what is stored is distrusted is remembered', async (t) => {
  const where = setting(t)
  const first = await open(t, where)
  where.clock.advance(5_000)
  first.book.distrust()
  const at = where.clock.now()
  await first.book.close()
  where.clock.advance(5_000)
  assert.deepEqual((await open(t, where)).distrusted, [at])
})

test('a node that was away for 72 hours distrusts what it has; one that was away for less does not', async (t) => {
  for (const [hours, expected] of [
    [71, false],
    [72, true],
  ] as const) {
    const where = setting(t)
    const first = await open(t, where)
    where.clock.advance(100 * HOUR)
    first.book.tick()
    await first.book.close()
    where.clock.advance(hours * HOUR)
    const { distrusted } = await open(t, where)
    assert.equal(distrusted.at(-1) === where.clock.now(), expected, `${hours} hours`)
  }
})

test('a node without a disk remembers nothing, and has nothing to distrust', async (t) => {
  const where = { path: undefined, clock: testClock() }
  await killedAfter(t, where, 2)
  const again = await open(t, where)
  assert.deepEqual(again.applied, [])
  assert.deepEqual(again.distrusted, [])
})

test('what others told is remembered as what was given out here, and so is a gap in it', async (t) => {
  const where = setting(t)
  const first = await open(t, where)
  const rule = { by: 'paris-2:x', sequence: 8, at: 1, ...order('/told') }
  where.clock.advance(1_000)
  await first.book.take({ floors: { 'paris-2:x': 7 }, rules: [rule] })
  await first.book.take({ floors: { 'paris-2:x': 7 }, rules: [rule] })
  assert.deepEqual(valuesOf(first), ['/told'])
  const gapAt = where.clock.now()
  assert.equal(first.distrusted.at(-1), gapAt)
  await first.book.close()
  where.clock.advance(1_000)
  const again = await open(t, where)
  assert.deepEqual(valuesOf(again), ['/told'])
  assert.deepEqual(again.book.positions, { 'paris-2:x': 8 })
  assert.deepEqual(again.distrusted, [gapAt])
})

test('the file stays bounded, and after a restart says what the log says', async (t) => {
  const where = setting(t)
  const start = where.clock.now()
  const { book } = await open(t, where, { maxBytes: 100_000 })
  const long = 'x'.repeat(2_000)
  for (let index = 0; index < 2_000; index++) await book.issue(order(`/${index}/${long}`))
  assert.ok(statSync(where.path).size < 1.5e6, `${statSync(where.path).size} bytes`)
  const { positions, size } = book
  await book.close()
  where.clock.advance(1)
  const again = await open(t, where, { maxBytes: 100_000 })
  assert.deepEqual(again.book.positions, positions)
  assert.equal(again.book.size, size)
  assert.deepEqual(again.distrusted, [start])
})

test('a disk that fails keeps no purge from being applied, and is written again when it works', async (t) => {
  const where = setting(t)
  let isFull = false
  const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' })
  const files: DiskFiles = {
    ...promises,
    open: async (...args) => {
      if (isFull) throw full
      const handle = await promises.open(...args)
      const writev = handle.writev.bind(handle)
      handle.writev = (async (...what: Parameters<typeof writev>) => {
        if (isFull) throw full
        return writev(...what)
      }) as typeof handle.writev
      return handle
    },
  }
  const opened = await open(t, where, { files })
  await opened.book.issue(order('/before'))
  isFull = true
  await opened.book.issue(order('/full'))
  await opened.book.issue(order('/fuller'))
  assert.deepEqual(valuesOf(opened), ['/before', '/full', '/fuller'])
  assert.deepEqual(opened.troubles, ['write the log of purges'], 'it is said once')
  isFull = false
  where.clock.advance(60_000)
  opened.book.tick()
  await opened.book.issue(order('/after'))
  await opened.book.close()
  assert.deepEqual(valuesOf(await open(t, where)), ['/before', '/full', '/fuller', '/after'])
})
