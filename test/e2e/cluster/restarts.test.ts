/** Nodes are stopped and started one after the other, as for a new release, and no viewer of any of them notices. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../../support/client.ts'
import { acquainted, type ClusterNode, openCluster } from '../../support/cluster.ts'
import { openOrigin } from '../../support/origin.ts'

/** Processes and a busy machine: what is tried here is not how fast it is. */
const PATIENCE = { timeout: 400_000 }
const AT_ONCE = 16
const BYTES = 200_000

function bodyOf(target: string): Buffer {
  return Buffer.alloc(BYTES, `${target} `)
}

test(
  'each node in turn is told to stop and begins again, and no answer at any of them breaks or fails',
  PATIENCE,
  async (t) => {
    const origin = await openOrigin(t, ({ url = '' }, response) => {
      const body = bodyOf(url)
      response.writeHead(200, { 'content-length': body.length, 'cache-control': 'max-age=3600' })
      response.write(body.subarray(0, BYTES / 2))
      // No strong validator: what breaks off in the middle nobody could continue.
      setTimeout(() => response.end(body.subarray(BYTES / 2)), 20)
    })
    const nodes = await openCluster(t, { nodes: 3, canBeCutOff: false, origins: [origin.url] })
    /** Who balances the load has no new viewer go to one that is about to stop. */
    const open = new Set<ClusterNode>(nodes)
    let isOver = false
    let asked = 0
    const failures: string[] = []
    const viewer = async (): Promise<void> => {
      while (!isOver) {
        const all = [...open]
        const node = all[asked % all.length] ?? assert.fail('one of them is open')
        // Some new, some asked for by another node before.
        const path = `/o/${Math.floor(asked++ / 2)}.ts`
        try {
          const { status, isWhole, body } = await get(node.url + path)
          if (status !== 200 || !isWhole || !body.equals(bodyOf(path)))
            failures.push(`${path} at ${node.id}: ${status}, ${body.length} bytes`)
        } catch (error) {
          failures.push(`${path} at ${node.id}: ${String(error)}`)
        }
      }
    }
    const viewers = Array.from({ length: AT_ONCE }, viewer)
    for (const node of nodes) {
      open.delete(node)
      const before = asked
      await node.kill('SIGTERM')
      assert.ok(asked > before, 'the others go on meanwhile')
      await node.start()
      await acquainted(nodes)
      open.add(node)
    }
    isOver = true
    await Promise.all(viewers)
    assert.deepEqual(failures, [])
    assert.ok(asked > 100)
  },
)
