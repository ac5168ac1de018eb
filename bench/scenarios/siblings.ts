/** Siblings: what a hit at a sibling costs the node that was asked and the node that owns it, beside a hit of each one's own. */
import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { rank, wordsOf } from '../../src/siblings/rendezvous.ts'
import { memberOf } from '../../src/siblings/roster.ts'
import { cpuMicros } from '../lib/accounting.ts'
import { freePort } from '../lib/ground.ts'
import type { Walk, WalkSeen } from '../lib/plans.ts'
import type { Bound, Report, Table } from '../lib/report.ts'
import { onStage, type Stage } from '../lib/stage.ts'
import { median } from '../lib/statistics.ts'
import type { Running } from '../peers/peer.ts'
import { HERE, relais } from '../peers/relais.ts'

const ASKER = 'asker'
const OWNER = 'owner'
const NODES = [OWNER, ASKER] as const
type Node = (typeof NODES)[number]

interface Shot {
  readonly name: string
  readonly bytes: number
  /** So many different objects of each owner. */
  readonly objects: number
  /** How often local hits as fast as they go go round them, so that their time can be read from the kernel's 10 ms. */
  readonly laps: number
}

const SHOTS: readonly Shot[] = [
  { name: '4 KB', bytes: 4_096, objects: 6_000, laps: 1 },
  { name: '64 KB', bytes: 65_536, objects: 4_000, laps: 2 },
  { name: '500 KB', bytes: 512_000, objects: 1_200, laps: 3 },
  { name: '2 MB', bytes: 2_097_152, objects: 600, laps: 3 },
]

const MOST_OF_ASKER = 2.5
const MOST_OF_OWNER = 1.2
const VIEWERS = 16
/** Code that is not compiled yet costs several times what it will. */
const WARM_UPS = 3
/** Who asks twice within ten seconds keeps what comes; then it would be a hit. */
const UNTIL_FORGOTTEN_MS = 11_000
const MEET_TIMEOUT_MS = 20_000

export interface SiblingsOptions {
  readonly rounds: number
  /** Only these sizes; all when empty. */
  readonly sizes: readonly number[]
  /** Measured instead of this checkout; at most one. */
  readonly also: readonly string[]
}

/** What one request cost in one round. */
interface Cost {
  /** Of processor time. */
  readonly micros: number
  /** Requests that were answered meanwhile. */
  readonly perSecond: number
}

/** One a round. */
interface Costs {
  readonly local: Cost[]
  readonly asker: Cost[]
  readonly owner: Cost[]
  /** Local hits, as many a second as there were hits at the sibling: who has little to do is woken for each request on its own. */
  readonly paced: Readonly<Record<Node, Cost[]>>
}

interface Measured {
  readonly shot: Shot
  readonly costs: Costs
  /** All of them are the owner's. */
  readonly numbers: readonly number[]
}

type Cast = Readonly<Record<Node, Running>>

