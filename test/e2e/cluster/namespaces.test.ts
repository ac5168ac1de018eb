/** Nodes with addresses of their own, between which packets vanish as on a line that is dug up: nobody waits, and no purge is lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barrier, until } from '../../support/barrier.ts'
import { get } from '../../support/client.ts'
import { type ClusterNode, openCluster } from '../../support/cluster.ts'
import { openNetwork, whyNoNetwork } from '../../support/network.ts'
import { openOrigin } from '../../support/origin.ts'
import { openViewer } from '../../support/viewer.ts'

const skip = whyNoNetwork()
/** Processes and a busy machine. */
const PATIENCE = { timeout: 400_000, skip }
const CUT_MS = 10_000
/** Nobody waits longer, on a busy machine either: 1.5 s for the sibling, as much for who stands in for it, and the origin. */
const LONGEST_MS = 5_000
/** In the middle of a body a sibling's silence is an origin's: `upstream.idleTimeout`, by default. */
const IDLE_MS = 10_000
const BYTES = 200_000
const LANES = 3

for (const [which, directions] of [
  ['vanish in both directions', [0, 1]],
  ['to one of two nodes vanish', [0]],
] as const) {
  test(
    `while packets ${which} both serve without a long wait, what is under way goes on, and all purges hold afterwards`,
    PATIENCE,
    async (t) => {
      const network = openNetwork(t, 2)
      let edition = 1
      const rest = barrier()
      const bodyOf = (path: string): Buffer => Buffer.alloc(BYTES, `${path} edition ${edition} `)
      const origin = await openOrigin(
        t,
        ({ url = '', headers }, response) => {
          const body = url.startsWith('/film/') ? Buffer.alloc(BYTES, url) : bodyOf(url)
          const from = Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0)
          response.writeHead(from === 0 ? 200 : 206, {
            'cache-control': 'max-age=3600',
            'content-length': body.length - from,
            // A film has one edition, so that the rest of it can be had.
            etag: url.startsWith('/film/') ? '"film"' : `"${edition}"`,
            ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` }),
          })
          if (!url.startsWith('/film/') || from > 0) return void response.end(body.subarray(from))
          response.write(body.subarray(0, BYTES / 2))
          void rest.opened.then(() => response.end(body.subarray(BYTES / 2)))
        },
        network.host,
      )
      const nodes = await openCluster(t, {
        nodes: 2,
        places: network.places,
        origins: [origin.url],
        file: { ops: { trusted: [`${network.host}/32`] } },
      })
      const [one, other] = nodes
      assert.ok(one !== undefined && other !== undefined)

      /** Answers with how long that took. */
      const ask = async (node: ClusterNode, path: string, editions: readonly number[]): Promise<number> => {
        const begunAt = performance.now()
        const { status, isWhole, body } = await get(node.url + path)
        assert.deepEqual([status, isWhole, body.length], [200, true, BYTES], `${node.id} ${path}`)
        const come = Number(/edition (\d)/.exec(body.toString('latin1', 0, 60))?.[1])
        assert.ok(editions.includes(come), `${node.id} ${path}: edition ${come}, not of ${editions}`)
        return performance.now() - begunAt
      }
      const purge = async (node: ClusterNode, path: string): Promise<void> => {
        const { status, body } = await get(`${node.url}/-/purge`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ url: path }),
        })
        assert.equal(status, 200, String(body))
      }
      const purged = Array.from({ length: 20 }, (_, index) => `/purged/${index}.ts`)
      const kept = Array.from({ length: 20 }, (_, index) => `/kept/${index}.ts`)
      for (const node of nodes) for (const path of [...purged, ...kept]) await ask(node, path, [1])

      // Under way at the cut: at each node some that the other one fills.
      const films = Array.from({ length: 8 }, (_, index) => `/film/${index}.ts`)
      const viewers = films.flatMap((path) =>
        nodes.map((node) => ({ path, node, viewer: openViewer(node.url + path) })),
      )
      await Promise.all(viewers.map(({ viewer }) => viewer.reached(BYTES / 2)))
      assert.equal(films.filter((path) => origin.count(path) === 1).length, films.length)
      edition = 2
      for (const from of directions) network.cut(network.places[from], network.places[1 - from])
      const isCutAt = performance.now()
      rest.open()
      const ends = viewers.map(async ({ path, node, viewer }) => {
        const { status, isWhole, body } = await viewer.answer
        assert.deepEqual([status, isWhole], [200, true], `${node.id} ${path}`)
        assert.ok(body.equals(Buffer.alloc(BYTES, path)), `${node.id} ${path}`)
        return performance.now() - isCutAt
      })

      let longest = 0
      let asked = 0
      const suspected = new Set<string>()
      const lanes = nodes.flatMap((node) =>
        Array.from({ length: LANES }, async () => {
          while (performance.now() - isCutAt < CUT_MS) {
            const nth = asked++
            // What was there, and what is new, on either side.
            const isNew = nth % 2 === 0
            const path = isNew ? `/new/${nth}.ts` : (kept[nth % kept.length] ?? '')
            longest = Math.max(longest, await ask(node, path, [isNew ? 2 : 1, 2]))
            // At a viewer's pace, so that the machine is not what is tried.
            await new Promise((resolve) => setTimeout(resolve, 50))
          }
        }),
      )
      const ordering = purged.map((path, index) => purge(index % 2 === 0 ? one : other, path))
      await Promise.all([...lanes, ...ordering])
      for (const { id, stats } of nodes)
        if ((await stats()).siblings.some(({ state }) => state === 'suspect')) suspected.add(id)
      assert.deepEqual([...suspected], ['node-1', 'node-2'], 'neither hears the other')
      assert.ok(longest < LONGEST_MS, `somebody waited for ${longest} ms`)
      const longestEnd = Math.max(...(await Promise.all(ends)))
      assert.ok(longestEnd < IDLE_MS + LONGEST_MS, `what was under way was whole after ${longestEnd} ms`)
      t.diagnostic(
        `${asked} asked, the longest wait ${Math.round(longest)} ms; what was under way was whole after ${Math.round(longestEnd)} ms at most`,
      )

      network.mend()
      await until(
        async () => {
          const lags = await Promise.all(nodes.map(async (node) => (await node.stats()).siblings))
          return lags.flat().every(({ state, purgeLag }) => state === 'active' && purgeLag === 0)
        },
        'all have caught up',
        60_000,
      )
      for (const node of nodes) {
        for (const path of purged) await ask(node, path, [2])
        for (const path of kept) await ask(node, path, [1, 2])
      }
    },
  )
}
