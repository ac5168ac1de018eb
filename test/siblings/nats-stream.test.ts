/** The stream of purges is not for ever: it is deleted, emptied and lost, and nothing that was purged is served for that. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { until } from '../support/barrier.ts'
import { testClock } from '../support/clock.ts'
import { openLink } from '../support/link.ts'
import { hasNats, openNats } from '../support/nats.ts'
import { activeOf, beatUntil, emptyStream, natsNode, openNodes, streamsOf } from '../support/nats-siblings.ts'
import { inForce, type TestNode } from '../support/siblings.ts'

const skip = hasNats() ? false : 'nats-server is not installed: apt-get install nats-server'

test('when the stream is deleted everybody validates what is stored, and purges go on in a new one', {
  skip,
}, async (t) => {
  const nats = await openNats(t)
  const nodes = await openNodes(t, nats, 2)
  const [first] = nodes
  assert.ok(first)
  await first.purge('/before')
  await inForce(nodes, ['/before'])
  const { connection, streams } = await streamsOf(nats)
  await streams.delete('RELAIS_PURGE_relais')
  await connection.close()
  await beatUntil(nodes, () => nodes.every(({ distrusted }) => distrusted.length > 0), 'all notice')
  await first.purge('/after')
  await beatUntil(nodes, () => nodes.every(({ applied }) => applied.includes('/after')), 'the purge is told')
  for (const { applied } of nodes) assert.deepEqual(applied, ['/before', '/after'])
  const late = await natsNode(t, nats, 'node-3')
  await late.begin()
  assert.deepEqual(late.applied, ['/before', '/after'], 'the new stream has what nodes remember')
})

test('when the stream is deleted, what somebody gave out who is gone is in the new one as well', {
  skip,
}, async (t) => {
  const nats = await openNats(t)
  const [first, second, third] = await openNodes(t, nats, 3)
  assert.ok(first && second && third)
  await third.purge('/left-behind')
  await inForce([first, second, third], ['/left-behind'])
  await third.close()
  const { connection, streams } = await streamsOf(nats)
  await streams.delete('RELAIS_PURGE_relais')
  await connection.close()
  const late = await natsNode(t, nats, 'node-4')
  await late.begin()
  const all = [first, second, late]
  await beatUntil(all, () => late.applied.includes('/left-behind'), 'who joins hears of it')
  // Else it would be asked for nothing for as long as they remember it.
  await beatUntil(all, () => Object.keys(first.cluster.lackedBy('node-4')).length === 0, 'others know')
})

test('when the server has lost all it had, everybody validates what is stored, and purges go on in a new stream', {
  skip,
}, async (t) => {
  const nats = await openNats(t)
  const nodes = await openNodes(t, nats, 2)
  const [first] = nodes
  assert.ok(first)
  await first.purge('/before')
  await inForce(nodes, ['/before'])
  await nats.stop()
  nats.wipe()
  await nats.start()
  await beatUntil(nodes, () => nodes.every(({ distrusted }) => distrusted.length > 0), 'all notice')
  await first.purge('/after')
  await beatUntil(nodes, () => nodes.every(({ applied }) => applied.includes('/after')), 'the purge is told')
  const late = await natsNode(t, nats, 'node-3')
  await late.begin()
  assert.deepEqual(late.applied, ['/before', '/after'], 'the new stream has what nodes remember')
})

test('when the stream is emptied nobody who has read it minds, and who joins later reads what nodes remember', {
  skip,
}, async (t) => {
  const nats = await openNats(t)
  const nodes = await openNodes(t, nats, 2)
  const [first, second] = nodes
  assert.ok(first && second)
  await first.purge('/one')
  await second.purge('/two')
  await inForce(nodes, ['/one', '/two'])
  await emptyStream(nats)
  const inStream = async (): Promise<number> => {
    const { connection, streams } = await streamsOf(nats)
    const { state } = await streams.info('RELAIS_PURGE_relais')
    await connection.close()
    return state.messages
  }
  await until(async () => {
    for (const node of nodes) node.tick()
    return (await inStream()) === 2
  }, 'what nodes remember is in the stream again')
  await first.purge('/three')
  await inForce(nodes, ['/one', '/two', '/three'])
  const late = await natsNode(t, nats, 'node-3')
  await late.begin()
  assert.deepEqual([...late.applied].sort(), ['/one', '/three', '/two'])
  for (const { distrusted, skipped } of nodes) assert.deepEqual([...distrusted, ...skipped], [])
})

test('when all but the last entry of the stream are dropped, who joins reads what the others gave out, and validates what it may have stored of the rest', {
  skip,
}, async (t) => {
  const nats = await openNats(t)
  const nodes = await openNodes(t, nats, 2)
  const [first, second] = nodes
  assert.ok(first && second)
  const given = [
    [first, '/one'],
    [second, '/two'],
    [second, '/three'],
  ] as const
  for (const [index, [node, path]] of given.entries()) {
    await node.purge(path)
    const soFar = given.slice(0, index + 1).map(([, one]) => one)
    await inForce(nodes, soFar)
  }
  await emptyStream(nats, 1)
  const late = await natsNode(t, nats, 'node-3')
  await late.begin()
  assert.ok(late.applied.includes('/three'))
  const all = [...nodes, late]
  await beatUntil(all, () => late.applied.includes('/one'), 'the lost entry of a giver is written again')
  // Of a giver whose last entry is there nobody sees that another one is not, so who joins is told of the gap.
  assert.equal(late.skipped.length, 1)
  for (const { distrusted, skipped } of nodes) assert.deepEqual([...distrusted, ...skipped], [])
})

test('what somebody gave out who is gone is written again also when all others were down while the stream was lost', {
  skip,
}, async (t) => {
  const nats = await openNats(t)
  const folder = mkdtempSync(join(tmpdir(), 'relais-book-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const named = { clock: testClock(Date.now()), path: join(folder, 'purges.log') }
  const giver = await natsNode(t, nats, 'node-1')
  await giver.begin()
  const before = await natsNode(t, nats, 'node-2', named)
  await before.begin()
  await giver.purge('/left-behind')
  await until(() => before.applied.includes('/left-behind'), 'it is told')
  await giver.close()
  await before.close()
  await nats.stop()
  nats.wipe()
  await nats.start()
  const after = await natsNode(t, nats, 'node-2', named)
  await after.begin()
  const late = await natsNode(t, nats, 'node-3')
  await late.begin()
  await beatUntil([after, late], () => late.applied.includes('/left-behind'), 'who joins hears of it')
})

test('a node that could not hear while the stream was emptied validates what is stored, once, and hears what follows', {
  skip,
}, async (t) => {
  const nats = await openNats(t)
  const line = await openLink(t)
  line.leadTo(`http://127.0.0.1:${nats.port}`)
  const first = await natsNode(t, nats, 'node-1')
  const second = await natsNode(t, { ...nats, url: line.url.replace('http:', 'nats:') }, 'node-2')
  const nodes = [first, second]
  await first.begin()
  await second.begin()
  await beatUntil(nodes, () => nodes.every((node) => activeOf(node) === 2), 'they hear each other')
  const isConnected = (): boolean => second.cluster.health().carrier?.isConnected === true
  line.cut()
  await until(() => !isConnected(), 'it notices')
  await first.purge('/missed')
  await until(() => first.cluster.health().carrier?.purgeLag === 0, 'it is in the stream')
  await first.close()
  await emptyStream(nats)
  line.heal()
  await beatUntil([second], () => second.distrusted.length > 0, 'it notices that it missed something')
  await second.purge('/after')
  await beatUntil([second], () => second.cluster.health().carrier?.purgeLag === 0, 'its own purges are told')
  const late = await natsNode(t, nats, 'node-3')
  await late.begin()
  assert.deepEqual(late.applied, ['/after'])
  assert.equal(second.distrusted.length, 1)
})

test('a node that was down while the stream was emptied validates what is stored when it begins, and not when nothing was in it', {
  skip,
}, async (t) => {
  const nats = await openNats(t)
  const folder = mkdtempSync(join(tmpdir(), 'relais-book-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'purges.log')
  const [first] = await openNodes(t, nats, 1)
  assert.ok(first)
  await first.purge('/known')
  const live = async (): Promise<TestNode> => {
    // What it compares are times of the server.
    const node = await natsNode(t, nats, 'node-2', { clock: testClock(Date.now()), path })
    await node.begin()
    return node
  }
  const before = await live()
  assert.deepEqual(before.applied, ['/known'])
  await before.close()
  const again = await live()
  assert.deepEqual(again.distrusted, [], 'nothing was missed')
  await again.close()
  await first.purge('/missed')
  await until(() => first.cluster.health().carrier?.purgeLag === 0, 'it is in the stream')
  await first.close()
  await emptyStream(nats)
  const after = await live()
  assert.equal(after.distrusted.length, 1)
  await after.close()
  const later = await live()
  assert.deepEqual(later.distrusted, [], 'nothing was in the stream since')
})

test('while purges come all the time the stream is looked at again and again, and nobody takes what it reads meanwhile for a loss', {
  skip,
}, async (t) => {
  const nats = await openNats(t)
  const nodes = await openNodes(t, nats, 2)
  const [first, second] = nodes
  assert.ok(first && second)
  const paths = Array.from({ length: 400 }, (_, index) => `/one/${index}`)
  for (const path of paths) {
    void first.purge(path)
    // A look every few beats; its answer and the entries are under way at the same time.
    for (const node of nodes) node.tick()
    await turn()
  }
  await beatUntil(nodes, () => second.applied.length === paths.length, 'all purges are told')
  assert.deepEqual(second.applied, paths)
  for (const { distrusted } of nodes) assert.deepEqual(distrusted, [])
})
