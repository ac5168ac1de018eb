/** Low-latency HLS at several nodes: the origin is asked once for each part, and viewers go on when nodes die or are cut off. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startDemo } from '../../../src/demo/demo-origin.ts'
import { until } from '../../support/barrier.ts'
import { get } from '../../support/client.ts'
import { type ClusterNode, openCluster } from '../../support/cluster.ts'

/** Processes and a busy machine: what is tried here is not how fast it is. */
const PATIENCE = { timeout: 400_000 }
const PLAYLIST = '/ll/parts/360p.m3u8'
const VIEWERS_A_NODE = 3
/** So many parts in a row, of 400 ms each. */
const PARTS = 12
const PHASE_MS = 100_000

interface Place {
  readonly segment: number
  readonly part: number
}

/** The newest part that a playlist lists. */
function newestIn(playlist: string): Place {
  const [, segment, part] = [...playlist.matchAll(/#EXT-X-PART:.*URI="\S*?(\d+)\.(\d+)\.m4s"/g)].at(-1) ?? []
  return { segment: Number(segment), part: Number(part) }
}

/** What a player waits for next: the first part of the segment after, where this one has no such part. */
function after({ segment, part }: Place): Place {
  return part < 4 ? { segment, part: part + 1 } : { segment: segment + 1, part: 0 }
}

interface Viewer {
  readonly node: ClusterNode
  /** How many parts it has. */
  readonly parts: number
  stop(): void
}

/** Plays as a player does: waits for each part in the playlist and fetches it. What goes wrong is written down. */
function openPlayer(node: ClusterNode, faults: string[]): Viewer {
  let parts = 0
  let isOver = false
  const play = async (): Promise<void> => {
    let place = newestIn((await get(node.url + PLAYLIST)).body.toString())
    while (!isOver) {
      const { segment, part } = after(place)
      const reload = await get(`${node.url}${PLAYLIST}?_HLS_msn=${segment}&_HLS_part=${part}`)
      // A player that was held up for long is told to begin anew.
      const plain = reload.status === 400 ? await get(node.url + PLAYLIST) : reload
      assert.equal(plain.status, 200)
      const newest = newestIn(plain.body.toString())
      const isBack =
        newest.segment < place.segment || (newest.segment === place.segment && newest.part < place.part)
      if (isBack) faults.push(`${node.id} went back from ${JSON.stringify(place)}`)
      place = newest
      const media = await get(`${node.url}/ll/parts/360p/${place.segment}.${place.part}.m4s`)
      assert.deepEqual([media.status, media.isWhole], [200, true])
      parts++
    }
  }
  play().catch((error: unknown) => {
    if (!isOver) faults.push(`${node.id}: ${String(error)}`)
  })
  return {
    node,
    get parts() {
      return parts
    },
    stop: () => {
      isOver = true
    },
  }
}

async function openAudience(t: TestContext) {
  const asked: string[] = []
  const demo = await startDemo({
    host: '127.0.0.1',
    port: 0,
    now: Date.now,
    onRequest: (target: string) => void asked.push(target),
  })
  t.after(() => demo.close())
  const nodes = await openCluster(t, { nodes: 3, origins: [demo.url] })
  const faults: string[] = []
  const viewers = nodes.flatMap((node) =>
    Array.from({ length: VIEWERS_A_NODE }, () => openPlayer(node, faults)),
  )
  t.after(() => {
    for (const viewer of viewers) viewer.stop()
  })
  /** Until each of these has so many parts more; answers how often the origin was asked for what it was asked for. */
  const watch = async (audience: readonly Viewer[], what: string): Promise<number> => {
    const from = asked.length
    const before = audience.map(({ parts }) => parts)
    await until(
      () => {
        assert.deepEqual(faults, [], what)
        return audience.every(({ parts }, index) => parts >= (before[index] ?? 0) + PARTS)
      },
      what,
      PHASE_MS,
    )
    const asks = asked.slice(from)
    return asks.length / new Set(asks).size
  }
  return { nodes, viewers, watch }
}

test('viewers of all nodes have each part for one request to the origin', PATIENCE, async (t) => {
  const { viewers, watch } = await openAudience(t)
  await watch(viewers, 'all have begun')
  const asks = await watch(viewers, 'all play')
  // Here and there one more, where a machine stands still for longer than a sibling waits for another.
  assert.ok(asks <= 1.2, `each thing was asked for ${asks} times`)
})

test(
  'when one node is killed, and then another one cut off, viewers of those that run go on without an error',
  PATIENCE,
  async (t) => {
    const { nodes, viewers, watch } = await openAudience(t)
    const [far, victim] = nodes
    assert.ok(far !== undefined && victim !== undefined)
    await watch(viewers, 'all play')
    for (const viewer of viewers) if (viewer.node === victim) viewer.stop()
    await victim.kill('SIGKILL')
    const others = viewers.filter(({ node }) => node !== victim)
    await watch(others, 'the others play on')
    far.cutOff()
    const asks = await watch(others, 'those who cannot hear each other play on')
    assert.ok(asks <= 2.2, `two nodes that know nothing of each other asked for each thing ${asks} times`)
    far.rejoin()
    await watch(others, 'they play on when they hear each other')
  },
)
