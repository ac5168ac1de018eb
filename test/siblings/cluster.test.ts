/** Nodes that are named to each other find each other, tell each other their purges, and notice who is not there. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../support/barrier.ts'
import { inForce, openTestNode, openTestNodes, statesOf, type TestNode } from '../support/siblings.ts'

/** All of them began, and heard each other. */
async function together(nodes: readonly TestNode[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.begin()))
  await Promise.all(nodes.map(({ cluster }) => cluster.settled()))
  await beatAll(nodes)
}

/** So many seconds of one clock, in which all of them speak; those that are cut off hear nobody. */
async function beatAll(nodes: readonly TestNode[], seconds = 1): Promise<void> {
  const [first] = nodes
  for (let second = 0; second < seconds; second++) {
    first?.clock.advance(1_000)
    for (const node of nodes) node.tick()
    await Promise.all(nodes.map(({ cluster }) => cluster.settled()))
  }
}

test('nodes that begin together are owners for each other at once, with one roster', async (t) => {
  const nodes = await openTestNodes(t, 4)
  await together(nodes)
  for (const node of nodes) {
    assert.deepEqual(new Set(Object.values(statesOf(node))), new Set(['active']))
    assert.equal(node.cluster.roster.digest(), nodes[0]?.cluster.roster.digest())
    assert.deepEqual(node.warnings, [])
    assert.deepEqual(
      node.cluster
        .stats()
        .map(({ agrees, purgeLag, silentSeconds, version }) => [agrees, purgeLag, silentSeconds, version]),
      Array(3).fill([true, 0, 0, '0.1.0']),
    )
  }
})

test('a purge is applied where it was given out, then everywhere, and in its order', async (t) => {
  const nodes = await openTestNodes(t, 4)
  await together(nodes)
  const [first] = nodes
  assert.ok(first)
  const values = Array.from({ length: 100 }, (_, index) => `/seg-${index}.ts`)
  for (const value of values) await first.purge(value)
  await until(() => nodes.every(({ applied }) => applied.length === 100), 'all purges came')
  for (const { applied } of nodes) assert.deepEqual(applied, values)
})

test('each node gives out purges, and all of them are in force on all nodes', async (t) => {
  const nodes = await openTestNodes(t, 3)
  await together(nodes)
  const values = nodes.flatMap(({ id }) => [1, 2, 3].map((index) => `/${id}/${index}`))
  await Promise.all(nodes.flatMap((node) => [1, 2, 3].map((index) => node.purge(`/${node.id}/${index}`))))
  await inForce(nodes, values)
})

test('who waits for all is answered when every live node has applied the purge', async (t) => {
  const nodes = await openTestNodes(t, 3)
  await together(nodes)
  const [first] = nodes
  assert.ok(first)
  assert.deepEqual(await first.cluster.waitForAll(await first.purge('/a'), 10_000), [])
  for (const { applied } of nodes) assert.deepEqual(applied, ['/a'])
})

test('who waits for all is told the names of those who are late', async (t) => {
  const nodes = await openTestNodes(t, 3)
  await together(nodes)
  const [first, , third] = nodes
  third?.cut(true)
  assert.ok(first)
  assert.deepEqual(await first.cluster.waitForAll(await first.purge('/a'), 50), ['node-3'])
})

test('nobody waits for a node that is gone', async (t) => {
  const nodes = await openTestNodes(t, 3)
  await together(nodes)
  const [first, second, third] = nodes
  assert.ok(first && second && third)
  third.cut(true)
  await beatAll([first, second], 15)
  assert.equal(statesOf(first)['node-3'], 'gone')
  assert.deepEqual(await first.cluster.waitForAll(await first.purge('/a'), 10_000), [])
})