export function siblings({ rounds, sizes, also }: SiblingsOptions): Promise<Report> {
  const shots = SHOTS.filter(({ bytes }) => sizes.length === 0 || sizes.includes(bytes))
  if (shots.length === 0) throw new Error(`--size is one of ${SHOTS.map(({ bytes }) => bytes).join(', ')}`)
  return onStage(async (stage) => {
    const measured: readonly Measured[] = shots.map((shot) => ({
      shot,
      costs: { local: [], asker: [], owner: [], paced: { asker: [], owner: [] } },
      numbers: numbersOf(stage.originPort, shot),
    }))
    const cast = await started(stage, also[0] ?? HERE, async (owner) => {
      // A node with a sibling and so much to do would leave a part of it to that one.
      for (const { shot, numbers } of measured) await walk(stage, owner, shot, numbers)
    })
    for (let round = -WARM_UPS; round < rounds; round++) {
      for (const node of [ASKER, OWNER] as const) {
        await pause(UNTIL_FORGOTTEN_MS)
        for (const { shot, costs, numbers } of measured) {
          measuredIs(cast, node)
          const cost = await siblingHits(stage, cast, shot, numbers, node)
          // Next to each other: this machine may be slower in a minute.
          measuredIs(cast, OWNER)
          const paced = await localHits(stage, cast, shot, numbers, cost.perSecond)
          if (round < 0) continue
          costs[node].push(cost)
          costs.paced[node].push(paced)
        }
      }
    }
    // Last: a node with so much to do has a part of what it owns filled by the other one.
    for (let round = -1; round < rounds; round++)
      for (const { shot, costs, numbers } of measured) {
        const laps = Array.from({ length: shot.laps }, () => numbers).flat()
        const local = await localHits(stage, cast, shot, laps)
        if (round >= 0) costs.local.push(local)
      }
    return {
      scenario: 'siblings',
      how:
        `Two nodes, ${VIEWERS} viewers; what is asked for at one lies in the memory of the other, and is asked for once in eleven seconds, so that ` +
        `nothing becomes a copy. The node that is measured has a core for itself; the other one, the viewers and the origin share the other. ${WARM_UPS} ` +
        `rounds to warm up, ${rounds} measured. A request costs a node that has little to do more, for it is woken for each of them: so local hits are ` +
        `measured as fast as they go, and, right after the hits they are compared with, at the pace of those. Shown are the medians over the rounds; ` +
        `at the same pace also of the ratios.`,
      tables: [costTable(measured), fullPaceTable(measured)],
      bounds: measured.flatMap(({ shot, costs }): Bound[] => [
        boundOf('the asker', shot, costs.asker, costs.paced.asker, MOST_OF_ASKER),
        boundOf('the owner', shot, costs.owner, costs.paced.owner, MOST_OF_OWNER),
      ]),
    }
  })
}

/** Both, when each has heard the other; the owner is alone while `alone` runs. */
async function started(
  stage: Stage,
  checkout: string,
  alone: (owner: Running) => Promise<void>,
): Promise<Cast> {
  const ports = { asker: await freePort(), owner: await freePort() }
  const start = (node: Node): Promise<Running> =>
    stage.start(
      relais({
        name: node,
        checkout,
        memory: '4GB',
        cluster: {
          secret: 'a secret that is long enough for siblings',
          listen: { host: '127.0.0.1', port: ports[node] },
          siblings: NODES.map((id) => ({ id, url: `http://127.0.0.1:${ports[id]}` })),
        },
      }),
    )
  const owner = await start(OWNER)
  await alone(owner)
  const asker = await start(ASKER)
  const deadline = performance.now() + MEET_TIMEOUT_MS
  for (;;) {
    const states = await Promise.all([asker, owner].map(async (node) => (await statsOf(node)).siblings))
    if (states.flat().filter(({ state }) => state === 'active').length === NODES.length)
      return { asker, owner }
    if (performance.now() > deadline) throw new Error('the two nodes did not meet')
    await pause(100)
  }
}

/** Two processes that take turns on one core have each other's code to load each time, which on two machines they have not. */
function measuredIs(cast: Cast, measured: Node): void {
  if (availableParallelism() < 2) return
  for (const node of NODES)
    execFileSync('taskset', ['-a', '-p', '-c', node === measured ? '0' : '1', String(cast[node].child.pid)])
}

interface Stats {
  readonly siblings: readonly { readonly state: string }[]
  readonly peers: { readonly hits: number }
  readonly requests: { readonly hit: number }
}

async function statsOf({ port }: Running): Promise<Stats> {
  return (await (await fetch(`http://127.0.0.1:${port}/stats`)).json()) as Stats // as docs/stats.md has it
}

function pathOf({ bytes }: Shot): string {
  return `/size=${bytes}/`
}

/** Those that the owner owns. */
function numbersOf(originPort: number, shot: Shot): readonly number[] {
  const members = NODES.map((id) => memberOf({ id, url: '' }))
  const numbers: number[] = []
  for (let number = 0; numbers.length < shot.objects; number++) {
    const key = `http://127.0.0.1:${originPort}${pathOf(shot)}${number}.m4s`
    if (rank(members, wordsOf(key))[0]?.id === OWNER) numbers.push(number)
  }
  return numbers
}

