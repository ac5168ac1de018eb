/** Purges in a cluster of processes under load: how long until one is in force on all four nodes. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { cpuMicros } from '../lib/accounting.ts'
import { freePort, listening } from '../lib/ground.ts'
import type { Purging, PurgingSeen, Stroll, StrollSeen, Tasting, Walk, WalkSeen } from '../lib/plans.ts'
import type { Bound, Report } from '../lib/report.ts'
import { onStage, type Stage } from '../lib/stage.ts'
import { median, percentile } from '../lib/statistics.ts'
import type { Running } from '../peers/peer.ts'
import { HERE, relais } from '../peers/relais.ts'

const NODES = ['node-1', 'node-2', 'node-3', 'node-4']
const PER_SECOND = 100
const SECONDS = 20
/** Each is purged again after so many hundredths of a second; it shares no factor with the nodes, so that each has its turn. */
const PURGED = 505
/** Their looks are a load of their own. */
const WATCHED = 5
const MOST_P99_MS = 100
const BYTES = 4_096
/** So many that a part of the requests for them are hits of the node that is asked, and others those of a sibling. */
const STROLLED = 8_000
const MEET_TIMEOUT_MS = 60_000
/** The load begins before the purges, and ends after them. */
const LEAD_MS = 2_000
const WARM_UP_SECONDS = 5
const STROLL_SECONDS = SECONDS + WARM_UP_SECONDS + (2 * LEAD_MS) / 1000

type CarrierName = 'HTTP' | 'NATS'

/** What viewers do meanwhile. */
interface Level {
  readonly name: string
  /** At each node. */
  readonly viewers: number
  /** At all of them; undefined: as many as are answered. */
  readonly perSecond?: number
  /** A machine that others use too is at times slower for half a minute. */
  readonly rounds: number
}

const LEVELS: readonly Level[] = [
  { name: 'busy', viewers: 8, perSecond: 400, rounds: 3 },
  { name: 'saturated', viewers: 8, rounds: 1 },
]

/** One round. */
interface Measured {
  readonly name: string
  readonly carrier: CarrierName
  readonly level: Level
  readonly purging: PurgingSeen
  readonly stroll: StrollSeen
  /** Processor time of all nodes, as a share of one core. */
  readonly nodesBusy: number
  readonly siblingHitsPerSecond: number
}

/** `also`: measured instead of this checkout; at most one. */
export async function purges(also: readonly string[]): Promise<Report> {
  const measured: Measured[] = []
  const carriers: readonly CarrierName[] = hasNats() ? ['HTTP', 'NATS'] : ['HTTP']
  for (const carrier of carriers)
    measured.push(...(await onStage((stage) => measureAll(stage, carrier, also[0] ?? HERE))))
  return {
    scenario: 'purges',
    how:
      `Four nodes on all cores, with a disk in memory; the origin, the viewers and the operator on one of them. ${PER_SECOND} purges of one address ` +
      `a second for ${SECONDS} s, after ${WARM_UP_SECONDS} s that do not count, by nodes in turn, each with \`wait: all\`; one of ${WATCHED} is watched by viewers. "Said" is when that is answered. "Seen" is when a viewer at the last of ` +
      `the four nodes, who asks every few milliseconds, has a body that left the origin after the purge was sent, the fill included. The load is 4 KB bodies, drawn from ` +
      `${STROLLED} at all nodes: at a pace that leaves the machine some idleness (busy; the table says how much), and as many as are answered. NATS is measured where there is a nats-server. Bounds hold the median of the rounds.`,
    tables: [
      {
        title: 'Milliseconds from the sending of a purge',
        columns: ['', 'said p50', 'p99', 'max', 'seen p50', 'p99', 'max'],
        rows: measured.map(({ name, purging: { saidMs, seenMs } }) => [
          name,
          ...[saidMs, seenMs].flatMap((ms) => [0.5, 0.99, 1].map((share) => percentile(ms, share))),
        ]),
      },
      {
        title: 'The load meanwhile',
        columns: [
          ...['', 'purges a second', 'requests a second', 'hits of siblings a second'],
          ...['answered p50, ms', 'p99', 'the nodes, of one core', 'cores idle'],
        ],
        rows: measured.map(({ name, purging, stroll, nodesBusy, siblingHitsPerSecond }) => [
          name,
          purging.perSecond,
          stroll.requests / STROLL_SECONDS,
          siblingHitsPerSecond,
          percentile(stroll.ms, 0.5),
          percentile(stroll.ms, 0.99),
          percentOf(nodesBusy),
          purging.busy.map((busy) => percentOf(1 - busy)).join(', '),
        ]),
      },
    ],
    bounds: carriers.flatMap((carrier) =>
      LEVELS.flatMap((level) =>
        boundsOf(
          `${carrier}, ${level.name}`,
          level,
          measured.filter((round) => round.carrier === carrier && round.level === level),
        ),
      ),
    ),
  }
}

function percentOf(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}