test('a node that is cut off both ways is skipped, then gone, and after healing all purges are in force on both sides', async (t) => {
  const nodes = await openTestNodes(t, 3)
  await together(nodes)
  const [first, second, third] = nodes
  assert.ok(first && second && third)
  third.cut(true)
  await beatAll(nodes, 4)
  assert.deepEqual(statesOf(first), { 'node-1': 'active', 'node-2': 'active', 'node-3': 'suspect' })
  assert.deepEqual(statesOf(third), { 'node-1': 'suspect', 'node-2': 'suspect', 'node-3': 'active' })
  await first.purge('/on-one-side')
  await third.purge('/on-the-other')
  await beatAll(nodes, 26)
  assert.equal(statesOf(first)['node-3'], 'gone')
  assert.deepEqual(third.applied, ['/on-the-other'])
  third.cut(false)
  await beatAll(nodes, 1)
  await inForce(nodes, ['/on-one-side', '/on-the-other'])
  assert.equal(statesOf(first)['node-3'], 'joining')
  await beatAll(nodes, 10)
  assert.equal(statesOf(first)['node-3'], 'active')
  assert.equal(first.cluster.roster.digest(), third.cluster.roster.digest())
})

test('10,000 purges given out while a node was away are in force before it serves', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-cluster-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const nodes = await openTestNodes(t, 2)
  const [first, second] = nodes
  assert.ok(first && second)
  second.cut(true)
  await first.begin()
  const values = Array.from({ length: 10_000 }, (_, index) => `/vod/${index}/init.mp4`)
  await Promise.all(values.map((value) => first.purge(value)))
  assert.deepEqual(second.applied, [])
  second.cut(false)
  await second.begin()
  assert.deepEqual(second.applied, values)
})

test('whoever is there tells what a node missed that another one gave out, which is gone by now', async (t) => {
  const nodes = await openTestNodes(t, 3)
  const [first, second, third] = nodes
  assert.ok(first && second && third)
  third.cut(true)
  await together([first, second])
  assert.deepEqual(await first.cluster.waitForAll(await first.purge('/a'), 50), ['node-3'])
  await inForce([first, second], ['/a'])
  await first.close()
  third.cut(false)
  await third.begin()
  assert.deepEqual(third.applied, ['/a'])
})

test('a node that begins alone serves, and hears of the others later', async (t) => {
  const nodes = await openTestNodes(t, 2)
  const [first, second] = nodes
  assert.ok(first && second)
  second.cut(true)
  await first.begin()
  await first.beat(20)
  assert.deepEqual(statesOf(first), { 'node-1': 'active', 'node-2': 'gone' })
  second.cut(false)
  await second.begin()
  await beatAll(nodes, 12)
  assert.deepEqual(statesOf(first), { 'node-1': 'active', 'node-2': 'active' })
  assert.ok((first.cluster.roster.members()[1]?.joinedAt ?? 0) > 0, 'it is new to the first')
  assert.equal(
    first.warnings.filter((line) => line.includes('is silent')).length,
    1,
    'that it is silent is said once',
  )
})

test('a node that listens on a secret of its own is no sibling, and serves alone', async (t) => {
  const other = await openTestNode(t, {
    id: 'node-9',
    options: { secret: 'another secret of 32 characters or so' },
  })
  await other.begin()
  const siblings = [{ id: 'node-9', url: other.url, zone: null, weight: 1, publicUrl: null }]
  const node = await openTestNode(t, { id: 'node-1', options: { siblings } })
  await node.begin()
  await node.beat(2)
  assert.deepEqual(statesOf(node), { 'node-1': 'active', 'node-9': 'suspect' })
  assert.deepEqual(other.warnings, ['a message that says it is from node-1 is refused: it is unknown-key'])
  assert.deepEqual(other.applied, [])
})

test('of two nodes with one name each says so in one clear line, and hears nothing of the other', async (t) => {
  const twin = await openTestNode(t, { id: 'node-1' })
  await twin.begin()
  // It is found under another name: its own entry in the list would be left out.
  const siblings = [{ id: 'node-2', url: twin.url, zone: null, weight: 1, publicUrl: null }]
  const node = await openTestNode(t, { id: 'node-1', options: { siblings } })
  await node.begin()
  await node.beat(3)
  assert.deepEqual(node.warnings, [
    `another node at ${twin.url} is called node-1 as this one is, and is refused: each needs a name of its own`,
  ])
  assert.deepEqual(statesOf(node), { 'node-1': 'active', 'node-2': 'suspect' })
  assert.ok(node.cluster.health().refused >= 3)
  // It knows nobody, and is asked by one of its own name.
  assert.deepEqual(twin.warnings, [
    'another node that asks here is called node-1 as this one is: each needs a name of its own',
  ])
})

