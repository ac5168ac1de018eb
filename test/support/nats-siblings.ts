/** Nodes of a cluster that find each other on NATS, in this process, and the stream that has their purges. */
import type { TestContext } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { until } from './barrier.ts'
import { type TestClock, testClock } from './clock.ts'
import type { TestNats } from './nats.ts'
import { openTestNode, statesOf, type TestNode } from './siblings.ts'

export async function natsNode(
  t: TestContext,
  nats: TestNats,
  id: string,
  {
    clock = testClock(),
    maxBlind = 60_000,
    port = 8090,
    path,
  }: { clock?: TestClock; maxBlind?: number; port?: number; path?: string } = {},
): Promise<TestNode> {
  const options = { servers: [nats.url], user: null, password: null, token: null, replicas: 1, maxBlind }
  const node = await openTestNode(t, {
    id,
    clock,
    ...(path === undefined ? {} : { path }),
    options: { nats: options, url: `http://127.0.0.1:${port}` },
  })
  nats.serves(node)
  return node
}

export async function openNodes(
  t: TestContext,
  nats: TestNats,
  count: number,
  clock = testClock(),
): Promise<readonly TestNode[]> {
  const nodes: TestNode[] = []
  for (let index = 1; index <= count; index++) {
    const node = await natsNode(t, nats, `node-${index}`, { clock })
    await node.begin()
    nodes.push(node)
  }
  await until(() => nodes.every((node) => activeOf(node) === count), 'all hear each other')
  return nodes
}

export function activeOf(node: TestNode): number {
  return Object.values(statesOf(node)).filter((state) => state === 'active').length
}

/** Speaks until that holds: what is heard comes between two beats. */
export async function beatUntil(
  nodes: readonly TestNode[],
  condition: () => boolean,
  what: string,
): Promise<void> {
  // A question that a lost server does not answer is waited for five seconds.
  await until(
    async () => {
      for (const node of nodes) node.tick()
      return condition()
    },
    what,
    30_000,
  )
}

export async function streamsOf({ port }: TestNats) {
  const connection = await connect({ servers: `127.0.0.1:${port}` })
  const { streams } = await jetstreamManager(connection)
  return { connection, streams }
}

/** As an operator does who purges the stream itself: it is the same one, and has nothing in it but so many of the last entries. */
export async function emptyStream(nats: TestNats, keep = 0): Promise<void> {
  const { connection, streams } = await streamsOf(nats)
  await streams.purge('RELAIS_PURGE_relais', { keep })
  await connection.close()
}
