/** Low-latency HLS at a whole cluster: the origin holds one request for each version of a playlist, and one for each part. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NUMBER, openLowLatency, PART_MS, START } from '../demo/low-latency/demo.ts'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openSiblings } from '../support/relais-siblings.ts'

const PLAYLIST = '/ll/parts/360p.m3u8'
const VIEWERS = 20

function blocking(part: number): string {
  return `${PLAYLIST}?_HLS_msn=${NUMBER}&_HLS_part=${part}`
}

function partOf(part: number): string {
  return `/ll/parts/360p/${NUMBER}.${part}.m4s`
}

test('viewers of four nodes who wait for the next part are one request to the origin for the playlist and one for the part', async (t) => {
  const demo = await openLowLatency(t, { start: START + 10 })
  const { clock } = demo
  const { nodes } = await openSiblings(t, 4, { origins: [demo.url], clock })
  for (const node of nodes) assert.equal((await get(node.url + PLAYLIST)).status, 200)
  assert.deepEqual([...demo.asked], [PLAYLIST])
  for (const part of [0, 1, 2]) {
    const before = demo.asked.length
    const reloads = nodes.flatMap((node) =>
      Array.from({ length: VIEWERS }, () => get(node.url + blocking(part))),
    )
    await until(async () => {
      const stats = await Promise.all(nodes.map((node) => node.stats()))
      return stats.every(({ waiting }) => waiting >= VIEWERS) && demo.asked.length > before
    }, 'all wait')
    clock.advance(PART_MS)
    const playlists = await Promise.all(reloads)
    for (const { status, body } of playlists) {
      assert.equal(status, 200)
      assert.equal(body.toString(), playlists[0]?.body.toString())
      assert.match(body.toString(), new RegExp(`${NUMBER}\\.${part}\\.m4s`))
    }
    const parts = await Promise.all(
      nodes.flatMap((node) => Array.from({ length: VIEWERS }, () => get(node.url + partOf(part)))),
    )
    for (const { status, body } of parts) {
      assert.equal(status, 200)
      assert.ok(body.equals(parts[0]?.body ?? Buffer.alloc(0)))
    }
  }
  const counts = new Map<string, number>()
  for (const target of demo.asked) counts.set(target, (counts.get(target) ?? 0) + 1)
  assert.deepEqual(
    [...counts].filter(([, count]) => count > 1),
    [],
    'the origin was asked for something twice',
  )
  // The playlist, three versions of it, and the parts that were hinted at or asked for.
  for (const part of [0, 1, 2]) {
    assert.ok(counts.has(blocking(part)))
    assert.ok(counts.has(partOf(part)))
  }
})
