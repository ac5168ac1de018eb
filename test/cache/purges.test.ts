/** What a purge takes away, in memory and on disk, and that nothing brings it back. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get, type Response } from '../support/client.ts'
import { purge } from '../support/operator.ts'
import { type Handler, openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'

interface Stage {
  readonly origin: TestOrigin
  readonly relais: TestRelais
  /** What the origin says from now on. */
  says: string
  readonly read: (path: string, headers?: Record<string, string>) => Promise<string>
}

/** An origin whose answers are all of one version, fresh for an hour, with these fields. */
async function stage(
  t: TestContext,
  fields: (target: string) => Record<string, string> = () => ({}),
  file: Record<string, unknown> = {},
): Promise<Stage> {
  const origin = await openOrigin(t, (request, response) => {
    const etag = `"${made.says}"`
    const told = { etag, 'cache-control': 'max-age=3600', ...fields(request.url ?? '') }
    if (request.headers['if-none-match'] === etag) reply(response, '', told, 304)
    else reply(response, `${made.says} ${request.url}`, told)
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file })
  const made: Stage = {
    ...{ origin, relais, says: 'old' },
    read: async (path, headers = {}) => textOf(await get(relais.url + path, { headers })),
  }
  return made
}

function textOf({ body }: Response): string {
  return body.toString().split(' ', 1)[0] ?? ''
}

/** Removed when the test ends; whoever works in it is closed before that. */
async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'relais-purges-'))
  t.after(() => rm(path, { recursive: true, force: true, maxRetries: 10 }))
  return path
}

/** Names of the responses in a directory. */
async function filesIn(path: string): Promise<string[]> {
  return (await readdir(path, { recursive: true })).filter((name) => name.endsWith('.body'))
}

test('a purged address is asked of the origin again, in the same millisecond, and others are not', async (t) => {
  const { origin, relais, read } = await stage(t)
  for (const path of ['/a.ts', '/b.ts']) await read(path)
  const answer = await purge(relais.url, { url: '/a.ts' })
  assert.deepEqual([answer['deleted'], answer['sequence'], answer['soft']], [1, 1, false])
  for (let round = 0; round < 2; round++) for (const path of ['/a.ts', '/b.ts']) await read(path)
  assert.deepEqual([origin.count('/a.ts'), origin.count('/b.ts')], [2, 1])
})

test('all variants of an address go, and all spellings that mean the same', async (t) => {
  const one = await stage(t, () => ({ vary: 'x-kind' }))
  for (const kind of ['a', 'b']) await one.read('/a.ts?CMCD=bl%3D1', { 'x-kind': kind })
  assert.equal(one.origin.count(), 2)
  await purge(one.relais.url, { url: '/a.ts?CMCD=bl%3D2' })
  one.says = 'new'
  for (const kind of ['a', 'b']) assert.equal(await one.read('/a.ts', { 'x-kind': kind }), 'new')
})

test('a prefix, a tag, a route and all cover what they name, and nothing else', async (t) => {
  const tags: Record<string, string> = { '/x/1.ts': 'film-1 hd', '/y/2.ts': 'film-2' }
  const paths = ['/x/1.ts', '/y/2.ts', '/z/3.ts']
  for (const [order, gone] of [
    [{ prefix: '/x/' }, ['/x/1.ts']],
    [{ prefix: '/' }, paths],
    [{ tag: 'film-2' }, ['/y/2.ts']],
    [{ tags: ['hd', 'film-2'] }, ['/x/1.ts', '/y/2.ts']],
    [{ tag: 'grouped' }, ['/z/3.ts']],
    [{ tag: 'film' }, []],
    [{ route: '/' }, paths],
    [{ all: true }, paths],
  ] as const) {
    const made = await stage(t, (target): Record<string, string> => {
      const key = tags[target]
      return key === undefined ? { 'cache-groups': '"grouped"' } : { 'surrogate-key': key }
    })
    for (const path of paths) await made.read(path)
    const { deleted } = await purge(made.relais.url, order)
    assert.equal(deleted, gone.length, JSON.stringify(order))
    made.says = 'new'
    for (const path of paths) {
      const is = await made.read(path)
      assert.equal(is, gone.includes(path as never) ? 'new' : 'old', `${JSON.stringify(order)}: ${path}`)
    }
    assert.equal((await made.relais.stats()).memory.entries, paths.length)
  }
})

