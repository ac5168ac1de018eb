/** Siblings ask each other before they ask the origin. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openSiblings } from '../support/relais-siblings.ts'

const KEPT = { 'cache-control': 'max-age=600', etag: '"one"' }

test('what three nodes are asked for is asked of the origin once', async (t) => {
  const origin = await openOrigin(t, (request, response) => reply(response, `body of ${request.url}`, KEPT))
  const { nodes } = await openSiblings(t, 3, { origins: [origin.url] })
  for (const node of nodes) {
    const answer = await get(`${node.url}/segment.ts`)
    assert.equal(answer.status, 200)
    assert.equal(answer.body.toString(), 'body of /segment.ts')
  }
  assert.equal(origin.count(), 1)
})

test('the hop to a sibling is named in Cache-Status and Via', async (t) => {
  const origin = await openOrigin(t, (_, response) => reply(response, 'a body', KEPT))
  const { nodes, ownedBy } = await openSiblings(t, 2, { origins: [origin.url] })
  const [asker, owner] = nodes
  assert.ok(asker && owner)
  const target = ownedBy(owner, origin.url)
  const answer = await get(asker.url + target)
  assert.match(String(answer.headers['cache-status']), /^node-1; fwd=uri-miss.*, node-0; fwd=uri-miss/)
  assert.equal(answer.headers['via'], '1.1 node-1, 1.1 node-0')
  assert.deepEqual(
    Object.keys(answer.headers).filter((name) => name.startsWith('relais-')),
    [],
  )
  const stats = await asker.stats()
  assert.equal(stats.bytes.fromSiblings, 6)
  assert.equal(stats.origin.requests, 0)
  assert.equal(stats.siblings[0]?.answered, 1)
})
