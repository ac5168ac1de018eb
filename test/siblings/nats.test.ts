/** With NATS siblings find each other there, read all purges in one log, and serve on without it. */
import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { until } from '../support/barrier.ts'
import { testClock } from '../support/clock.ts'
import { hasNats, openNats } from '../support/nats.ts'
import { activeOf, beatUntil, natsNode, openNodes, streamsOf } from '../support/nats-siblings.ts'
import { inForce, openTestNode, statesOf, type TestNode } from '../support/siblings.ts'

const skip = hasNats() ? false : 'nats-server is not installed: apt-get install nats-server'

test('siblings find each other on NATS, and agree on one roster', { skip }, async (t) => {
  const nodes = await openNodes(t, await openNats(t), 3)
  const [first] = nodes
  for (const node of nodes) {
    assert.equal(node.cluster.roster.digest(), first?.cluster.roster.digest())
    assert.deepEqual(node.warnings, [])
    assert.deepEqual(node.asked, [], 'nobody asks anybody by HTTP')
  }
})

test('purges of all nodes are in force on all nodes, and who waits for all is answered', {
  skip,
}, async (t) => {
  const nodes = await openNodes(t, await openNats(t), 3)
  const [first, second] = nodes
  assert.ok(first && second)
  const values = Array.from({ length: 50 }, (_, index) => `/${index}`)
  await Promise.all(values.map((value, index) => (index % 2 === 0 ? first : second).purge(value)))
  await inForce(nodes, values)
  assert.deepEqual(await first.cluster.waitForAll(await first.purge('/last'), 10_000), [])
  for (const node of nodes) assert.ok(node.applied.includes('/last'))
})

test('who joins late reads all purges before it serves', { skip }, async (t) => {
  const nats = await openNats(t)
  const [first] = await openNodes(t, nats, 1)
  assert.ok(first)
  const values = Array.from({ length: 10_000 }, (_, index) => `/vod/${index}/init.mp4`)
  await Promise.all(values.map((value) => first.purge(value)))
  await until(() => first.cluster.health().carrier?.purgeLag === 0, 'all purges are in the log')
  const late = await natsNode(t, nats, 'node-2')
  await late.begin()
  assert.deepEqual(late.applied, values)
  assert.deepEqual([...late.skipped, ...late.distrusted], [])
})

test('without a server a node begins, purges here, and tells it when there is one', { skip }, async (t) => {
  const nats = await openNats(t, { isStarted: false })
  const first = await natsNode(t, nats, 'node-1')
  const second = await natsNode(t, nats, 'node-2')
  await Promise.all([first.begin(), second.begin()])
  assert.deepEqual(statesOf(first), { 'node-1': 'active' })
  assert.equal(first.warnings.length, 1)
  assert.match(first.warnings[0] ?? '', /^NATS is not to be had; the node serves on/)
  await first.purge('/early')
  assert.equal(first.cluster.health().carrier?.isConnected, false)
  await nats.start()
  await beatUntil([first, second], () => second.applied.includes('/early'), 'the purge is told')
  await until(() => activeOf(first) === 2 && activeOf(second) === 2, 'they find each other')
})

test('while the server is gone the roster stays, purges are applied here, and all is told when it is back', {
  skip,
}, async (t) => {
  const clock = testClock()
  const nats = await openNats(t)
  const nodes = await openNodes(t, nats, 3, clock)
  const [first, second] = nodes
  assert.ok(first && second)
  await nats.stop()
  await until(
    () => nodes.every(({ cluster }) => cluster.health().carrier?.isConnected === false),
    'all notice',
  )
  for (let second = 0; second < 40; second++) {
    clock.advance(1_000)
    for (const node of nodes) node.tick()
  }
  for (const node of nodes) assert.equal(activeOf(node), 3, 'the roster is as it was')
  await first.purge('/while-away')
  await second.purge('/also')
  assert.deepEqual(first.applied, ['/while-away'])
  assert.deepEqual(first.distrusted, [], 'before maxBlind is over')
  await nats.start()
  await beatUntil(
    nodes,
    () => nodes.every(({ applied }) => applied.length === 2),
    'both purges are everywhere',
  )
  assert.equal(activeOf(first), 3)
  assert.equal(first.cluster.health().blindSince, undefined)
})

test('a server that hangs is as one that is gone: nobody is taken for silent, and all goes on when it does', {
  skip,
}, async (t) => {
  const clock = testClock()
  const nats = await openNats(t)
  const nodes = await openNodes(t, nats, 2, clock)
  const [first, second] = nodes
  assert.ok(first && second)
  nats.hang(true)
  const isConnected = (node: TestNode): boolean => node.cluster.health().carrier?.isConnected === true
  await beatUntil(nodes, () => !nodes.some(isConnected), 'both notice')
  for (let second = 0; second < 40; second++) {
    clock.advance(1_000)
    for (const node of nodes) node.tick()
  }
  for (const node of nodes) assert.equal(activeOf(node), 2)
  await first.purge('/while-it-hung')
  nats.hang(false)
  await beatUntil(nodes, () => nodes.every(isConnected), 'both hear again')
  await beatUntil(nodes, () => second.applied.includes('/while-it-hung'), 'the purge is told')
  for (const node of nodes) assert.equal(activeOf(node), 2)
})

