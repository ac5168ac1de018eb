/** Nodes that do not fit together: each serves its viewers from the origin, and says once, in one line, what is wrong. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { until } from '../../support/barrier.ts'
import { get } from '../../support/client.ts'
import { acquainted, type ClusterNode, type Differing, openCluster } from '../../support/cluster.ts'
import { openOrigin, reply, type TestOrigin } from '../../support/origin.ts'

/** Processes and a busy machine: what is tried here is not how fast it is. */
const PATIENCE = { timeout: 400_000 }
const ONE = 'the first secret, which is long enough to be one'
const TWO = 'the second secret, which is long enough as well'
const NAMES = Array.from({ length: 30 }, (_, index) => `/o/${index}.ts`)

interface Scene {
  readonly nodes: readonly ClusterNode[]
  readonly origin: TestOrigin
}

async function open(
  t: TestContext,
  running: number,
  differing: (id: string, origin: string) => Differing,
  nodes = running,
): Promise<Scene> {
  const origin = await openOrigin(t, ({ url = '' }, response) =>
    reply(response, url, { 'cache-control': 'max-age=3600' }),
  )
  const all = await openCluster(t, {
    nodes,
    running: 0,
    canBeCutOff: false,
    origins: [origin.url],
    differing: (id) => differing(id, origin.url),
  })
  const begun = all.slice(0, running)
  await Promise.all(begun.map((node) => node.start()))
  return { nodes: begun, origin }
}

/** Each of these at each node, as often as is said; the origin was asked `most` times for each at most. */
async function serveAll({ nodes, origin }: Scene, most: number, rounds = 2): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const node of nodes) {
      for (const name of NAMES) {
        const { status, body } = await get(node.url + name)
        assert.deepEqual([status, body.toString()], [200, name], node.id)
      }
    }
  }
  assert.ok(origin.count() <= most * NAMES.length, `${origin.count()} requests`)
}

function warnings(node: ClusterNode): readonly string[] {
  return node
    .log()
    .filter(({ level }) => Number(level) >= 40)
    .map(({ msg }) => String(msg))
}

/** Waits until each of them has said it, and sees that none says it again for another round of viewers. */
async function saidOnce(scene: Scene, what: RegExp, most: number): Promise<void> {
  const { nodes } = scene
  const said = (node: ClusterNode): number => warnings(node).filter((line) => what.test(line)).length
  await until(() => nodes.every((node) => said(node) > 0), `${what}`, 60_000)
  await serveAll(scene, most)
  for (const node of nodes) assert.equal(said(node), 1, warnings(node).join('\n'))
}

// Most of their time they wait for silences of seconds to be over: two at a time cost what one does.
describe('nodes that do not fit together', { concurrency: 2 }, () => {
  test(
    'a node whose siblings never come serves, asks the origin once, and is told to be alone',
    PATIENCE,
    async (t) => {
      const scene = await open(t, 1, () => ({}), 3)
      await serveAll(scene, 1)
      const [node] = scene.nodes
      await until(
        async () => (await node?.stats())?.siblings.every(({ state }) => state === 'gone') === true,
        'nobody is waited for any more',
        60_000,
      )
      await serveAll(scene, 1)
      assert.equal(node === undefined ? 0 : warnings(node).filter((line) => /is silent/.test(line)).length, 2)
    },
  )

  test('nodes with different secrets are no siblings', PATIENCE, async (t) => {
    const scene = await open(t, 2, (id) => ({ cluster: { secret: id === 'node-1' ? ONE : TWO } }))
    await serveAll(scene, 2)
    await saidOnce(scene, /is refused: it is unknown-key/, 2)
  })

  test('nodes of different clusters are no siblings', PATIENCE, async (t) => {
    const scene = await open(t, 2, (id) => ({ cluster: { name: id } }))
    await serveAll(scene, 2)
    await saidOnce(scene, /is refused: expected cluster/, 2)
  })

  test(
    'what routes of different kinds lead to, each node asks the origin for itself',
    PATIENCE,
    async (t) => {
      const scene = await open(t, 2, (id, origin) =>
        id === 'node-1' ? {} : { file: { routes: [{ prefix: '/o/', origins: [`${origin}/o/`] }] } },
      )
      await acquainted(scene.nodes)
      await serveAll(scene, 2)
      await saidOnce(scene, /no such route: their configurations differ/, 2)
    },
  )

  test(
    'of two nodes with one name both serve, and each of them says that there is another one',
    PATIENCE,
    async (t) => {
      const scene = await open(t, 3, (id) => (id === 'node-3' ? { file: { node: 'node-2' } } : {}))
      await serveAll(scene, 3)
      const twins = scene.nodes.slice(1)
      const says = (node: ClusterNode): boolean =>
        warnings(node).some((line) => /is called node-2 as this one is/.test(line))
      await until(() => twins.every(says), 'both say so', 60_000)
      await serveAll(scene, 3)
    },
  )

  test(
    'a secret is changed on one node after the other, and never are they without each other',
    PATIENCE,
    async (t) => {
      const secrets = new Map<string, Record<string, string | null>>()
      const scene = await open(t, 2, (id) => ({ cluster: secrets.get(id) ?? { secret: ONE } }))
      const { nodes } = scene
      await acquainted(nodes)
      for (const step of [
        { secret: ONE, acceptedSecret: TWO },
        { secret: TWO, acceptedSecret: ONE },
        { secret: TWO, acceptedSecret: null },
      ]) {
        for (const node of nodes) {
          secrets.set(node.id, step)
          await node.kill('SIGTERM')
          await node.start()
          await acquainted(nodes)
          await serveAll(scene, 1, 1)
        }
      }
      for (const node of nodes)
        assert.deepEqual(
          warnings(node).filter((line) => /refused/.test(line)),
          [],
        )
    },
  )

  test('each time that a node is lost and comes back the others say so', PATIENCE, async (t) => {
    const { nodes } = await open(t, 2, () => ({}))
    await acquainted(nodes)
    const [near, far] = nodes
    assert.ok(near !== undefined && far !== undefined)
    const said = (line: string): number => near.log().filter(({ msg }) => msg === line).length
    for (const _round of ['first', 'second']) {
      const losses = said('node-2 is suspect')
      await far.kill('SIGKILL')
      await until(() => said('node-2 is suspect') > losses, 'its loss is in the log', 60_000)
      const returns = said('node-2 is active')
      await far.start()
      await until(() => said('node-2 is active') > returns, 'and that it is back', 60_000)
    }
  })
})
