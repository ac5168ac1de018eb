/** A live stream at several nodes is one stream: each of them tells the same, also when it begins anew at the origin. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { until } from '../../support/barrier.ts'
import { type ClusterNode, openCluster } from '../../support/cluster.ts'
import { openOrigin, reply, type TestOrigin } from '../../support/origin.ts'

/** Processes and a busy machine: what is tried here is not how fast it is. */
const PATIENCE = { timeout: 400_000 }
const PLAYLIST = '/live/a.m3u8'
const LISTED = 20

interface Encoder {
  readonly origin: TestOrigin
  /** Another run, whose numbers begin there. */
  begin(first: number): void
}

/** Segments say of which run they are, and never change as far as the origin knows. */
async function openEncoder(t: TestContext, first: number): Promise<Encoder> {
  let run = 1
  let from = first
  const origin = await openOrigin(t, ({ url = '', headers }, response) => {
    if (url === PLAYLIST) {
      const lines = Array.from(
        { length: LISTED },
        (_, index) =>
          `#EXT-X-PROGRAM-DATE-TIME:2026-01-0${run}T00:00:${from + index}Z\n#EXTINF:1,\n${from + index}.ts\n`,
      )
      const head = `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:${from}\n`
      return reply(response, head + lines.join(''), { 'content-type': 'application/vnd.apple.mpegurl' })
    }
    const etag = `"${run} ${url}"`
    if (headers['if-none-match'] === etag) return response.writeHead(304, { etag }).end()
    return reply(response, `run ${run}`, { 'cache-control': 'max-age=3600, immutable', etag })
  })
  return {
    origin,
    begin: (next) => {
      run++
      from = next
    },
  }
}

async function text({ url }: ClusterNode, path: string): Promise<string> {
  const response = await fetch(url + path)
  assert.equal(response.status, 200, path)
  return response.text()
}

function segments(first: number): readonly string[] {
  return Array.from({ length: LISTED }, (_, index) => `/live/${first + index}.ts`)
}

test(
  'when a stream begins anew no node gives out what is of the run before, whoever has kept it under the same name',
  PATIENCE,
  async (t) => {
    const encoder = await openEncoder(t, 20)
    const nodes = await openCluster(t, { nodes: 3, origins: [encoder.origin.url] })
    for (const node of nodes) {
      await text(node, PLAYLIST)
      for (const segment of segments(20)) assert.equal(await text(node, segment), 'run 1')
    }
    encoder.begin(10)
    // One after the other: while the first one knows of the new run, the others have been told nothing.
    for (const node of nodes) {
      await until(async () => /2026-01-02/.test(await text(node, PLAYLIST)), 'the new run is seen', 60_000)
      for (const segment of segments(10)) {
        assert.equal(await text(node, segment), 'run 2', `${segment} at ${node.id}`)
      }
    }
    const before = encoder.origin.count()
    for (const node of nodes)
      for (const segment of segments(10)) assert.equal(await text(node, segment), 'run 2')
    const more = encoder.origin.asked.slice(before).filter(({ target }) => target !== PLAYLIST)
    assert.deepEqual(more, [], 'then all of it is kept again')
  },
)
