/** What was purged can be told to others, also after a restart or a kill, and nothing is applied twice. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import * as promises from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { PurgeRule } from '../../src/purge/purge-rule.ts'
import { PurgeBook } from '../../src/siblings/purge-book.ts'
import type { DiskFiles } from '../../src/store/disk/files.ts'
import { type TestClock, testClock } from '../support/clock.ts'

const HOUR = 3_600_000

/** What applies purges, with what it would remember across restarts. */
interface Memory {
  readonly path: string | undefined
  readonly clock: TestClock
  readonly positions: Record<string, number>
}

interface Opened {
  readonly book: PurgeBook
  /** What it was told to apply. */
  readonly applied: readonly string[]
  readonly skipped: readonly string[]
  readonly distrusted: readonly number[]
  readonly troubles: readonly string[]
  /** Gives out a purge, as whoever applies purges does. */
  issue(value: string): Promise<void>
}

function memory(t: TestContext): Memory & { readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'relais-purges-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return { path: join(folder, 'disk', 'purges'), clock: testClock(), positions: {} }
}

async function open(
  t: TestContext,
  { path, clock, positions }: Memory,
  more: { readonly files?: DiskFiles; readonly maxBytes?: number; readonly issuer?: string } = {},
): Promise<Opened> {
  const applied: string[] = []
  const skipped: string[] = []
  const distrusted: number[] = []
  const troubles: string[] = []
  const book = await PurgeBook.open({
    issuer: 'paris-1:a',
    path,
    clock: clock.now,
    target: {
      positions: () => positions,
      apply: ({ by, sequence, values }) => {
        positions[by] = sequence
        applied.push(values.join(' '))
      },
      skipTo: (by, sequence) => {
        positions[by] = sequence
        skipped.push(`${by} ${sequence}`)
      },
      distrust: () => distrusted.push(clock.now()),
    },
    onTrouble: (what) => troubles.push(what),
    ...more,
  })
  t.after(() => book.close())
  const issue = (value: string): Promise<void> => {
    const sequence = (positions[book.issuer] ?? 0) + 1
    positions[book.issuer] = sequence
    return book.record(ruleOf(book.issuer, sequence, value))
  }
  return { book, applied, skipped, distrusted, troubles, issue }
}

function ruleOf(by: string, sequence: number, value: string): PurgeRule {
  return { by, sequence, at: 1, kind: 'url', values: [value], soft: false }
}

/** What a node that lacks everything would be told. */
function told({ book }: Opened): readonly string[] {
  return book.since({}, 1e9).rules.flatMap(({ values }) => values)
}

/** Opened and filled with /1 to /count a second apart, and left alone as by a kill. */
async function killedAfter(t: TestContext, where: Memory, count: number): Promise<void> {
  const { issue } = await open(t, where)
  for (let index = 1; index <= count; index++) {
    where.clock.advance(1_000)
    await issue(`/${index}`)
  }
}

/** What was in force is forgotten, as when the notes of it are lost. */
function forgetful(where: Memory): Memory {
  return { ...where, positions: {} }
}

test('what is told is applied at once, once, and known to others', async (t) => {
  const opened = await open(t, memory(t))
  const batch = { floors: {}, rules: [ruleOf('paris-2:x', 1, '/a'), ruleOf('paris-2:x', 2, '/b')] }
  const taken = [opened.book.take(batch), opened.book.take(batch)]
  assert.deepEqual(opened.applied, ['/a', '/b'], 'before anything is awaited')
  await Promise.all(taken)
  assert.deepEqual(opened.book.positions, { 'paris-2:x': 2 })
  assert.deepEqual(told(opened), ['/a', '/b'])
})

test('what was given out here is known to others, and not applied again', async (t) => {
  const opened = await open(t, memory(t))
  await opened.issue('/a')
  assert.deepEqual(opened.applied, [])
  assert.deepEqual(told(opened), ['/a'])
})

test('what was given out here is told in its order, in whatever order it is recorded', async (t) => {
  const opened = await open(t, memory(t))
  for (const sequence of [3, 1, 4, 2]) await opened.book.record(ruleOf('paris-1:a', sequence, `/${sequence}`))
  assert.deepEqual(told(opened), ['/1', '/2', '/3', '/4'])
})

test('after a kill all purges can be told again, and none that is in force is applied again', async (t) => {
  const where = memory(t)
  await killedAfter(t, where, 3)
  const again = await open(t, where)
  assert.deepEqual(told(again), ['/1', '/2', '/3'])
  assert.deepEqual(again.applied, [])
  assert.deepEqual(again.distrusted, [])
})

test('what is in the file and not in force is applied when the node begins', async (t) => {
  const where = memory(t)
  await killedAfter(t, where, 3)
  where.positions['paris-1:a'] = 1
  assert.deepEqual((await open(t, where)).applied, ['/2', '/3'])
  assert.deepEqual((await open(t, forgetful(where))).applied, ['/1', '/2', '/3'])
})

test('what is in force and not in the file is not asked for again', async (t) => {
  const where = memory(t)
  await killedAfter(t, where, 1)
  where.positions['paris-2:x'] = 7
  const again = await open(t, where)
  assert.deepEqual(again.book.positions, { 'paris-1:a': 1, 'paris-2:x': 7 })
  assert.deepEqual(again.skipped, [])
  await again.book.take({
    floors: {},
    rules: [ruleOf('paris-2:x', 7, '/old'), ruleOf('paris-2:x', 8, '/new')],
  })
  assert.deepEqual(again.applied, ['/new'])
})

