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

/** What is asked for, again and again. */
interface Shot {
  readonly name: string
  readonly bytes: number
  readonly path: string
  /** Undefined: the whole. */
  readonly range?: string
  /** What Relais may cost, as a multiple of the cheapest of the others. */
  readonly most: number
}

const WHOLE: readonly Shot[] = [
  { name: '4 KB', bytes: 4_096, most: 2.5 },
  { name: '64 KB', bytes: 65_536, most: 1.3 },
  { name: '500 KB', bytes: 512_000, most: 1.05 },
  { name: '2 MB', bytes: 2_097_152, most: 1.25 },
  { name: '8 MB', bytes: 8_388_608, most: 1.25 },
].map((shot) => ({ ...shot, path: `/size=${shot.bytes}/hit.m4s` }))

/** Of a body that is stored whole, and of one that lies in slices: within one of them, and over an edge. */
const PARTS: readonly Shot[] = [
  { name: '4 KB of 500 KB', bytes: 4_096, path: '/film=512000/part.m4s', from: 100_000, most: 3.5 },
  { name: '4 KB of 12 MB', bytes: 4_096, path: '/film=12582912/part.mp4', from: 5_000_000, most: 3.5 },
  { name: '64 KB of 12 MB', bytes: 65_536, path: '/film=12582912/part.mp4', from: 5_000_000, most: 2 },
  { name: '64 KB over an edge', bytes: 65_536, path: '/film=12582912/part.mp4', from: 4_161_536, most: 2 },
].map(({ from, ...shot }) => ({ ...shot, range: `${from}-${from + shot.bytes - 1}` }))

/** What a change may cost on this path, beside the checkout without it. */
const MOST_BESIDE_ALSO = 1.02

const OTHERS: readonly Peer[] = [nginx, varnish, trafficServer]

export interface HitsOptions {
  readonly rounds: number
  readonly seconds: number
  /** Other checkouts, measured beside this one. */
  readonly also: readonly string[]
  /** Only whole bodies of these sizes, or parts of them; all when empty. */
  readonly sizes: readonly number[]
  readonly what: 'whole' | 'parts'
}

/** Micros by peer's name, one number a round. */
type Costs = ReadonlyMap<string, number[]>

export function hits(options: HitsOptions): Promise<Report> {
  return onStage(async (stage) => {
    const ours: Peer[] = [relais({ name: 'Relais' }), relais({ name: 'with access log', hasAccessLog: true })]
    ours.push(...options.also.map(otherRelais))
    const running: Running[] = []
    for (const peer of [...ours, ...OTHERS]) running.push(await stage.start(peer))
    const all = options.what === 'whole' ? WHOLE : PARTS
    const shots = all.filter(({ bytes }) => options.sizes.length === 0 || options.sizes.includes(bytes))
    if (shots.length === 0) throw new Error(`--size is one of ${all.map(({ bytes }) => bytes).join(', ')}`)
    const measured: { shot: Shot; costs: Costs }[] = []
    for (const shot of shots) measured.push({ shot, costs: await measure(stage, running, shot, options) })
    const others = options.also.map((checkout) => otherRelais(checkout))
    return {
      scenario: options.what === 'whole' ? 'hits' : 'hits-of-parts',
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
      bounds: measured.flatMap(({ shot, costs }): Bound[] => [
        {
          law: `a hit of ${shot.name} beside the cheapest of the others`,
          measured: ratio(costs, 'Relais'),
          most: shot.most,
          unit: 'times',
        },
        ...others.map((other) => ({
          law: `a hit of ${shot.name} beside ${other.name}`,
          measured: ratio(costs, 'Relais', [other]),
          most: MOST_BESIDE_ALSO,
          unit: 'times',
        })),
      ]),
    }
  })
}

async function measure(
  stage: Stage,
  running: readonly Running[],
  { bytes, path, range }: Shot,
  { rounds, seconds }: HitsOptions,
): Promise<Costs> {
  const costs = new Map<string, number[]>(running.map(({ name }) => [name, []]))
  // The first request fills the cache (the whole, for not all of them fill it for a part), and the first load warms up
  // the compiler.
  for (const { port } of running) {
    await (await fetch(`http://127.0.0.1:${port}${path}`)).arrayBuffer()
    await load(port, path, bytes, 1, range)
  }
  const askedBefore = await stage.asked(path)
  for (let round = 0; round < rounds; round++) {
    for (const { name, port, child } of running) {
      const before = cpuMicros(child.pid)
      const { requests } = await load(port, path, bytes, seconds, range)
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

function costTable(measured: readonly { shot: Shot; costs: Costs }[], names: readonly string[]): Table {
  return {
    title: 'Microseconds of processor time a request',
    columns: ['', ...names],
    rows: measured.map(({ shot, costs }) => [
      shot.name,
      ...names.map((name) => median(costs.get(name) ?? [])),
    ]),
  }
}

function ratioTable(measured: readonly { shot: Shot; costs: Costs }[], names: readonly string[]): Table {
  return {
    title: 'Times the cost of each, and of the cheapest',
    columns: ['', '', ...OTHERS.map((other) => other.name), 'cheapest'],
    rows: names.flatMap((name) =>
      measured.map(({ shot, costs }) => [
        name,
        shot.name,
        ...OTHERS.map((other) => ratio(costs, name, [other])),
        ratio(costs, name),
      ]),
    ),
  }
}
