/** Cold: hundreds ask at once for a segment that takes the origin two seconds, and more join while it still runs. */
import type { Crowd, CrowdSeen } from '../lib/plans.ts'
import type { Report } from '../lib/report.ts'
import { onStage } from '../lib/stage.ts'
import { percentile } from '../lib/statistics.ts'
import { nginx } from '../peers/nginx.ts'
import { otherRelais, relais } from '../peers/relais.ts'
import { trafficServer } from '../peers/traffic-server.ts'
import { varnish } from '../peers/varnish.ts'

const BYTES = 2_097_152
const VIEWERS = 300
const LATE = { viewers: 100, afterMs: 500, everyMs: 12 }
/** A process that has just started compiles while it serves; what is measured is one that has run for a while. */
const ROUNDS = 3

export function cold(also: readonly string[]): Promise<Report> {
  return onStage(async (stage) => {
    const ours = [relais({ name: 'Relais' }), ...also.map(otherRelais)]
    const rows: (string | number)[][] = []
    const found = { first: Number.NaN, late: Number.NaN, asked: 0, wrong: 0 }
    for (const peer of [...ours, varnish, trafficServer, nginx]) {
      const { name, port, child } = await stage.start(peer)
      const first: number[] = []
      const late: number[] = []
      let wrong = 0
      let asked = 0
      for (let round = 0; round < ROUNDS; round++) {
        const path = `/size=${BYTES}/chunks=20/over=2000/${encodeURIComponent(name)}-${round}.m4s`
        const plan: Crowd = { kind: 'crowd', port, path, bodyBytes: BYTES, viewers: VIEWERS, late: LATE }
        const seen = await stage.watch<Crowd, CrowdSeen>(plan)
        wrong += seen.wrongBodies
        asked = Math.max(asked, await stage.asked(path))
        if (round === 0) continue
        first.push(...seen.firstByteMs)
        late.push(...seen.lateFirstByteMs)
      }
      await child.stop()
      rows.push([
        name,
        ...[0.5, 0.99].map((share) => percentile(first, share)),
        ...[0.5, 0.99].map((share) => percentile(late, share)),
        String(asked),
        String(wrong),
      ])
      if (name === 'Relais') {
        Object.assign(found, { first: percentile(first, 0.5), late: percentile(late, 0.5), asked, wrong })
      }
    }
    return {
      scenario: 'cold',
      how:
        `${VIEWERS} viewers ask for one segment of 2 MB that takes the origin 2 s in 20 pieces, ${LATE.viewers} more join one by one from ` +
        `${LATE.afterMs} ms on. Milliseconds to the first byte of the body; every byte is compared. ${ROUNDS} segments one after the other, the first for warming up.`,
      tables: [
        {
          title: 'First byte',
          columns: ['', 'p50', 'p99', 'late p50', 'late p99', 'asked of the origin', 'wrong bodies'],
          rows,
        },
      ],
      bounds: [
        { law: 'requests to the origin for a cold segment', measured: found.asked, most: 1, unit: '' },
        { law: 'bodies that differ from the origin’s', measured: found.wrong, most: 0, unit: '' },
        { law: 'first byte for 300 viewers, p50', measured: found.first, most: 100, unit: 'ms' },
        { law: 'first byte for late joiners, p50', measured: found.late, most: 2, unit: 'ms' },
      ],
    }
  })
}