/** Throws when not all of them were had of the sibling, as hits. */
async function siblingHits(
  stage: Stage,
  { asker, owner }: Cast,
  shot: Shot,
  numbers: readonly number[],
  node: Node,
): Promise<Cost> {
  const before = await Promise.all([statsOf(asker), statsOf(owner)])
  const measured = node === ASKER ? asker : owner
  const cost = await costing(measured, stage, asker, shot, numbers)
  const after = await Promise.all([statsOf(asker), statsOf(owner)])
  const hitsOfAsker = after[0].requests.hit - before[0].requests.hit
  const hitsOfOwner = after[1].peers.hits - before[1].peers.hits
  if (hitsOfAsker !== 0 || hitsOfOwner !== numbers.length)
    throw new Error(
      `of ${numbers.length} of ${shot.name} ${hitsOfOwner} were hits at the sibling, ${hitsOfAsker} here`,
    )
  return cost
}

/** Of the owner; `perSecond` as in a `Walk`. Throws when not all of them were hits. */
async function localHits(
  stage: Stage,
  { owner }: Cast,
  shot: Shot,
  numbers: readonly number[],
  perSecond?: number,
): Promise<Cost> {
  const before = (await statsOf(owner)).requests.hit
  const cost = await costing(owner, stage, owner, shot, numbers, perSecond)
  const hits = (await statsOf(owner)).requests.hit - before
  if (hits !== numbers.length) throw new Error(`of ${numbers.length} of ${shot.name} ${hits} were hits`)
  return cost
}

/** What a request to `asked` costs the process that is measured. */
async function costing(
  { child }: Running,
  stage: Stage,
  asked: Running,
  shot: Shot,
  numbers: readonly number[],
  perSecond?: number,
): Promise<Cost> {
  const before = cpuMicros(child.pid)
  const { seconds } = await walk(stage, asked, shot, numbers, perSecond)
  const micros = (cpuMicros(child.pid) - before) / numbers.length
  return { micros, perSecond: numbers.length / seconds }
}

async function walk(
  stage: Stage,
  { port }: Running,
  shot: Shot,
  numbers: readonly number[],
  perSecond?: number,
): Promise<WalkSeen> {
  const path = pathOf(shot)
  const plan: Walk = {
    ...{ kind: 'walk', port, path, bodyBytes: shot.bytes },
    ...{ paths: numbers.length, numbers, viewers: VIEWERS },
    ...(perSecond === undefined ? {} : { perSecond }),
  }
  const seen = await stage.watch<Walk, WalkSeen>(plan)
  if (seen.wrongBodies > 0) throw new Error(`${seen.wrongBodies} bodies of ${shot.name} were wrong`)
  return seen
}

function boundOf(
  who: string,
  { name }: Shot,
  costs: readonly Cost[],
  local: readonly Cost[],
  most: number,
): Bound {
  const law = `what a sibling hit of ${name} costs ${who}, beside a local hit at the same pace`
  return { law, measured: ratioOf(costs, local), most, unit: 'times' }
}

/** Of costs that were measured in pairs. */
function ratioOf(costs: readonly Cost[], local: readonly Cost[]): number {
  return median(costs.map(({ micros }, round) => micros / (local[round]?.micros ?? Number.NaN)))
}

function microsOf(costs: readonly Cost[]): number {
  return median(costs.map(({ micros }) => micros))
}

function paceOf(costs: readonly Cost[]): number {
  return median(costs.map(({ perSecond }) => perSecond))
}

function costTable(measured: readonly Measured[]): Table {
  return {
    title: 'Microseconds of processor time a request, beside a local hit at the same pace',
    columns: ['', ...['asker', 'owner'].flatMap((who) => [who, 'local', 'times', 'a second'])],
    rows: measured.map(({ shot, costs }) => [
      shot.name,
      ...NODES.toReversed().flatMap((node) => [
        microsOf(costs[node]),
        microsOf(costs.paced[node]),
        ratioOf(costs[node], costs.paced[node]),
        paceOf(costs[node]),
      ]),
    ]),
  }
}

function fullPaceTable(measured: readonly Measured[]): Table {
  return {
    title: 'The same beside local hits as fast as they go',
    columns: ['', 'local', 'a second', 'asker, times', 'owner, times'],
    rows: measured.map(({ shot, costs: { local, asker, owner } }) => [
      shot.name,
      microsOf(local),
      paceOf(local),
      microsOf(asker) / microsOf(local),
      microsOf(owner) / microsOf(local),
    ]),
  }
}