test('what is purged softly is validated once, and stands in while the origin fails', async (t) => {
  const made = await stage(t, () => ({ 'cache-control': 'max-age=3600, stale-if-error=3600' }))
  await made.read('/a.ts')
  for (const order of [
    { url: '/a.ts', soft: true },
    { prefix: '/', soft: true },
  ]) {
    const before = made.origin.count()
    assert.equal((await purge(made.relais.url, order))['deleted'], 0)
    const again = await get(`${made.relais.url}/a.ts`)
    assert.match(String(again.headers['cache-status']), /fwd=stale; fwd-status=304/)
    assert.match(String((await get(`${made.relais.url}/a.ts`)).headers['cache-status']), /; hit/)
    assert.equal(made.origin.count(), before + 1)
  }
  await purge(made.relais.url, { all: true, soft: true })
  made.origin.answer((_request, response) => response.destroy())
  assert.equal(await made.read('/a.ts'), 'old')
  await purge(made.relais.url, { all: true })
  assert.equal((await get(`${made.relais.url}/a.ts`)).status, 502)
})

test('a purge leaves nothing in memory and nothing on disk', async (t) => {
  const path = await directory(t)
  for (const order of [{ urls: ['/a.ts', '/b.ts'] }, { prefix: '/' }, { tag: 'k' }, { all: true }]) {
    const made = await stage(t, () => ({ 'surrogate-key': 'k' }), { disk: { path, maxBytes: '64MB' } })
    for (const one of ['/a.ts', '/b.ts']) await made.read(one)
    await settled(made.relais)
    assert.equal((await filesIn(path)).length, 2)
    await purge(made.relais.url, order)
    await until(async () => (await filesIn(path)).length === 0, 'the files are gone')
    const { memory, disk } = await made.relais.stats()
    assert.deepEqual([memory.entries, disk.entries], [0, 0], JSON.stringify(order))
    await made.relais.close()
  }
})

test('the slices of a large body go with it', async (t) => {
  const bytes = Buffer.alloc(300 * 1024, 1)
  const origin = await openOrigin(t, (request, response) => {
    const [, first = '0', last = ''] = /bytes=(\d+)-(\d*)/.exec(String(request.headers.range)) ?? []
    const end = Math.min(Number(last === '' ? bytes.length - 1 : last), bytes.length - 1)
    const part = bytes.subarray(Number(first), end + 1)
    const range = `bytes ${first}-${end}/${bytes.length}`
    reply(response, part, { etag: '"v"', 'cache-control': 'max-age=60', 'content-range': range }, 206)
  })
  const path = await directory(t)
  const relais = await openTestRelais(t, {
    origins: [origin.url],
    file: { slices: { bytes: 65536, above: 65536 }, disk: { path, maxBytes: '64MB' } },
  })
  for (const order of [{ url: '/film.mp4' }, { prefix: '/film' }]) {
    assert.equal((await get(`${relais.url}/film.mp4`)).body.length, bytes.length)
    await settled(relais)
    assert.equal((await relais.stats()).memory.entries, 6)
    await purge(relais.url, order)
    await until(async () => (await relais.stats()).memory.entries === 0, 'no slice is left in memory')
    await until(async () => (await filesIn(path)).length === 0, 'no slice is left on disk')
    const before = origin.count()
    await get(`${relais.url}/film.mp4`)
    assert.equal(origin.count() - before, 5)
  }
  await relais.close()
})

