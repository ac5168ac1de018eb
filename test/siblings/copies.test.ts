/** What a node keeps of what a sibling keeps: what is asked for again soon, for a moment, in memory. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { testClock } from '../support/clock.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openSiblings, type TestSibling } from '../support/relais-siblings.ts'

const KEPT = { 'cache-control': 'max-age=600', etag: '"one"' }

interface Pair {
  readonly origin: TestOrigin
  readonly asker: TestSibling
  readonly owner: TestSibling
  readonly target: string
  readonly advance: (ms: number) => void
}

async function pair(t: TestContext, file: Record<string, unknown> = {}): Promise<Pair> {
  const origin = await openOrigin(t, (_, response) => reply(response, 'a body', KEPT))
  const clock = testClock()
  const { nodes, ownedBy } = await openSiblings(t, 2, { origins: [origin.url], clock, file })
  const [asker, owner] = nodes
  assert.ok(asker && owner)
  return { origin, asker, owner, target: ownedBy(owner, origin.url, '.ts'), advance: clock.advance }
}

async function askedOf(owner: TestSibling): Promise<number | undefined> {
  return (await owner.stats()).peers?.requests
}

test('what is asked for once is passed on and not kept', async (t) => {
  const { asker, owner, target } = await pair(t)
  await get(asker.url + target)
  assert.equal((await asker.stats()).memory.entries, 0)
  assert.equal((await asker.stats()).memory.bytes, 0)
  assert.equal((await owner.stats()).memory.entries, 1)
})

test('what is asked for again within ten seconds is kept', async (t) => {
  const { origin, asker, owner, target, advance } = await pair(t)
  await get(asker.url + target)
  advance(9_000)
  await get(asker.url + target)
  assert.equal(await askedOf(owner), 2)
  const third = await get(asker.url + target)
  assert.equal(third.body.toString(), 'a body')
  assert.match(String(third.headers['cache-status']), /node-0; hit; ttl=30$/)
  assert.equal(await askedOf(owner), 2)
  assert.equal(origin.count(), 1)
})

test('what is asked for again later is not', async (t) => {
  const { asker, owner, target, advance } = await pair(t)
  await get(asker.url + target)
  advance(11_000)
  await get(asker.url + target)
  assert.equal(await askedOf(owner), 2)
  assert.equal((await asker.stats()).memory.entries, 0)
})

test('a copy is kept for thirty seconds, then the owner is asked whether it is true still', async (t) => {
  const { origin, asker, owner, target, advance } = await pair(t)
  await get(asker.url + target)
  await get(asker.url + target)
  advance(29_000)
  assert.match(String((await get(asker.url + target)).headers['cache-status']), /node-0; hit; ttl=1$/)
  advance(2_000)
  const answer = await get(asker.url + target)
  assert.match(String(answer.headers['cache-status']), /fwd=stale; fwd-status=304; stored; ttl=30$/)
  assert.equal(answer.headers['age'], '31')
  assert.equal(await askedOf(owner), 3)
  assert.equal(origin.count(), 1)
})

test('a copy does not outlive what it is a copy of', async (t) => {
  const { asker, target, advance } = await pair(t)
  await get(asker.url + target)
  advance(590_000)
  await get(asker.url + target)
  assert.match(String((await get(asker.url + target)).headers['cache-status']), /ttl=10$/)
})

test('what is asked of the owner each second is kept by whoever asks for it', async (t) => {
  const origin = await openOrigin(t, (_, response) => reply(response, 'a body', KEPT))
  const { nodes, ownedBy } = await openSiblings(t, 2, { origins: [origin.url] })
  const [asker, owner] = nodes
  assert.ok(asker && owner)
  const target = ownedBy(owner, origin.url, '.ts')
  await get(owner.url + target)
  // HEAD is asked of the owner each time, and nothing of it is kept.
  for (let count = 0; count < 12; count++) await get(asker.url + target, { method: 'HEAD' })
  assert.equal((await asker.stats()).memory.entries, 0)
  await get(asker.url + target)
  assert.equal((await asker.stats()).memory.entries, 1)
})

test('copies never lie on disk', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'relais-copies-'))
  t.after(() => rm(path, { recursive: true, force: true, maxRetries: 5 }))
  const origin = await openOrigin(t, (_, response) => reply(response, 'a body', KEPT))
  const { nodes, ownedBy } = await openSiblings(t, 2, {
    origins: [origin.url],
    more: (index) => ({ disk: { path: join(path, String(index)) } }),
  })
  const [asker, owner] = nodes
  assert.ok(asker && owner)
  const target = ownedBy(owner, origin.url, '.ts')
  for (let count = 0; count < 3; count++) await get(asker.url + target)
  // The disk is written behind the viewer's back.
  await until(async () => (await owner.stats()).disk.entries === 1, 'the owner has it on disk')
  const [askers, owners] = [await asker.stats(), await owner.stats()]
  assert.deepEqual([askers.memory.entries, askers.disk.entries], [1, 0])
  assert.deepEqual([owners.memory.entries, owners.disk.entries], [1, 1])
})

test('copies take an eighth of memory at most, and push out none of what is the own', async (t) => {
  const origin = await openOrigin(t, (_, response) => reply(response, Buffer.alloc(100_000), KEPT))
  const file = { memory: { maxBytes: '8MB' } }
  const { nodes, ownedBy } = await openSiblings(t, 2, { origins: [origin.url], file })
  const [asker, owner] = nodes
  assert.ok(asker && owner)
  const own = ownedBy(asker, origin.url, '.ts')
  await get(asker.url + own)
  for (let index = 0; index < 20; index++) {
    const target = ownedBy(owner, origin.url, `-${index}.ts`)
    await get(asker.url + target)
    await get(asker.url + target)
  }
  const { memory } = await asker.stats()
  assert.equal(memory.maxBytes, 8 * 1024 * 1024)
  assert.ok(memory.bytes <= 1024 * 1024 + 110_000, `${memory.bytes} bytes`)
  assert.ok(memory.entries > 2)
  assert.match(String((await get(asker.url + own)).headers['cache-status']), /; hit/)
})

test('what a stand-in fills it keeps for thirty seconds at most', async (t) => {
  const { asker, owner, target } = await pair(t)
  owner.link.cut()
  assert.match(String((await get(asker.url + target)).headers['cache-status']), /; stored; ttl=30$/)
  assert.equal((await asker.stats()).memory.entries, 1)
})

test('many viewers of what is not kept are one request to the owner', async (t) => {
  const origin = await openOrigin(t, () => undefined)
  const { nodes, ownedBy } = await openSiblings(t, 2, { origins: [origin.url] })
  const [asker, owner] = nodes
  assert.ok(asker && owner)
  const target = ownedBy(owner, origin.url, '.ts')
  origin.answer(async (_, response) => {
    // No length: nobody knows how much is to come.
    response.writeHead(200, KEPT)
    response.write('a ')
    while ((await asker.stats()).requests.total < 50) await new Promise((resolve) => setImmediate(resolve))
    response.end('body')
  })
  const answers = await Promise.all(Array.from({ length: 50 }, () => get(asker.url + target)))
  for (const answer of answers) assert.equal(answer.body.toString(), 'a body')
  assert.equal(await askedOf(owner), 1)
  assert.equal(origin.count(), 1)
  assert.equal((await asker.stats()).memory.entries, 0)
})
