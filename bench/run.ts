/**
 * Measures Relais beside nginx, Varnish and Traffic Server, and keeps what it found in bench/results.
 *
 *     npm run bench -- [hits|hits-of-parts|cold|cold-range|chunks|memory|idle|disk|faults|low-latency|siblings|purges|all] [--rounds 5] [--seconds 2] [--size BYTES] [--viewers N] [--also CHECKOUT]...
 *
 * `late` is `cold`, for late joiners are part of it. `--also` measures the src of another directory in the same run, to see what a change is worth.
 */
import { parseArgs } from 'node:util'
import { isMet, publish, type Report } from './lib/report.ts'
import { nginx } from './peers/nginx.ts'
import { relais } from './peers/relais.ts'
import { trafficServer } from './peers/traffic-server.ts'
import { varnish } from './peers/varnish.ts'
import { chunks } from './scenarios/chunks.ts'
import { cold } from './scenarios/cold.ts'
import { coldRange } from './scenarios/cold-range.ts'
import { disk } from './scenarios/disk.ts'
import { faults } from './scenarios/faults.ts'
import { hits } from './scenarios/hits.ts'
import { idle } from './scenarios/idle.ts'
import { lowLatency } from './scenarios/low-latency.ts'
import { memory } from './scenarios/memory.ts'
import { purges } from './scenarios/purges.ts'
import { siblings } from './scenarios/siblings.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    size: { type: 'string', multiple: true, default: [] },
    viewers: { type: 'string', default: '200' },
    also: { type: 'string', multiple: true, default: [] },
  },
})

const pace = {
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  also: values.also,
  sizes: values.size.map(Number),
}

const SCENARIOS: ReadonlyMap<string, () => Promise<Report>> = new Map([
  ['hits', () => hits({ ...pace, what: 'whole' })],
  ['hits-of-parts', () => hits({ ...pace, what: 'parts' })],
  ['cold', () => cold(values.also)],
  ['cold-range', () => coldRange(values.also)],
  ['chunks', () => chunks(values.also)],
  ['memory', memory],
  ['idle', idle],
  ['disk', disk],
  ['faults', faults],
  ['siblings', () => siblings({ ...pace, also: values.also })],
  ['purges', () => purges(values.also)],
  ['low-latency', () => lowLatency(Number(values.viewers), values.also)],
])

const asked = positionals.map((name) => (name === 'late' ? 'cold' : name))
const names = asked.length === 0 || asked.includes('all') ? [...SCENARIOS.keys()] : asked
const versions = [relais({ name: 'Relais' }), nginx, varnish, trafficServer].map((peer) => peer.version())
let unmet = 0
for (const name of names) {
  const scenario = SCENARIOS.get(name)
  if (scenario === undefined)
    throw new Error(`no scenario is called ${name}: ${[...SCENARIOS.keys()].join(', ')}`)
  const report = await scenario()
  publish(report, versions)
  unmet += report.bounds.filter((bound) => !isMet(bound)).length
}
process.stdout.write(unmet === 0 ? '\nall bounds are met\n' : `\n${unmet} bounds are not met\n`)
