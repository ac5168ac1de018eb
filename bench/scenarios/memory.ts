/** Memory: what stays resident while far more passes through than may be held. */
import { residentBytes } from '../lib/accounting.ts'
import type { Walk, WalkSeen } from '../lib/plans.ts'
import type { Bound, Report } from '../lib/report.ts'
import { onStage } from '../lib/stage.ts'
import { relais } from '../peers/relais.ts'

const MB = 2 ** 20
const BYTES = 2 * MB
const PATHS = 2560
const VIEWERS = 16
const HELD_MB = 256
const MOST_MB = HELD_MB + 200

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
  return {
    scenario: 'memory',
    how:
      `${PATHS} segments of 2 MB, each once, to ${VIEWERS} viewers through a Relais that may hold ${HELD_MB} MB in memory. ` +
      'The peak is the one the kernel keeps (VmHWM), so none is missed between samples. The disk lies on a file system in memory.',
    tables: [{ title: 'Resident memory', columns: ['', 'peak, MB', 'at the end, MB', 'MB/s'], rows }],
    bounds,
  }
}
