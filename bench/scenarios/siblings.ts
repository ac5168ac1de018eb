/** Siblings: what a hit at a sibling costs the node that was asked and the node that owns it, beside a hit of each one's own. */
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
/** The asker is measured last: who was busiest of late is asked for less. */
const NODES = [OWNER, ASKER] as const
type Node = (typeof NODES)[number]

interface Shot {
  readonly name: string
  readonly bytes: number
  /** So many different objects of each owner. */
  readonly objects: number
  /** How often local hits go round them, so that their time can be read from the kernel's 10 ms. */
  readonly laps: number
}

const SHOTS: readonly Shot[] = [
  { name: '4 KB', bytes: 4_096, objects: 2_000, laps: 2 },
  { name: '64 KB', bytes: 65_536, objects: 1_000, laps: 3 },
  { name: '500 KB', bytes: 512_000, objects: 300, laps: 3 },
  { name: '2 MB', bytes: 2_097_152, objects: 100, laps: 3 },
]

const MOST_OF_ASKER = 2.5
const MOST_OF_OWNER = 1.2
const VIEWERS = 16
/** Who asks twice within ten seconds keeps what comes; then it would be a hit. A busy owner is forgiven as fast. */
const UNTIL_FORGOTTEN_MS = 15_000
/** What was not had of its owner is kept for so long. */
const UNTIL_UNCOPIED_MS = 31_000
const MOST_TRIES = 4
const MEET_TIMEOUT_MS = 20_000

export interface SiblingsOptions {
  readonly rounds: number
  /** Only these sizes; all when empty. */
  readonly sizes: readonly number[]
  /** Measured instead of this checkout; at most one. */
  readonly also: readonly string[]
}

/** Microseconds of processor time a request, one number a round. */
interface Costs {
  readonly asker: { readonly local: number[]; readonly sibling: number[] }
  readonly owner: { readonly local: number[]; readonly sibling: number[] }
}

interface Measured {
  readonly shot: Shot
  readonly costs: Costs
  readonly numbers: Numbers
}

type Cast = Readonly<Record<Node, Running>>

export function siblings({ rounds, sizes, also }: SiblingsOptions): Promise<Report> {
  const shots = SHOTS.filter(({ bytes }) => sizes.length === 0 || sizes.includes(bytes))
  if (shots.length === 0) throw new Error(`--size is one of ${SHOTS.map(({ bytes }) => bytes).join(', ')}`)
  return onStage(async (stage) => {
    const cast = await started(stage, also[0] ?? HERE)
    const measured: readonly Measured[] = shots.map((shot) => ({
      shot,
      costs: noCosts(),
      numbers: numbersOf(stage.originPort, shot),
    }))
    for (const { shot, numbers } of measured) {
      for (const node of NODES) await walk(stage, cast[node], shot, numbers[node])
    }
    // One round warms up the compiler; what it had of the origin because a cold owner was slow is kept for a while.
    for (const { shot, numbers } of measured) await walk(stage, cast.asker, shot, numbers.owner)
    await measureAllLocal(
      stage,
      cast,
      measured.map((one) => ({ ...one, costs: noCosts() })),
    )
    await pause(UNTIL_UNCOPIED_MS)
    for (let round = 0; round < rounds; round++) {
      for (const one of measured) {
        for (let tries = 1; !(await isMeasured(stage, cast, one)); tries++) {
          if (tries === MOST_TRIES) throw new Error(`not all of ${one.shot.name} were hits at the sibling`)
          await pause(UNTIL_UNCOPIED_MS)
        }
      }
      await measureAllLocal(stage, cast, measured)
      // By then nobody remembers what was asked for, and nobody takes the owner for too busy to be asked.
      if (round + 1 < rounds) await pause(UNTIL_FORGOTTEN_MS)
    }
    return {
      scenario: 'siblings',
      how:
        `Two nodes, ${VIEWERS} viewers, each object asked for once in ten seconds, so that none becomes a copy: both nodes on one core, the ` +
        `viewers on the other; ${rounds} rounds. A ratio is taken within a round; shown are the medians over the rounds.`,
      tables: [costTable(measured)],
      bounds: measured.flatMap(({ shot, costs }): Bound[] => [
        boundOf('the asker', shot, costs.asker, MOST_OF_ASKER),
        boundOf('the owner', shot, costs.owner, MOST_OF_OWNER),
      ]),
    }
  })
}

