/** Nodes that are not of one mind, about who is there or what time it is: both serve, and the origin is asked twice at most. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rank, wordsOf } from '../../../src/siblings/rendezvous.ts'
import { memberOf } from '../../../src/siblings/roster.ts'
import { until } from '../../support/barrier.ts'
import { get } from '../../support/client.ts'
import { type ClusterNode, openCluster } from '../../support/cluster.ts'
import { freePort } from '../../support/free-port.ts'
import { openLink } from '../../support/link.ts'
import { openOrigin, reply } from '../../support/origin.ts'

/** Processes and a busy machine: what is tried here is not how fast it is. */
const PATIENCE = { timeout: 400_000 }
const KEPT = { 'cache-control': 'max-age=3600' }
/** Clocks of siblings may be so far apart. */
const WINDOW_MS = 30_000
const NAMES = Array.from({ length: 50 }, (_, index) => `/o/${index}.ts`)

/** All of these at all nodes at once. */
async function askAll(nodes: readonly ClusterNode[], names: readonly string[]): Promise<void> {
  const asks = names.flatMap((name) =>
    nodes.map(async ({ id, url }) => ({ id, name, answer: await get(url + name) })),
  )
  for (const { id, name, answer } of await Promise.all(asks))
    assert.deepEqual([answer.status, answer.isWhole, answer.body.toString()], [200, true, name], id)
}

function warnings(node: ClusterNode, what: RegExp): readonly string[] {
  return node
    .log()
    .filter(({ level }) => Number(level) >= 40)
    .map(({ msg }) => String(msg))
    .filter((line) => what.test(line))
}

test(
  'two processes that take each other for the owner of the same keys both answer, for two requests to the origin at most',
  PATIENCE,
  async (t) => {
    const origin = await openOrigin(t, ({ url = '' }, response) => reply(response, url, KEPT))
    const ids = ['node-1', 'node-2']
    const links = new Map<string, { link: Awaited<ReturnType<typeof openLink>>; port: number }>()
    for (const id of ids) {
      const [link, port] = [await openLink(t), await freePort()]
      link.leadTo(`http://127.0.0.1:${port}`)
      links.set(id, { link, port })
    }
    const siblings = [...links].map(([id, { link }]) => ({ id, url: link.url }))
    let weight = 100
    const nodes = await openCluster(t, {
      nodes: 2,
      origins: [origin.url],
      canBeCutOff: false,
      differing: (id) => ({
        clockAheadMs: 0,
        cluster: {
          listen: { host: '127.0.0.1', port: links.get(id)?.port },
          siblings,
          weight: id === 'node-2' ? weight : 1,
        },
      }),
    })
    const [one, other] = nodes
    assert.ok(one !== undefined && other !== undefined)
    // 1. What node-2 says of itself does not come any more, and as no time passes for node-1 it is not missed.
    one.stopClock()
    const stoppedAt = performance.now()
    links.get('node-2')?.link.holdNews()
    // 2. It begins anew with a hundredth of the weight: node-1 takes it for the owner of all, and it node-1 for the owner of half.
    await other.kill('SIGKILL')
    weight = 1
    await other.start()
    await until(async () => (await other.stats()).siblings[0]?.state === 'active', 'it has heard node-1')
    const views = [100, 1].map((of) => [
      memberOf({ id: 'node-1', url: '', weight: 1 }),
      memberOf({ id: 'node-2', url: '', weight: of }),
    ])
    const disputed = NAMES.filter((name) => {
      const [first, second] = views.map((members) => rank(members, wordsOf(origin.url + name))[0]?.id)
      return first === 'node-2' && second === 'node-1'
    })
    assert.ok(disputed.length > 10)
    await askAll(nodes, disputed)
    for (const name of disputed) assert.ok(origin.count(name) <= 2, `${name}: ${origin.count(name)}`)
    for (const node of nodes) {
      const { siblings: told, peers } = await node.stats()
      assert.ok((told[0]?.answered ?? 0) > 0, `${node.id} asked the other one`)
      assert.ok((peers?.outOfStep ?? 0) > 0, `${node.id} saw that their rosters differ`)
    }
    assert.ok(
      performance.now() - stoppedAt < WINDOW_MS,
      'else their clocks were too far apart to speak to each other',
    )
  },
)