test('a node of another cluster that has the same secret is refused in one clear line', async (t) => {
  const other = await openTestNode(t, { id: 'node-2', options: { name: 'lyon' } })
  await other.begin()
  const siblings = [{ id: 'node-2', url: other.url, zone: null, weight: 1, publicUrl: null }]
  const node = await openTestNode(t, { id: 'node-1', options: { siblings } })
  await node.begin()
  await node.beat(3)
  assert.deepEqual(node.warnings, [`node-2 at ${other.url} is refused: expected cluster relais, came "lyon"`])
})

test('more than eight nodes without an engine are warned of, once', async (t) => {
  const siblings = Array.from({ length: 9 }, (_, index) => ({
    id: `node-${index + 1}`,
    url: `http://127.0.0.1:${index + 1}`,
    zone: null,
    weight: 1,
    publicUrl: null,
  }))
  const many = await openTestNode(t, { id: 'node-1', options: { siblings } })
  await many.begin()
  await many.beat(3)
  assert.equal(many.warnings.filter((line) => line.includes('above 8, use cluster.nats')).length, 1)
  const few = await openTestNode(t, { id: 'node-1', options: { siblings: siblings.slice(0, 8) } })
  await few.begin()
  await few.beat(3)
  assert.equal(few.warnings.filter((line) => line.includes('cluster.nats')).length, 0)
})

test('a busy node says how busy it is, and is relieved', async (t) => {
  const nodes = await openTestNodes(t, 3, { options: { capacity: 8 } })
  await together(nodes)
  const [first, second] = nodes
  assert.ok(first && second)
  for (let second = 0; second < 12; second++) {
    first.counters.bytesOut += 1e6
    await beatAll(nodes)
  }
  const busy = second.cluster.roster.members()[0]
  assert.ok((busy?.load ?? 0) > 0.9, `${busy?.load}`)
  assert.ok((busy?.shed ?? 0) > 0.9, `${busy?.shed}`)
})

test('100 purges a second are everywhere without piling up: each node is told in few messages', async (t) => {
  const nodes = await openTestNodes(t, 4)
  await together(nodes)
  const [first, second] = nodes
  assert.ok(first && second)
  const values = Array.from({ length: 500 }, (_, index) => `/${index}`)
  await Promise.all(values.map((value) => first.purge(value)))
  await inForce(nodes, values)
  await first.cluster.settled()
  const batches = second.asked.filter((target) => target === '/-/peer/v1/purges').length
  assert.ok(batches <= 10, `${batches} messages for 500 purges given out at once`)
  assert.equal(first.cluster.health().carrier?.purgeLag, 0)
})

test('a sibling that hangs, talks nonsense or is not signed is silent, said in one line each, and waited for a second', async (t) => {
  for (const [answer, expected] of [
    [undefined, /did not answer within 1000 ms/],
    ['{}', /answered without the signature of a sibling/],
    ['x'.repeat(5_000_000), /expected at most 4194304 bytes, more came/],
  ] as const) {
    const server = createServer((_request, response) => {
      if (answer !== undefined) response.end(answer)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    t.after(() => {
      server.closeAllConnections()
      server.close()
    })
    const { port } = server.address() as AddressInfo
    const url = `http://127.0.0.1:${port}`
    const siblings = [{ id: 'node-2', url, zone: null, weight: 1, publicUrl: null }]
    const said: string[] = []
    const warn = (about: object, line: string): void => {
      said.push(`${line}: ${'err' in about ? String(about.err) : ''}`)
    }
    const context = { log: { info: () => undefined, warn } }
    const node = await openTestNode(t, { id: 'node-1', options: { siblings }, context })
    await node.begin()
    await node.beat()
    assert.equal(said.length, 1)
    assert.match(said[0] ?? '', expected)
    assert.deepEqual(statesOf(node), { 'node-1': 'active', 'node-2': 'suspect' })
  }
})