test('a node that is blind for longer than maxBlind validates what it has, until it hears again', {
  skip,
}, async (t) => {
  const clock = testClock()
  const nats = await openNats(t)
  const node = await natsNode(t, nats, 'node-1', { clock, maxBlind: 20_000 })
  const trusting = await natsNode(t, nats, 'node-2', { clock, maxBlind: 0 })
  await Promise.all([node.begin(), trusting.begin()])
  await nats.stop()
  await until(
    () => [node, trusting].every(({ cluster }) => cluster.health().carrier?.isConnected === false),
    'both notice',
  )
  const seconds = (count: number): void => {
    for (let second = 0; second < count; second++) {
      clock.advance(1_000)
      node.tick()
      trusting.tick()
    }
  }
  seconds(20)
  assert.equal(node.distrusted.length, 0)
  seconds(1)
  assert.equal(node.distrusted.length, 1)
  seconds(30)
  assert.equal(node.distrusted.length, 4)
  await nats.start()
  await beatUntil([node], () => node.cluster.health().carrier?.isConnected === true, 'it hears again')
  const { length } = node.distrusted
  seconds(60)
  assert.equal(node.distrusted.length, length)
  assert.deepEqual(trusting.distrusted, [])
})

test('garbage on every subject is counted, and nothing of it is believed', { skip }, async (t) => {
  const nats = await openNats(t)
  const [first] = await openNodes(t, nats, 1)
  assert.ok(first)
  const { connection } = await streamsOf(nats)
  const forged = JSON.stringify({ peer: 'node-9', auth: 'v1 00000000 1 x y', body: '{}' })
  const garbage = ['', 'null', '{', '\0\xff', '[]', '{"rules":[]}', forged, 'x'.repeat(100_000)]
  for (const text of garbage) {
    connection.publish('relais.relais.state', text)
    connection.publish('relais.relais.purge', text)
  }
  await connection.flush()
  await until(() => first.cluster.health().carrier?.garbage === 2 * garbage.length, 'all of it is counted')
  assert.deepEqual(statesOf(first), { 'node-1': 'active' })
  assert.deepEqual([...first.applied, ...first.skipped], [])
  await connection.close()
  await first.purge('/still')
  await until(() => first.cluster.health().carrier?.purgeLag === 0, 'purges go on')
})

test('of two nodes with one name on NATS each says so in one line', { skip }, async (t) => {
  const nats = await openNats(t)
  const nodes = await Promise.all([natsNode(t, nats, 'node-1'), natsNode(t, nats, 'node-1', { port: 8091 })])
  for (const node of nodes) await node.begin()
  await beatUntil(nodes, () => nodes.every(({ warnings }) => warnings.length > 0), 'both say so')
  for (const node of nodes) {
    assert.equal(node.warnings.length, 1)
    assert.match(node.warnings[0] ?? '', /^another node at http:\/\/127.0.0.1:809[01] is called node-1/)
    assert.deepEqual(statesOf(node), { 'node-1': 'active' })
  }
})

test('a server that is too old, has no JetStream or is none at all is named in one line, and the node serves on', async (t) => {
  const info = (more: object): string =>
    `INFO ${JSON.stringify({ server_id: 'x', version: '2.12.0', proto: 1, max_payload: 1e6, headers: true, jetstream: true, ...more })}\r\n`
  for (const [greeting, expected] of [
    [info({ version: '2.8.4' }), /expected a NATS server 2.9 or newer, came 2.8.4/],
    [info({ jetstream: false }), /expected a NATS server with JetStream, came one without/],
    [info({ max_payload: 65_536 }), /takes messages of 640000 bytes, came one with max_payload 65536/],
    ['220 mail.example ESMTP\r\n', /./],
  ] as const) {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.write(greeting)
      socket.on('data', (data) => {
        if (data.toString().includes('PING')) socket.write('PONG\r\n')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    const troubles: string[] = []
    const clock = testClock()
    const nats = {
      servers: [`nats://127.0.0.1:${port}`],
      user: null,
      password: null,
      token: null,
      replicas: 1,
      maxBlind: 0,
    }
    const node = await openTestNode(t, {
      id: 'node-1',
      clock,
      options: { nats },
      context: {
        log: {
          info: () => undefined,
          warn: (about) => troubles.push('err' in about ? String(about.err) : ''),
        },
      },
    })
    await node.begin()
    assert.equal(troubles.length, 1)
    assert.match(troubles[0] ?? '', expected)
    assert.deepEqual(statesOf(node), { 'node-1': 'active' })
    await node.close()
  }
})