test('wherever a kill tears the end, what is whole before it is kept, and the file goes on', async (t) => {
  const where = memory(t)
  await killedAfter(t, where, 4)
  const whole = readFileSync(where.path)
  const last = whole.lastIndexOf('\n', whole.byteLength - 2) + 1
  for (let size = last; size < whole.byteLength; size += 7) {
    writeFileSync(where.path, whole)
    truncateSync(where.path, size)
    const again = await open(t, forgetful(where), { issuer: 'paris-1:b' })
    assert.deepEqual(again.applied, ['/1', '/2', '/3'])
    await again.issue('/new')
    await again.book.close()
    assert.deepEqual(told(await open(t, forgetful(where))), ['/1', '/2', '/3', '/new'])
  }
})

test('a file that is damaged is kept up to the damage, and nothing that lies in it throws', async (t) => {
  const where = memory(t)
  await killedAfter(t, where, 4)
  const text = readFileSync(where.path, 'utf8')
  for (const damage of [
    text.replace('"/2"', '"/X"'),
    text.replace(/\n.*"\/2".*\n/, '\n\0\0\0\n'),
    text.replace(/\n.*"\/2".*\n/, '\n{"rule":{}}\n00000000 null\n'),
  ]) {
    writeFileSync(where.path, damage)
    const damaged = await open(t, forgetful(where))
    assert.deepEqual(told(damaged), ['/1'])
    await damaged.book.close()
  }
  writeFileSync(where.path, '')
  assert.deepEqual(told(await open(t, forgetful(where))), [])
})

test('a node that was away for 72 hours distrusts what it has; one that was away for less does not', async (t) => {
  for (const [hours, expected] of [
    [71, 0],
    [72, 1],
  ] as const) {
    const where = memory(t)
    const first = await open(t, where)
    where.clock.advance(100 * HOUR)
    first.book.tick()
    await first.book.close()
    where.clock.advance(hours * HOUR)
    assert.equal((await open(t, where)).distrusted.length, expected, `${hours} hours`)
  }
})

test('a node without a disk remembers nothing, and has nothing to distrust', async (t) => {
  const where = { path: undefined, clock: testClock(), positions: {} }
  await killedAfter(t, where, 2)
  const again = await open(t, forgetful(where))
  assert.deepEqual([...told(again), ...again.applied], [])
  assert.deepEqual(again.distrusted, [])
})

test('a gap is told once, and remembered with what follows it', async (t) => {
  const where = memory(t)
  const first = await open(t, where)
  const batch = { floors: { 'paris-2:x': 7 }, rules: [ruleOf('paris-2:x', 8, '/told')] }
  await first.book.take(batch)
  await first.book.take(batch)
  assert.deepEqual(first.applied, ['/told'])
  assert.deepEqual(first.skipped, ['paris-2:x 7'])
  await first.book.close()
  const again = await open(t, where)
  assert.deepEqual(again.book.positions, { 'paris-2:x': 8 })
  assert.deepEqual(again.book.since({}, 1e6).floors, { 'paris-2:x': 7 })
  assert.deepEqual(again.skipped, [])
})

test('the file stays bounded, and after a restart says what the log says', async (t) => {
  const where = memory(t)
  const first = await open(t, where, { maxBytes: 100_000 })
  const long = 'x'.repeat(2_000)
  for (let index = 0; index < 2_000; index++) await first.issue(`/${index}/${long}`)
  assert.ok(statSync(where.path).size < 1.5e6, `${statSync(where.path).size} bytes`)
  const { positions } = first.book
  await first.book.close()
  const again = await open(t, where, { maxBytes: 100_000 })
  assert.deepEqual(again.book.positions, positions)
  assert.deepEqual(told(again), told(first))
  assert.ok(told(again).length > 20)
})

test('a disk that fails keeps no purge from being applied, and is written again when it works', async (t) => {
  const where = memory(t)
  let isFull = false
  const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' })
  const files: DiskFiles = {
    ...promises,
    open: async (...args) => {
      if (isFull) throw full
      const handle = await promises.open(...args)
      const { writev } = handle
      Object.defineProperty(handle, 'writev', {
        value: (...what: Parameters<typeof writev>) =>
          isFull ? Promise.reject(full) : writev.apply(handle, what),
      })
      return handle
    },
  }
  const opened = await open(t, where, { files })
  await opened.issue('/before')
  isFull = true
  await opened.issue('/full')
  await opened.book.take({ floors: {}, rules: [ruleOf('paris-2:x', 1, '/fuller')] })
  assert.deepEqual(opened.applied, ['/fuller'])
  assert.deepEqual(opened.troubles, ['write the log of purges'], 'it is said once')
  isFull = false
  where.clock.advance(60_000)
  opened.book.tick()
  await opened.issue('/after')
  await opened.book.close()
  assert.deepEqual([...told(await open(t, forgetful(where)))].sort(), [
    '/after',
    '/before',
    '/full',
    '/fuller',
  ])
})
