/** Chunks: how much later than at the origin each chunk of a low-latency segment reaches its viewers. */
import type { Chunks, ChunksSeen } from '../lib/plans.ts'
import type { Bound, Report } from '../lib/report.ts'
import { onStage } from '../lib/stage.ts'
import { percentile } from '../lib/statistics.ts'
import { otherRelais, relais } from '../peers/relais.ts'
import { varnish } from '../peers/varnish.ts'

const CHUNKS = 20
const CHUNK_BYTES = 25_000
const OVER_MS = 2_000
const AUDIENCES = [1, 50, 300] as const
/** Of each audience; the first of all warms up. */
const ROUNDS = 2

export function chunks(also: readonly string[]): Promise<Report> {
  return onStage(async (stage) => {
    const cast: { name: string; port: number }[] = [{ name: 'origin itself', port: stage.originPort }]
    const peers = [relais({ name: 'Relais' }), ...also.map(otherRelais), varnish]
    for (const peer of peers) cast.push(await stage.start(peer))
    const watch = async (port: number, viewers: number, title: string): Promise<readonly number[]> => {
      const shape = `/size=${CHUNKS * CHUNK_BYTES}/chunks=${CHUNKS}/over=${OVER_MS}/stamped`
      const path = `${shape}/${encodeURIComponent(title)}.m4s`
      const plan: Chunks = { kind: 'chunks', port, path, chunkBytes: CHUNK_BYTES, chunks: CHUNKS, viewers }
      return (await stage.watch<Chunks, ChunksSeen>(plan)).delayMs
    }
    for (const { name, port } of cast) await watch(port, 100, `${name} warms up`)
    const rows: (string | number)[][] = []
    const bounds: Bound[] = []
    let straight = Number.NaN
    for (const viewers of AUDIENCES) {
      const delays = new Map<string, number[]>(cast.map(({ name }) => [name, []]))
      for (let round = 0; round < ROUNDS; round++) {
        for (const { name, port } of cast) {
          delays.get(name)?.push(...(await watch(port, viewers, `${name} ${viewers} ${round}`)))
        }
      }
      const p50 = (name: string): number => percentile(delays.get(name) ?? [], 0.5)
      if (viewers === 1) straight = p50('origin itself')
      for (const { name } of cast) {
        rows.push([
          String(viewers),
          name,
          p50(name),
          percentile(delays.get(name) ?? [], 0.99),
          p50(name) - straight,
        ])
      }
      const law = `delay added to a chunk for ${viewers} viewer${viewers === 1 ? '' : 's'}, p50`
      bounds.push({ law, measured: p50('Relais') - straight, most: 2, unit: 'ms' })
    }
    return {
      scenario: 'chunks',
      how:
        `${CHUNKS} chunks of ${CHUNK_BYTES} bytes in ${OVER_MS / 1000} s, each stamped by the origin when it leaves; milliseconds until a viewer has ` +
        'its last byte. Added is what is more than one viewer at the origin itself has to wait; the time in which one process reads for all viewers is in it.',
      tables: [{ title: 'Delay of a chunk', columns: ['viewers', '', 'p50', 'p99', 'p50 added'], rows }],
      bounds,
    }
  })
}
