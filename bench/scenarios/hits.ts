/** Hits: what one request costs the server in processor time, Relais beside the others, size by size. */
import { cpuMicros } from '../lib/accounting.ts'
import type { Bound, Report, Table } from '../lib/report.ts'
import { onStage, type Stage } from '../lib/stage.ts'
import { median } from '../lib/statistics.ts'
import { load } from '../lib/wrk.ts'
import { nginx } from '../peers/nginx.ts'
import type { Peer, Running } from '../peers/peer.ts'
import { otherRelais, relais } from '../peers/relais.ts'
import { trafficServer } from '../peers/traffic-server.ts'
import { varnish } from '../peers/varnish.ts'

/** What Relais may cost, as a multiple of the cheapest of the others. */
const SIZES = [
  { name: '4 KB', bytes: 4_096, most: 2.5 },
  { name: '64 KB', bytes: 65_536, most: 1.3 },
  { name: '500 KB', bytes: 512_000, most: 1.05 },
  { name: '2 MB', bytes: 2_097_152, most: 1.25 },
] as const

const OTHERS: readonly Peer[] = [nginx, varnish, trafficServer]

export interface HitsOptions {
  readonly rounds: number
  readonly seconds: number
  /** Other checkouts, measured beside this one. */
  readonly also: readonly string[]
  /** Only these sizes; all when empty. */
  readonly sizes: readonly number[]
}

/** Micros by peer's name, one number a round. */
type Costs = ReadonlyMap<string, number[]>

export function hits(options: HitsOptions): Promise<Report> {
  return onStage(async (stage) => {
    const ours: Peer[] = [relais({ name: 'Relais' }), relais({ name: 'with access log', hasAccessLog: true })]
    ours.push(...options.also.map(otherRelais))
    const running: Running[] = []
    for (const peer of [...ours, ...OTHERS]) running.push(await stage.start(peer))
    const sizes = SIZES.filter(({ bytes }) => options.sizes.length === 0 || options.sizes.includes(bytes))
    if (sizes.length === 0) throw new Error(`--size is one of ${SIZES.map(({ bytes }) => bytes).join(', ')}`)
    const measured: { size: (typeof SIZES)[number]; costs: Costs }[] = []
    for (const size of sizes)
      measured.push({ size, costs: await measure(stage, running, size.bytes, options) })
    return {
      scenario: 'hits',
      how:
        `wrk on one core, the server on the other; ${options.rounds} rounds of ${options.seconds} s each, one peer after the other in every ` +
        'round. A ratio is taken within a round; shown are the medians over the rounds.',
      tables: [
        costTable(
          measured,
          running.map(({ name }) => name),
        ),
        ratioTable(
          measured,
          ours.map(({ name }) => name),
        ),
      ],
      bounds: measured.map(
        ({ size, costs }): Bound => ({
          law: `a hit of ${size.name} beside the cheapest of the others`,
          measured: ratio(costs, 'Relais'),
          most: size.most,
          unit: 'times',
        }),
      ),
    }
  })
}

async function measure(
  stage: Stage,
  running: readonly Running[],
  bytes: number,
  { rounds, seconds }: HitsOptions,
): Promise<Costs> {
  const path = `/size=${bytes}/hit.m4s`
  const costs = new Map<string, number[]>(running.map(({ name }) => [name, []]))
  // The first load fills the cache and warms up the compiler.
  for (const { port } of running) await load(port, path, bytes, 1)
  const askedBefore = await stage.asked(path)
  for (let round = 0; round < rounds; round++) {
    for (const { name, port, child } of running) {
      const before = cpuMicros(child.pid)
      const { requests } = await load(port, path, bytes, seconds)
      costs.get(name)?.push((cpuMicros(child.pid) - before) / requests)
    }
  }
  if ((await stage.asked(path)) !== askedBefore) throw new Error(`not all of ${path} were hits`)
  return costs
}

/** The median over the rounds of one peer's cost beside another's in the same round, or beside the cheapest of several. */
function ratio(costs: Costs, name: string, others: readonly Peer[] = OTHERS): number {
  const own = costs.get(name) ?? []
  const cheapest = (round: number): number =>
    Math.min(...others.map((other) => costs.get(other.name)?.[round] ?? Number.POSITIVE_INFINITY))
  return median(own.map((cost, round) => cost / cheapest(round)))
}

function costTable(
  measured: readonly { size: { name: string }; costs: Costs }[],
  names: readonly string[],
): Table {
  return {
    title: 'Microseconds of processor time a request',
    columns: ['', ...names],
    rows: measured.map(({ size, costs }) => [
      size.name,
      ...names.map((name) => median(costs.get(name) ?? [])),
    ]),
  }
}

function ratioTable(
  measured: readonly { size: { name: string }; costs: Costs }[],
  names: readonly string[],
): Table {
  return {
    title: 'Times the cost of each, and of the cheapest',
    columns: ['', '', ...OTHERS.map((other) => other.name), 'cheapest'],
    rows: names.flatMap((name) =>
      measured.map(({ size, costs }) => [
        name,
        size.name,
        ...OTHERS.map((other) => ratio(costs, name, [other])),
        ratio(costs, name),
      ]),
    ),
  }
}