function hasNats(): boolean {
  try {
    execFileSync('nats-server', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false // not installed; then HTTP alone is measured
  }
}

async function measureAll(stage: Stage, carrier: CarrierName, checkout: string): Promise<Measured[]> {
  const nodes = await started(stage, carrier, checkout)
  const [first] = nodes
  if (first === undefined) throw new Error('there is no node')
  const path = `/size=${BYTES}/`
  const walk: Walk = {
    ...{ kind: 'walk', port: first.port, path, bodyBytes: BYTES, paths: STROLLED, viewers: 16 },
  }
  await stage.watch<Walk, WalkSeen>(walk)
  const measured: Measured[] = []
  for (const level of LEVELS)
    for (let round = 0; round < level.rounds; round++)
      measured.push(await measure(stage, nodes, carrier, level, path))
  return measured
}

async function measure(
  stage: Stage,
  nodes: readonly Running[],
  carrier: CarrierName,
  level: Level,
  path: string,
): Promise<Measured> {
  const ports = nodes.map(({ port }) => port)
  const stamped = { ports, path: `/size=${BYTES}/stamped/${level.name}-`, paths: PURGED }
  await stage.watch<Tasting, unknown>({ kind: 'tasting', ...stamped })
  const hitsBefore = await siblingHits(nodes)
  const strolling = stage.watch<Stroll, StrollSeen>({
    ...{ kind: 'stroll', ports, path, paths: STROLLED, ...level },
    seconds: STROLL_SECONDS,
  })
  // Whoever rejects is heard below; until then the purges go on.
  strolling.catch(() => undefined)
  await pause(LEAD_MS)
  const before = cpuOf(nodes)
  const beganAt = performance.now()
  const purging = await stage.watch<Purging, PurgingSeen>({
    ...{ kind: 'purging', ...stamped, watched: WATCHED },
    ...{ perSecond: PER_SECOND, warmUpSeconds: WARM_UP_SECONDS, seconds: SECONDS },
  })
  const nodesBusy = (cpuOf(nodes) - before) / 1000 / (performance.now() - beganAt)
  const stroll = await strolling
  const hits = (await siblingHits(nodes)) - hitsBefore
  const name = `${carrier}, ${level.name}`
  return { name, carrier, level, purging, stroll, nodesBusy, siblingHitsPerSecond: hits / STROLL_SECONDS }
}

async function started(stage: Stage, carrier: CarrierName, checkout: string): Promise<readonly Running[]> {
  const ports = new Map<string, number>()
  for (const id of NODES) ports.set(id, await freePort())
  const urlOf = (id: string): string => `http://127.0.0.1:${ports.get(id)}`
  const natsPort = carrier === 'NATS' ? await freePort() : undefined
  const nats = natsPort === undefined ? undefined : { servers: [`nats://127.0.0.1:${natsPort}`] }
  const nodes = await Promise.all(
    NODES.map((id) =>
      stage.start(
        relais({
          ...{ name: id, checkout, memory: '256MB', hasDisk: true },
          cluster: {
            secret: 'a secret that is long enough for siblings',
            listen: { host: '127.0.0.1', port: ports.get(id) },
            ...(nats === undefined
              ? { siblings: NODES.map((other) => ({ id: other, url: urlOf(other) })) }
              : { nats, url: urlOf(id) }),
          },
        }),
      ),
    ),
  )
  for (const { child } of nodes) onAllCores(child.pid)
  // Not before the nodes: whoever finds others there has joined them, and asks for ten minutes for all that it owns who owned it before.
  if (natsPort !== undefined) await natsServer(stage, natsPort)
  const deadline = performance.now() + MEET_TIMEOUT_MS
  for (;;) {
    const states = await Promise.all(nodes.map(async (node) => (await statsOf(node)).siblings))
    if (states.flat().filter(({ state }) => state === 'active').length === NODES.length * (NODES.length - 1))
      return nodes
    if (performance.now() > deadline) throw new Error('the four nodes did not meet')
    await pause(100)
  }
}

/** Clusters have a machine a node: on one core none could go on while another one works. */
function onAllCores(pid: number): void {
  const cores = availableParallelism()
  if (cores > 1)
    execFileSync('taskset', ['-a', '-c', '-p', `0-${cores - 1}`, String(pid)], { stdio: 'ignore' })
}

async function natsServer({ ground }: Stage, port: number): Promise<void> {
  const folder = mkdtempSync(join(ground.path, 'nats-'))
  const args = ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder]
  await listening(port, ground.start('others', 'nats-server', args))
}

interface Stats {
  readonly siblings: readonly { readonly state: string }[]
  readonly peers: { readonly hits: number }
}

async function statsOf({ port }: Running): Promise<Stats> {
  return (await (await fetch(`http://127.0.0.1:${port}/stats`)).json()) as Stats // as docs/stats.md has it
}

function cpuOf(nodes: readonly Running[]): number {
  return nodes.reduce((sum, { child }) => sum + cpuMicros(child.pid), 0)
}

async function siblingHits(nodes: readonly Running[]): Promise<number> {
  const all = await Promise.all(nodes.map(statsOf))
  return all.reduce((sum, { peers }) => sum + peers.hits, 0)
}

function boundsOf(name: string, level: Level, rounds: readonly Measured[]): readonly Bound[] {
  const p99Of = (pick: (seen: PurgingSeen) => readonly number[]): number =>
    median(rounds.map(({ purging }) => percentile(pick(purging), 0.99)))
  // Where the machine is saturated everything waits.
  const waits: readonly (readonly [string, number])[] =
    level.perSecond === undefined
      ? []
      : [
          ['a purge is in force on all four nodes, seen by viewers', p99Of(({ seenMs }) => seenMs)],
          ['a purge is said to be in force on all four nodes', p99Of(({ saidMs }) => saidMs)],
        ]
  return [
    ...waits.map(
      ([law, measured]): Bound => ({
        law: `${law}, p99 (${name})`,
        measured,
        most: MOST_P99_MS,
        unit: 'ms',
      }),
    ),
    {
      law: `purged bodies that were served after it was said that all have the purge (${name})`,
      measured: Math.max(...rounds.map(({ purging }) => purging.servedAfter)),
      most: 0,
      unit: 'bodies',
    },
    {
      law: `purges that failed, or had a laggard (${name})`,
      measured: Math.max(...rounds.map(({ purging, stroll }) => purging.failures + stroll.failures)),
      most: 0,
      unit: 'purges',
    },
  ]
}
