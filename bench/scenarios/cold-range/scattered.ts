/** Ranges anywhere in a film, so many that every slice is come to hundreds of times; each slice is asked for once. */
import { cpuMicros } from '../../lib/accounting.ts'
import { MIB } from '../../lib/film.ts'
import type { Scatter, ScatterSeen } from '../../lib/plans.ts'
import type { Bound } from '../../lib/report.ts'
import type { Stage } from '../../lib/stage.ts'
import { slicingNginx } from '../../peers/nginx.ts'
import type { Peer } from '../../peers/peer.ts'
import { relais } from '../../peers/relais.ts'
import { filmPath, type Part, SLICE_BYTES } from './part.ts'

const FILM_BYTES = 1024 * MIB
const SCATTER = { ranges: 100_000, leastBytes: 1024, mostBytes: 65_536, seed: 20_261_123, viewers: 8 }

export async function scattered(stage: Stage): Promise<Part> {
  const rows: (string | number)[][] = []
  const bounds: Bound[] = []
  const cast: readonly [string, Peer][] = [
    ['in memory', relais({ name: 'Relais', memory: '2GB' })],
    ['on disk, memory 128 MB', relais({ name: 'Relais', memory: '128MB', hasDisk: true, disk: '4GB' })],
    ['', slicingNginx],
  ]
  for (const [title, peer] of cast) {
    const running = await stage.start(peer)
    const path = filmPath(FILM_BYTES, running, 'scatter')
    const before = cpuMicros(running.child.pid)
    const plan: Scatter = { kind: 'scatter', port: running.port, path, size: FILM_BYTES, ...SCATTER }
    const { wrongBodies, seconds } = await stage.watch<Scatter, ScatterSeen>(plan)
    const cpu = (cpuMicros(running.child.pid) - before) / SCATTER.ranges
    const { requests, askedBytes, repeatedBytes } = await stage.filmAsked(path)
    rows.push([
      ...[peer.name, title, String(requests), askedBytes / MIB, repeatedBytes / MIB],
      ...[String(wrongBodies), SCATTER.ranges / seconds, cpu],
    ])
    await running.child.stop()
    if (wrongBodies > 0) throw new Error(`${wrongBodies} ranges of ${peer.name} were wrong`)
    if (peer.name !== 'Relais') continue
    bounds.push({
      law: `slices of a film of 1 GB asked for by ${SCATTER.ranges} random ranges, ${title}`,
      measured: requests,
      most: FILM_BYTES / SLICE_BYTES,
      unit: 'requests',
    })
  }
  return {
    tables: [
      {
        title: `${SCATTER.ranges} random ranges of 1 to 64 KB of a film of 1 GB, cold at first, for ${SCATTER.viewers} viewers`,
        columns: [
          '',
          '',
          'requests to the origin',
          'asked, MB',
          'asked twice, MB',
          'wrong',
          'ranges/s',
          'µs of processor a range',
        ],
        rows,
      },
    ],
    bounds,
  }
}
