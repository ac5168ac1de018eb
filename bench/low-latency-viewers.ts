/**
 * The low-latency viewers of the benches, in a process of their own: does what the plan says and writes what was seen as
 * JSON, or with `--summary` as a few lines to read.
 *
 *     node bench/low-latency-viewers.ts PLAN [--summary]
 */
import type { LowLatencyPlan } from './lib/low-latency-plans.ts'
import { watchLowLatency } from './lib/low-latency-viewers.ts'
import { percentile, shown } from './lib/statistics.ts'

const plan: LowLatencyPlan = JSON.parse(process.argv[2] ?? '')
const seen = await watchLowLatency(plan)
process.stdout.write(process.argv.includes('--summary') ? summary() : `${JSON.stringify(seen)}\n`)

function summary(): string {
  const line = (name: string, values: readonly number[]): string =>
    `${name}: ${values.length}, p50 ${shown(percentile(values, 0.5))} ms, p99 ${shown(percentile(values, 0.99))} ms\n`
  const { delayMs, playlistDelayMs, busyShare, failures } = seen
  return (
    line(plan.kind === 'll-hls' ? 'parts' : 'chunks', delayMs) +
    (playlistDelayMs.length > 0 ? line('playlists', playlistDelayMs) : '') +
    `busy: ${shown(busyShare * 100)} %\nfailures: ${failures.length} ${[...new Set(failures)].slice(0, 5).join(' | ')}\n`
  )
}
