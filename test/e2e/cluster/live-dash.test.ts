/** Live DASH at three nodes: each segment is asked of the origin once for all, and viewers go on when a node is killed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startDemo } from '../../../src/demo/demo-origin.ts'
import { until } from '../../support/barrier.ts'
import { type ClusterNode, openCluster } from '../../support/cluster.ts'

/** Processes and a busy machine: what is tried here is not how fast it is. */
const PATIENCE = { timeout: 400_000 }
const PHASE_MS = 100_000
const MANIFEST = '/live/fmp4/manifest.mpd'
const TRACKS = ['360p', 'audio']
/** So many in a row, of two seconds each. */
const SEGMENTS = 4

/** The number of the newest segment that an MPD lists; both tracks have the same. */
function newestIn(mpd: string): number {
  const [, start, timeline = ''] =
    /<SegmentTemplate [^>]*startNumber="(\d+)".*?>(.*?)<\/SegmentTemplate>/s.exec(mpd) ?? []
  const count = [...timeline.matchAll(/<S [^>]*?(?:r="(\d+)")?\/>/g)].reduce(
    (sum, [, r]) => sum + 1 + Number(r ?? 0),
    0,
  )
  return Number(start) + count - 1
}

async function newestAt(url: string): Promise<number> {
  const response = await fetch(url + MANIFEST)
  assert.equal(response.status, 200)
  const newest = newestIn(await response.text())
  assert.ok(newest > 0)
  return newest
}

interface Viewer {
  readonly node: ClusterNode
  /** How many segments of each track it has. */
  readonly segments: number
  stop(): void
}

/** Plays as a player does: asks for the MPD until that lists another segment, and fetches that of each track. */
function openPlayer(node: ClusterNode, faults: string[]): Viewer {
  let segments = 0
  let isOver = false
  const play = async (): Promise<void> => {
    let last = await newestAt(node.url)
    while (!isOver) {
      let newest = last
      await until(
        async () => {
          newest = await newestAt(node.url)
          if (newest < last) faults.push(`${node.id} went back from ${last} to ${newest}`)
          return newest > last || isOver
        },
        `${node.id} lists what follows ${last}`,
        PHASE_MS,
      )
      for (let number = last + 1; number <= newest; number++) {
        const media = TRACKS.map((track) => fetch(`${node.url}/live/fmp4/${track}/${number}.m4s`))
        for (const { status, bytes } of await Promise.all(media.map(bodyOf)))
          assert.deepEqual([status, bytes > 0], [200, true], `${number} at ${node.id}`)
      }
      last = newest
      segments++
    }
  }
  play().catch((error: unknown) => {
    if (!isOver) faults.push(`${node.id}: ${String(error)}`)
  })
  return {
    node,
    get segments() {
      return segments
    },
    stop: () => {
      isOver = true
    },
  }
}

async function bodyOf(asked: Promise<Response>): Promise<{ status: number; bytes: number }> {
  const response = await asked
  return { status: response.status, bytes: (await response.arrayBuffer()).byteLength }
}

test(
  'viewers of live DASH at all nodes have each segment for one request to the origin, and those of two go on when the third is killed',
  PATIENCE,
  async (t) => {
    const asked: string[] = []
    const demo = await startDemo({
      host: '127.0.0.1',
      port: 0,
      now: Date.now,
      onRequest: (target: string) => void asked.push(target),
    })
    t.after(() => demo.close())
    const nodes = await openCluster(t, { nodes: 3, origins: [demo.url], canBeCutOff: false })
    const faults: string[] = []
    const viewers = nodes.map((node) => openPlayer(node, faults))
    t.after(() => {
      for (const viewer of viewers) viewer.stop()
    })
    const watch = async (audience: readonly Viewer[], what: string): Promise<readonly string[]> => {
      const from = asked.length
      const before = audience.map(({ segments }) => segments)
      await until(
        () => {
          assert.deepEqual(faults, [], what)
          return audience.every(({ segments }, index) => segments >= (before[index] ?? 0) + SEGMENTS)
        },
        what,
        PHASE_MS,
      )
      const newest = await newestAt(demo.url)
      for (const { node } of audience)
        await until(
          async () => (await newestAt(node.url)) >= newest,
          `${node.id} tells what the origin does`,
          PHASE_MS,
        )
      return asked.slice(from).filter((target) => target.endsWith('.m4s'))
    }
    const asks = await watch(viewers, 'all play')
    assert.ok(asks.length >= TRACKS.length * SEGMENTS)
    // Here and there one more, where a machine stands still for longer than a sibling waits for another.
    const times = asks.length / new Set(asks).size
    assert.ok(times <= 1.2, `each segment was asked for ${times} times`)
    const [, victim] = viewers
    assert.ok(victim !== undefined)
    victim.stop()
    await victim.node.kill('SIGKILL')
    const others = viewers.filter((viewer) => viewer !== victim)
    const more = await watch(others, 'the others play on')
    assert.ok(more.length <= others.length * new Set(more).size, 'nobody asks for anything twice')
  },
)