/** A segment whose first half has come before a purge, and whose second half comes after it. */
async function halfway(
  t: TestContext,
  file: Record<string, unknown> = {},
  half = 'old old ',
): Promise<{ relais: TestRelais; origin: TestOrigin; first: Promise<Response>; goOn: () => void }> {
  const gate = barrier()
  const begun = barrier()
  let isFirst = true
  const fields = { 'cache-control': 'max-age=60', 'surrogate-key': 'k', etag: '"v"' }
  const answer: Handler = async (_request, response) => {
    if (!isFirst) return reply(response, 'new', fields)
    isFirst = false
    response.writeHead(200, { ...fields, 'content-length': String(2 * half.length) })
    response.write(half)
    await gate.opened
    response.end(half)
  }
  const origin = await openOrigin(t, answer)
  const relais = await openTestRelais(t, { origins: [origin.url], file })
  const first = get(`${relais.url}/a.ts`, { onData: () => begun.open() })
  await begun.opened
  return { relais, origin, first, goOn: gate.open }
}

const ORDERS = [{ url: '/a.ts' }, { prefix: '/a' }, { tag: 'k' }, { route: '/' }, { all: true }] as const

for (const order of ORDERS) {
  for (const soft of [false, true]) {
    const name = `${JSON.stringify(order)}${soft ? ', softly' : ''}`
    test(`a fill that is overtaken by a purge goes to its viewers and no further: ${name}`, async (t) => {
      const { relais, origin, first, goOn } = await halfway(t)
      await purge(relais.url, { ...order, soft })
      // 1. Who comes now does not walk along.
      assert.equal((await get(`${relais.url}/a.ts`)).body.toString(), 'new')
      goOn()
      assert.equal((await first).body.toString(), 'old old old old ')
      await settled(relais)
      // 2. What came late has not taken the place of what is true.
      assert.equal((await get(`${relais.url}/a.ts`)).body.toString(), 'new')
      // What is stale from birth may have to be validated; what is gone is not even stored.
      assert.ok(origin.count() <= (soft ? 3 : 2))
    })

    test(`a fill that lands after a purge is not believed: ${name}`, async (t) => {
      const path = await directory(t)
      const { relais, first, goOn } = await halfway(t, { disk: { path, maxBytes: '64MB' } })
      await purge(relais.url, { ...order, soft })
      goOn()
      await first
      await settled(relais)
      if (!soft) {
        await until(async () => (await filesIn(path)).length === 0, 'nothing of it is on disk')
        assert.equal((await relais.stats()).memory.entries, 0)
      }
      assert.equal((await get(`${relais.url}/a.ts`)).body.toString(), 'new')
      await relais.close()
    })
  }
}

test('who comes after a purge does not wait for what was asked before it', async (t) => {
  for (const order of ORDERS.filter((one) => !('tag' in one))) {
    const gate = barrier()
    let isFirst = true
    const origin = await openOrigin(t, async (_request, response) => {
      const isHeld = isFirst
      isFirst = false
      if (isHeld) await gate.opened
      reply(response, isHeld ? 'old' : 'new', { 'cache-control': 'max-age=60' })
    })
    const relais = await openTestRelais(t, { origins: [origin.url] })
    const first = get(`${relais.url}/a.ts`)
    await origin.reached(1)
    await purge(relais.url, order)
    assert.equal((await get(`${relais.url}/a.ts`)).body.toString(), 'new', JSON.stringify(order))
    gate.open()
    assert.equal((await first).body.toString(), 'old')
    await settled(relais)
    assert.equal((await get(`${relais.url}/a.ts`)).body.toString(), 'new')
    assert.equal(origin.count(), 2)
  }
})

test('a body too large for memory, overtaken by a purge, is read to its end and then gone', async (t) => {
  const path = await directory(t)
  const half = 'old '.repeat(512 * 1024)
  const { relais, first, goOn } = await halfway(
    t,
    {
      disk: { path, maxBytes: '64MB' },
      memory: { maxBytes: '8MB', maxEntryBytes: '64KB' },
      slices: { above: '32MB' },
    },
    half,
  )
  await purge(relais.url, { all: true })
  goOn()
  const whole = await first
  assert.deepEqual([whole.body.length, whole.isWhole], [2 * half.length, true])
  await settled(relais)
  await until(async () => (await filesIn(path)).length === 0, 'nothing of it is on disk')
  assert.equal((await get(`${relais.url}/a.ts`)).body.toString(), 'new')
  await relais.close()
})

