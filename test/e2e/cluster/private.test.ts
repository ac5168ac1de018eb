/** What belongs to one viewer is no business of siblings: none of them keeps it, and each viewer has his own from the origin. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../../support/client.ts'
import { type ClusterNode, openCluster } from '../../support/cluster.ts'
import { openOrigin, reply } from '../../support/origin.ts'

/** Processes and a busy machine: what is tried here is not how fast it is. */
const PATIENCE = { timeout: 400_000 }
/** So many that each node owns some of each kind. */
const NAMES = 12
const TAG = { etag: '"one"' }

interface Kind {
  /** How the origin says that it is not for all. */
  readonly fields: Record<string, string>
  /** What the viewer names himself by. */
  readonly by: 'authorization' | 'cookie'
}

/** None of these may lie anywhere. */
const NEVER_KEPT: Readonly<Record<string, Kind>> = {
  'no-store': { fields: { 'cache-control': 'no-store', ...TAG }, by: 'cookie' },
  private: { fields: { 'cache-control': 'private, max-age=60', ...TAG }, by: 'cookie' },
  authorised: { fields: { 'cache-control': 'max-age=60', ...TAG }, by: 'authorization' },
  any: { fields: { 'cache-control': 'max-age=60', vary: '*', ...TAG }, by: 'cookie' },
}
const KEPT_FOR_EACH: Readonly<Record<string, Kind>> = {
  varied: { fields: { 'cache-control': 'max-age=60', vary: 'Cookie', ...TAG }, by: 'cookie' },
}

async function openHouse(
  t: Parameters<typeof openOrigin>[0],
  kinds: Readonly<Record<string, Kind>>,
): Promise<readonly ClusterNode[]> {
  let count = 0
  const origin = await openOrigin(t, ({ url = '', headers }, response) => {
    const { fields, by } = kinds[url.split('/')[1] ?? ''] ?? assert.fail(url)
    assert.deepEqual(
      Object.keys(headers).filter((name) => name.startsWith('relais-')),
      [],
      'what siblings say to each other reaches no origin',
    )
    reply(response, `${headers[by]} ${++count}`, { 'relais-age': '5', ...fields })
  })
  return openCluster(t, { nodes: 3, canBeCutOff: false, origins: [origin.url] })
}

/** Two viewers at each node ask for each name; none is told what is another one's. */
async function askAll(nodes: readonly ClusterNode[], kinds: Readonly<Record<string, Kind>>): Promise<void> {
  for (const [kind, { by }] of Object.entries(kinds)) {
    const seen = new Set<string>()
    for (let name = 0; name < NAMES; name++) {
      for (const node of nodes) {
        for (const viewer of ['ann', 'bob']) {
          const own = `user=${viewer}-of-${node.id}`
          const { status, headers, body } = await get(`${node.url}/${kind}/${name}.ts`, {
            headers: { [by]: own, 'relais-peer': 'node-2', 'relais-age': '99', 'relais-hop': '1' },
          })
          const text = body.toString()
          assert.equal(status, 200)
          assert.ok(text.startsWith(`${own} `), `${kind}: ${own} got what is of ${text}`)
          assert.ok(!seen.has(text), `${kind}: ${own} got what was given out before`)
          assert.ok(!Object.keys(headers).some((field) => field.startsWith('relais-')))
          seen.add(text)
        }
      }
    }
  }
}

test(
  'what is for one viewer lies nowhere, and the origin answers each of them himself',
  PATIENCE,
  async (t) => {
    const nodes = await openHouse(t, NEVER_KEPT)
    await askAll(nodes, NEVER_KEPT)
    for (const node of nodes) {
      const { memory, disk, bytes } = await node.stats()
      assert.deepEqual([memory.entries, disk.entries], [0, 0], node.id)
      // Each of them is asked from the node that he came to, however often that has asked an owner first.
      assert.ok(bytes.fromOrigin > 0, node.id)
    }
  },
)

test('what is another one for each cookie is told to nobody who has another cookie', PATIENCE, async (t) => {
  await askAll(await openHouse(t, KEPT_FOR_EACH), KEPT_FOR_EACH)
})
