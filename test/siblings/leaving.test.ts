/** A node that leaves says so at once, and waits for nobody for long. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { openTestNode, openTestNodes, statesOf } from '../support/siblings.ts'

test('a node that leaves says so before it goes, and is not asked any more', async (t) => {
  const nodes = await openTestNodes(t, 3)
  await Promise.all(nodes.map((node) => node.begin()))
  await Promise.all(nodes.map((node) => node.beat()))
  const [first, second, third] = nodes
  assert.ok(first && second && third)
  // Nobody's beat is waited for.
  await third.cluster.leave()
  assert.equal(statesOf(first)['node-3'], 'draining')
  assert.equal(statesOf(second)['node-3'], 'draining')
})

test('a node that leaves does not wait for siblings that hang or cannot be reached', async (t) => {
  const hanging = createServer(() => undefined)
  await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', () => resolve()))
  t.after(() => {
    hanging.closeAllConnections()
    hanging.close()
  })
  const { port } = hanging.address() as AddressInfo
  const named = [
    { id: 'node-8', url: `http://127.0.0.1:${port}` },
    { id: 'node-9', url: 'http://127.0.0.1:1' },
  ]
  const siblings = named.map((one) => ({ ...one, zone: null, weight: 1, publicUrl: null }))
  const leaving = await openTestNode(t, { id: 'node-2', options: { siblings } })
  await leaving.begin()
  await leaving.cluster.leave()
  assert.equal(statesOf(leaving)['node-2'], 'draining')
})

test('who is not known is not believed when it says how it is', async (t) => {
  const other = await openTestNode(t, { id: 'node-1' })
  await other.begin()
  const siblings = [{ id: 'node-1', url: other.url, zone: null, weight: 1, publicUrl: null }]
  const node = await openTestNode(t, { id: 'node-2', options: { siblings } })
  await node.begin()
  await node.cluster.leave()
  assert.ok(other.asked.includes('/-/peer/v1/state'))
  assert.deepEqual(statesOf(other), { 'node-1': 'active' })
})
