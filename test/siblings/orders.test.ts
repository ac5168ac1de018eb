/** What is fetched on order at one node of a cluster lies in store where it belongs, for the viewers of all. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openSiblings } from '../support/relais-siblings.ts'

test('what one node is told to fetch is kept by the nodes whose it is, and asked of the origin once', async (t) => {
  const origin = await openOrigin(t, ({ url }, response) =>
    reply(response, `body of ${url}`, { 'cache-control': 'max-age=600' }),
  )
  const { nodes, ranked } = await openSiblings(t, 3, { origins: [origin.url] })
  const [told] = nodes
  assert.ok(told)
  const urls = Array.from({ length: 30 }, (_, index) => `/film/${index}.ts`)
  const response = await fetch(`${told.url}/-/prefetch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ urls }),
  })
  assert.equal(response.status, 202)
  // What /-/prefetch answers is an object.
  const { id } = (await response.json()) as { id: string }
  let job: Record<string, unknown> = {}
  await until(async () => {
    // The same.
    job = (await (await fetch(`${told.url}/-/prefetch/${id}`)).json()) as Record<string, unknown>
    return job['state'] === 'done'
  }, 'the job is done')
  assert.deepEqual([job['stored'], job['failed'], job['failures']], [30, 0, []])
  assert.equal(origin.count(), 30)
  for (const target of urls) {
    const [owner] = ranked(origin.url + target)
    assert.ok(owner)
    assert.match(String((await get(owner.url + target)).headers['cache-status']), /; hit/, target)
  }
  for (const node of nodes) for (const target of urls) await get(node.url + target)
  assert.equal(origin.count(), 30)
})