test(
  'of two zones each of which fills from the other both answer, for two requests to the origin at most',
  PATIENCE,
  async (t) => {
    const origin = await openOrigin(t, ({ url = '' }, response) => reply(response, url, KEPT))
    const nodes = await openCluster(t, {
      nodes: 2,
      origins: [origin.url],
      canBeCutOff: false,
      differing: (id) => ({
        cluster:
          id === 'node-1' ? { zone: 'east', parentZone: 'west' } : { zone: 'west', parentZone: 'east' },
      }),
    })
    await askAll(nodes, NAMES)
    for (const name of NAMES) assert.ok(origin.count(name) <= 2, `${name}: ${origin.count(name)}`)
    for (const node of nodes) {
      const [sibling] = (await node.stats()).siblings
      assert.ok((sibling?.asked ?? 0) > 0, `${node.id} asked the other one`)
    }
  },
)

test(
  'nodes of which each knows others than the other one does answer, for one request to the origin each at most',
  PATIENCE,
  async (t) => {
    const origin = await openOrigin(t, ({ url = '' }, response) => reply(response, url, KEPT))
    const ports = new Map<string, number>()
    for (const id of ['node-1', 'node-2', 'node-3']) ports.set(id, await freePort())
    // Each knows the next one alone.
    const next = new Map([
      ['node-1', 'node-2'],
      ['node-2', 'node-3'],
      ['node-3', 'node-1'],
    ])
    const nodes = await openCluster(t, {
      nodes: 3,
      running: 0,
      origins: [origin.url],
      canBeCutOff: false,
      differing: (id) => {
        const known = next.get(id) ?? ''
        return {
          cluster: {
            listen: { host: '127.0.0.1', port: ports.get(id) },
            siblings: [{ id: known, url: `http://127.0.0.1:${ports.get(known)}` }],
          },
        }
      },
    })
    await Promise.all(nodes.map((node) => node.start()))
    const isHeard = async (node: ClusterNode): Promise<boolean> =>
      (await node.stats()).siblings.every(({ state }) => state === 'active')
    await until(
      async () => (await Promise.all(nodes.map(isHeard))).every(Boolean),
      'each hears the next one',
      60_000,
    )
    await askAll(nodes, NAMES)
    for (const name of NAMES) assert.ok(origin.count(name) <= 3, `${name}: ${origin.count(name)}`)
    for (const node of nodes) {
      const { siblings, peers } = await node.stats()
      assert.equal(siblings.length, 1)
      assert.ok((peers?.outOfStep ?? 0) > 0, `${node.id} saw that rosters differ`)
    }
  },
)

test(
  'nodes whose clocks are 90 seconds apart both serve, for a request to the origin each, and each says so in one line',
  PATIENCE,
  async (t) => {
    const origin = await openOrigin(t, ({ url = '' }, response) => reply(response, url, KEPT))
    const nodes = await openCluster(t, {
      nodes: 2,
      running: 0,
      canBeCutOff: false,
      origins: [origin.url],
      differing: (id) => (id === 'node-2' ? { clockAheadMs: 90_000 } : {}),
    })
    await Promise.all(nodes.map((node) => node.start()))
    await askAll(nodes, NAMES)
    const said = (node: ClusterNode): readonly string[] => warnings(node, /clocks/)
    await until(() => nodes.every((node) => said(node).length > 0), 'each says so', 60_000)
    await askAll(nodes, NAMES)
    for (const name of NAMES) assert.ok(origin.count(name) <= 2, `${name}: ${origin.count(name)}`)
    const other = new Map([
      ['node-1', 'node-2'],
      ['node-2', 'node-1'],
    ])
    for (const node of nodes)
      assert.deepEqual(said(node), [
        `a message that says it is from ${other.get(node.id)} is refused: it is expired, for the clocks differ by more than 30 seconds or it is old`,
      ])
  },
)
