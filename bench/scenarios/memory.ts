/** Memory: what stays resident while far more passes through than may be held. */
import { residentBytes } from '../lib/accounting.ts'
import type { Stall, StallSeen, Walk, WalkSeen } from '../lib/plans.ts'
import type { Bound, Report } from '../lib/report.ts'
import { onStage } from '../lib/stage.ts'
import { relais } from '../peers/relais.ts'

const MB = 2 ** 20
const BYTES = 2 * MB
const PATHS = 2560
const VIEWERS = 16
const HELD_MB = 256
const MOST_MB = HELD_MB + 200
/** Sixty who take nothing of what a small memory has evicted long since. */
const STALLED = { viewers: 60, bodyBytes: 8 * MB, heldMB: 64 }

export async function memory(): Promise<Report> {
  const rows: (string | number)[][] = []
  const bounds: Bound[] = []
  for (const hasDisk of [false, true]) {
    const title = hasDisk ? 'with a disk of 1 GB' : 'without a disk'
    const { peak, now, seen } = await onStage(async (stage) => {
      const peer = relais({ name: 'Relais', memory: `${HELD_MB}MB`, hasDisk })
      const { port, child } = await stage.start(peer)
      const plan = { kind: 'walk', port, path: `/size=${BYTES}/`, bodyBytes: BYTES } as const
      const seen = await stage.watch<Walk, WalkSeen>({ ...plan, paths: PATHS, viewers: VIEWERS })
      return { ...residentBytes(child.pid), seen }
    })
    if (seen.wrongBodies > 0) throw new Error(`${seen.wrongBodies} bodies were wrong`)
    rows.push([title, peak / MB, now / MB, (PATHS * BYTES) / MB / seen.seconds])
    bounds.push({ law: `resident at most, ${title}`, measured: peak / MB, most: MOST_MB, unit: 'MB' })
  }
  const stalled: (string | number)[][] = []
  for (const hasDisk of [false, true]) {
    const title = hasDisk ? 'with a disk of 1 GB' : 'without a disk'
    const { viewers, bodyBytes, heldMB } = STALLED
    const { peak, now, seen } = await onStage(async (stage) => {
      const { port, child } = await stage.start(relais({ name: 'Relais', memory: `${heldMB}MB`, hasDisk }))
      const plan = { kind: 'stall', port, path: `/size=${bodyBytes}/`, bodyBytes, viewers } as const
      const seen = await stage.watch<Stall, StallSeen>(plan)
      return { ...residentBytes(child.pid), seen }
    })
    stalled.push([title, peak / MB, now / MB, seen.whole, seen.broken])
    const law = `resident at most with ${viewers} stalled viewers, ${title}`
    bounds.push({ law, measured: peak / MB, most: heldMB + 200, unit: 'MB' })
  }
  return {
    scenario: 'memory',
    how:
      `${PATHS} segments of 2 MB, each once, to ${VIEWERS} viewers through a Relais that may hold ${HELD_MB} MB in memory. ` +
      'The peak is the one the kernel keeps (VmHWM), so none is missed between samples. The disk lies on a file system in memory. ' +
      `Of those who stand still each holds ${STALLED.bodyBytes / MB} MB of his own, at ${STALLED.heldMB} MB of memory, until as much has been ` +
      'asked for by others; then he takes the rest, or his answer was broken off.',
    tables: [
      { title: 'Resident memory', columns: ['', 'peak, MB', 'at the end, MB', 'MB/s'], rows },
      {
        title: `Resident memory with ${STALLED.viewers} stalled viewers`,
        columns: ['', 'peak, MB', 'at the end, MB', 'answers whole', 'broken off'],
        rows: stalled,
      },
    ],
    bounds,
  }
}
