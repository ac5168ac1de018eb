/** A purge reaches all, also the one that was away, in the order in which it was given. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rank, wordsOf } from '../../../src/siblings/rendezvous.ts'
import { memberOf } from '../../../src/siblings/roster.ts'
import { until } from '../../support/barrier.ts'
import { type ClusterNode, openCluster } from '../../support/cluster.ts'
import { openOrigin, reply } from '../../support/origin.ts'

/** Processes and a busy machine: what is tried here is not how fast it is. */
const PATIENCE = { timeout: 400_000 }

async function text(node: ClusterNode, path: string): Promise<string> {
  const response = await fetch(node.url + path)
  assert.equal(response.status, 200, path)
  return response.text()
}

async function purge(node: ClusterNode, order: Record<string, unknown>): Promise<Record<string, unknown>> {
  const response = await fetch(`${node.url}/-/purge`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(order),
  })
  const answer = (await response.json()) as Record<string, unknown>
  assert.equal(response.status, 200, JSON.stringify(answer))
  return answer
}

/** One of these that each node fills itself, and keeps: of others it has copies for a moment, and confirms them. */
function ownOf(nodes: readonly ClusterNode[], origin: string, names: readonly string[]): Map<string, string> {
  const members = nodes.map(({ id }) => memberOf({ id, url: '' }))
  return new Map(names.map((name) => [rank(members, wordsOf(origin + name))[0]?.id ?? '', name]))
}

/** Every body tells in which edition of the origin it was made. */
async function openEditions(
  t: Parameters<typeof openOrigin>[0],
): Promise<{ url: string; count: () => number; next: () => void }> {
  let edition = 1
  const origin = await openOrigin(t, ({ url = '' }, response) =>
    reply(response, `${url} edition ${edition}`, { 'cache-control': 'max-age=3600' }),
  )
  return {
    url: origin.url,
    count: () => origin.count(),
    next: () => {
      edition++
    },
  }
}

test(
  'what one node is told is gone from all when it answers, where it is asked to wait for all',
  PATIENCE,
  async (t) => {
    const origin = await openEditions(t)
    const nodes = await openCluster(t, { nodes: 4, origins: [origin.url] })
    const names = Array.from({ length: 100 }, (_, index) => `/o/${index}.ts`)
    for (const node of nodes) for (const name of names) await text(node, name)
    origin.next()
    const [first] = nodes
    assert.ok(first !== undefined)
    for (const name of names.slice(0, 50)) await purge(first, { url: name, wait: 'all' })
    for (const node of nodes) {
      for (const [index, name] of names.entries()) {
        assert.equal(await text(node, name), `${name} edition ${index < 50 ? 2 : 1}`, node.id)
      }
    }
  },
)

test(
  'of what each of four nodes purges in turn while viewers ask for it on all of them, nothing is served once all have said that it is in force',
  PATIENCE,
  async (t) => {
    const names = Array.from({ length: 40 }, (_, index) => `/o/${index}.ts`)
    const editions = new Map(names.map((name) => [name, 1]))
    const origin = await openOrigin(t, ({ url = '' }, response) =>
      reply(response, String(editions.get(url)), { 'cache-control': 'max-age=3600' }),
    )
    const nodes = await openCluster(t, { nodes: 4, origins: [origin.url], canBeCutOff: false })
    for (const node of nodes) for (const name of names) await text(node, name)
    let isOver = false
    let asked = 0
    const viewers = nodes.map(async (node) => {
      while (!isOver) await text(node, names[asked++ % names.length] ?? '')
    })
    // Each lane has names of its own, so that no other purge of them helps.
    const lanes = Array.from({ length: 8 }, async (_, lane) => {
      for (let nth = lane; nth < 400; nth += 8) {
        const name = names[nth % names.length] ?? ''
        const edition = (editions.get(name) ?? 0) + 1
        editions.set(name, edition)
        const node = nodes[Math.floor(nth / 8) % nodes.length]
        assert.ok(node !== undefined)
        assert.deepEqual((await purge(node, { url: name, wait: 'all' }))['laggards'], [])
        for (const one of nodes) assert.equal(await text(one, name), String(edition), `${one.id} ${name}`)
      }
    })
    await Promise.all(lanes).finally(() => {
      isOver = true
    })
    await Promise.all(viewers)
    for (const node of nodes) {
      const { purges } = await node.stats()
      assert.equal(purges.issued + purges.received, 400, node.id)
    }
  },
)

test(
  'the purges of a node that is cut off are in force on both sides once the cut is mended, and meanwhile both serve',
  PATIENCE,
  async (t) => {
    const origin = await openEditions(t)
    const nodes = await openCluster(t, { nodes: 3, origins: [origin.url] })
    const [far, near, third] = nodes
    assert.ok(far !== undefined && near !== undefined && third !== undefined)
    const names = Array.from({ length: 60 }, (_, index) => `/o/${index}.ts`)
    for (const node of nodes) for (const name of names) await text(node, name)
    const own = ownOf(nodes, origin.url, names.slice(40))
    assert.equal(own.size, nodes.length)
    far.cutOff()
    origin.next()
    // Thirty seconds, in which each side is told of others.
    const until30 = performance.now() + 30_000
    let ordered = 0
    await until(
      async () => {
        if (ordered < 20) {
          await purge(far, { url: names[ordered] })
          await purge(near, { url: names[ordered + 20] })
          ordered++
        }
        for (const node of nodes) {
          const name = own.get(node.id) ?? ''
          assert.equal(await text(node, name), `${name} edition 1`, `${node.id} serves`)
        }
        return performance.now() > until30
      },
      'thirty seconds are over',
      60_000,
    )
    assert.equal(ordered, 20)
    far.rejoin()
    await purge(third, { url: '/other.ts', wait: 'all' })
    await until(
      async () => {
        const lags = await Promise.all(nodes.map(async (node) => (await node.stats()).siblings))
        return lags.flat().every(({ state, purgeLag }) => state === 'active' && purgeLag === 0)
      },
      'all have caught up',
      60_000,
    )
    for (const node of nodes) {
      for (const [index, name] of names.entries()) {
        assert.equal(await text(node, name), `${name} edition ${index < 40 ? 2 : 1}`, `${node.id} ${name}`)
      }
    }
  },
)

test(
  'ten thousand purges while a node is down are all in force there before it serves',
  PATIENCE,
  async (t) => {
    const origin = await openEditions(t)
    const nodes = await openCluster(t, { nodes: 3, origins: [origin.url] })
    const [near, , down] = nodes
    assert.ok(near !== undefined && down !== undefined)
    const names = Array.from({ length: 10_000 }, (_, index) => `/o/${index}.ts`)
    const kept = '/kept.ts'
    for (const name of [...names.slice(0, 200), kept]) await text(down, name)
    await down.kill('SIGTERM')
    origin.next()
    const ordering = Array.from({ length: 16 }, async (_, lane) => {
      for (let index = lane; index < names.length; index += 16) await purge(near, { url: names[index] })
    })
    await Promise.all(ordering)
    await down.start()
    // At its very first answer.
    for (const name of names.slice(0, 200)) assert.equal(await text(down, name), `${name} edition 2`)
    assert.equal(await text(down, kept), `${kept} edition 1`)
  },
)
