/** What a node has on disk is there for the whole cluster when it comes back, as far as it was not purged meanwhile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../support/barrier.ts'
import { get } from '../../support/client.ts'
import { acquainted, type ClusterNode, openCluster } from '../../support/cluster.ts'
import { order, purge } from '../../support/operator.ts'
import { openOrigin, reply } from '../../support/origin.ts'

/** Processes and a busy machine: what is tried here is not how fast it is. */
const PATIENCE = { timeout: 400_000 }
const NAMES = Array.from({ length: 60 }, (_, index) => `/o/${index}.ts`)
const PURGED = NAMES.slice(0, 20)
const KEPT = NAMES.slice(20)

async function text(node: ClusterNode, name: string): Promise<string> {
  const { status, body } = await get(node.url + name)
  assert.equal(status, 200)
  return body.toString()
}

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(
    `after ${signal} a node serves what it has at once, to siblings as well, and nothing that was purged while it was away`,
    PATIENCE,
    async (t) => {
      let edition = 1
      const origin = await openOrigin(t, (_request, response) =>
        reply(response, `edition ${edition}`, { 'cache-control': 'max-age=3600' }),
      )
      const nodes = await openCluster(t, { nodes: 2, canBeCutOff: false, origins: [origin.url] })
      const [near, away] = nodes
      assert.ok(near !== undefined && away !== undefined)
      for (const name of NAMES) await text(near, name)
      assert.equal(origin.count(), NAMES.length)
      const own = (await away.stats()).memory.entries
      assert.ok(own > 0, 'it owns some of them')
      await until(async () => (await away.stats()).disk.entries >= own, 'they lie on its disk')
      await away.kill(signal)
      edition = 2
      for (const name of PURGED) await purge(near.url, { url: name })
      await away.start()
      // The first that it is asked for: before it serves at all, the purges are in force.
      for (const name of PURGED) assert.equal(await text(away, name), 'edition 2', name)
      const before = origin.count()
      for (const name of KEPT) assert.equal(await text(away, name), 'edition 1', name)
      await acquainted(nodes)
      for (const name of KEPT) assert.equal(await text(near, name), 'edition 1', name)
      assert.equal(origin.count(), before, 'one of the two has each of them')
      assert.equal((await order(near.url, '/-/purge', { url: KEPT[0], wait: 'all' })).status, 200)
      for (const node of nodes) assert.equal(await text(node, KEPT[0] ?? ''), 'edition 2')
    },
  )
}