test('a 304 that was asked for before a purge does not bring back what it confirms', async (t) => {
  for (const order of ORDERS) {
    for (const soft of [false, true]) {
      const gate = barrier()
      let says = 'old'
      const fields = (): Record<string, string> => ({
        ...{ 'cache-control': 'max-age=60', 'surrogate-key': 'k', etag: `"${says}"` },
      })
      const origin = await openOrigin(t, async (request, response) => {
        const condition = request.headers['if-none-match']
        if (condition === '"old"' && says === 'old') {
          await gate.opened
          reply(response, '', { ...fields(), etag: '"old"' }, 304)
          return
        }
        reply(response, says, fields())
      })
      const relais = await openTestRelais(t, { origins: [origin.url] })
      await get(`${relais.url}/a.ts`)
      relais.clock.advance(61_000)
      const validated = get(`${relais.url}/a.ts`)
      await origin.reached(2)
      await purge(relais.url, { ...order, soft })
      gate.open()
      assert.equal((await validated).body.toString(), 'old')
      await settled(relais)
      says = 'new'
      assert.equal((await get(`${relais.url}/a.ts`)).body.toString(), 'new', JSON.stringify({ order, soft }))
      await relais.close()
    }
  }
})

test('what was purged before a restart is not there after it, though its file came back', async (t) => {
  for (const order of [
    { url: '/a.ts' },
    { prefix: '/a' },
    { tag: 'k' },
    { all: true },
    { url: '/a.ts', soft: true },
  ]) {
    const path = await directory(t)
    const made = await stage(t, () => ({ 'surrogate-key': 'k' }), { disk: { path, maxBytes: '64MB' } })
    await made.read('/a.ts')
    await settled(made.relais)
    const [name = ''] = await filesIn(path)
    const bytes = await readFile(join(path, name))
    await purge(made.relais.url, order)
    await made.relais.close()
    // As after a kill between the order and its execution.
    await writeFile(join(path, name), bytes)
    made.says = 'new'
    const { clock } = made.relais
    const second = await openTestRelais(t, {
      ...{ origins: [made.origin.url], clock },
      file: { disk: { path, maxBytes: '64MB' } },
    })
    assert.equal(textOf(await get(`${second.url}/a.ts`)), 'new', JSON.stringify(order))
    await second.close()
  }
})

test('what was stored after a purge outlives a restart', async (t) => {
  const path = await directory(t)
  const file = { disk: { path, maxBytes: '64MB' } }
  const made = await stage(t, () => ({}), file)
  for (const order of [{ url: '/a.ts' }, { prefix: '/' }]) await purge(made.relais.url, order)
  await made.read('/a.ts')
  await settled(made.relais)
  await made.relais.close()
  const second = await openTestRelais(t, { origins: [made.origin.url], clock: made.relais.clock, file })
  assert.equal(textOf(await get(`${second.url}/a.ts`)), 'old')
  assert.equal(made.origin.count(), 1)
  await second.close()
})

test('when the notes of purges are damaged, all that lies on disk is validated once', async (t) => {
  const path = await directory(t)
  const file = { disk: { path, maxBytes: '64MB' } }
  const made = await stage(t, () => ({}), file)
  await made.read('/a.ts')
  await settled(made.relais)
  await purge(made.relais.url, { url: '/b.ts' })
  await made.relais.close()
  const notes = await readFile(join(path, 'purges'), 'utf8')
  assert.match(notes, /b\.ts/)
  await writeFile(join(path, 'purges'), notes.replace('b.ts', 'c.ts'))
  const second = await openTestRelais(t, { origins: [made.origin.url], clock: made.relais.clock, file })
  const first = await get(`${second.url}/a.ts`)
  assert.match(String(first.headers['cache-status']), /fwd=stale; fwd-status=304/)
  assert.match(String((await get(`${second.url}/a.ts`)).headers['cache-status']), /; hit/)
  await second.close()
})