/** Both, when each has heard the other. */
async function started(stage: Stage, checkout: string): Promise<Cast> {
  const ports = { asker: await freePort(), owner: await freePort() }
  const start = (node: Node): Promise<Running> =>
    stage.start(
      relais({
        name: node,
        checkout,
        memory: '2GB',
        cluster: {
          secret: 'a secret that is long enough for siblings',
          listen: { host: '127.0.0.1', port: ports[node] },
          siblings: NODES.map((id) => ({ id, url: `http://127.0.0.1:${ports[id]}` })),
        },
      }),
    )
  // Who begins is taken for one who was there before by whoever begins after it.
  const owner = await start(OWNER)
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

interface Stats {
  readonly siblings: readonly { readonly state: string }[]
  readonly peers: { readonly hits: number }
}

async function statsOf({ port }: Running): Promise<Stats> {
  return (await (await fetch(`http://127.0.0.1:${port}/stats`)).json()) as Stats // as docs/stats.md has it
}

type Numbers = Readonly<Record<Node, readonly number[]>>

function pathOf({ bytes }: Shot): string {
  return `/size=${bytes}/`
}

/** Which objects are whose: as many of the asker as of the owner. */
function numbersOf(originPort: number, shot: Shot): Numbers {
  const members = NODES.map((id) => memberOf({ id, url: '' }))
  const numbers: Record<Node, number[]> = { asker: [], owner: [] }
  for (let number = 0; NODES.some((node) => numbers[node].length < shot.objects); number++) {
    const key = `http://127.0.0.1:${originPort}${pathOf(shot)}${number}.m4s`
    const owner = rank(members, wordsOf(key))[0]?.id === ASKER ? ASKER : OWNER
    if (numbers[owner].length < shot.objects) numbers[owner].push(number)
  }
  return numbers
}

/** False: the owner was taken for too busy, or silent, and the origin was asked for some of them. */
async function isMeasured(
  stage: Stage,
  { asker, owner }: Cast,
  { shot, numbers, costs }: Measured,
): Promise<boolean> {
  const before = (await statsOf(owner)).peers.hits
  const { asker: ofAsker, owner: ofOwner } = noCosts()
  const both = [ofAsker.sibling, ofOwner.sibling]
  await costing([asker, owner], both, shot.objects, () => walk(stage, asker, shot, numbers.owner))
  if ((await statsOf(owner)).peers.hits - before !== shot.objects) return false
  costs.asker.sibling.push(...ofAsker.sibling)
  costs.owner.sibling.push(...ofOwner.sibling)
  return true
}

async function measureAllLocal(stage: Stage, cast: Cast, all: readonly Measured[]): Promise<void> {
  for (const { shot, numbers, costs } of all) {
    const asked = await askedOf(stage, shot, numbers)
    for (const node of NODES) {
      const rounds = laps(shot, numbers[node])
      const walked = (): Promise<void> => walk(stage, cast[node], shot, rounds)
      await costing([cast[node]], [costs[node].local], rounds.length, walked)
    }
    if ((await askedOf(stage, shot, numbers)) !== asked) throw new Error(`not all of ${shot.name} were hits`)
  }
}

/** How often the origin was asked for two objects that stand for all. */
async function askedOf(stage: Stage, shot: Shot, numbers: Numbers): Promise<number> {
  const counts = await Promise.all(
    NODES.map((node) => stage.asked(`${pathOf(shot)}${numbers[node].at(-1)}.m4s`)),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

function laps({ laps: count }: Shot, numbers: readonly number[]): readonly number[] {
  return Array.from({ length: count }, () => numbers).flat()
}

/** Adds to each list what one request cost this node meanwhile. */
async function costing(
  nodes: readonly Running[],
  lists: readonly number[][],
  requests: number,
  work: () => Promise<void>,
): Promise<void> {
  const before = nodes.map(({ child }) => cpuMicros(child.pid))
  await work()
  for (const [index, { child }] of nodes.entries())
    lists[index]?.push((cpuMicros(child.pid) - (before[index] ?? 0)) / requests)
}

async function walk(stage: Stage, { port }: Running, shot: Shot, numbers: readonly number[]): Promise<void> {
  const path = pathOf(shot)
  const plan: Walk = {
    ...{ kind: 'walk', port, path, bodyBytes: shot.bytes },
    ...{ paths: numbers.length, numbers, viewers: VIEWERS },
  }
  const { wrongBodies } = await stage.watch<Walk, WalkSeen>(plan)
  if (wrongBodies > 0) throw new Error(`${wrongBodies} bodies of ${shot.name} were wrong`)
}

function noCosts(): Costs {
  return { asker: { local: [], sibling: [] }, owner: { local: [], sibling: [] } }
}

function boundOf(who: string, { name }: Shot, costs: Costs[Node], most: number): Bound {
  const law = `what a sibling hit of ${name} costs ${who}, beside a local hit`
  return { law, measured: ratioOf(costs), most, unit: 'times' }
}

function ratioOf({ local, sibling }: Costs[Node]): number {
  return median(sibling.map((cost, round) => cost / (local[round] ?? Number.NaN)))
}

function costTable(measured: readonly Measured[]): Table {
  return {
    title: 'Microseconds of processor time a request',
    columns: ['', 'asker, local', 'asker, sibling', 'times', 'owner, local', 'owner, sibling', 'times'],
    rows: measured.map(({ shot, costs: { asker, owner } }) => [
      shot.name,
      ...[asker, owner].flatMap((costs) => [median(costs.local), median(costs.sibling), ratioOf(costs)]),
    ]),
  }
}
