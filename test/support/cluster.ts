/** Several Relais of one cluster, each a process of its own, that can be killed, and cut off from one another. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Stats } from '../../src/ops/stats.ts'
import { until } from './barrier.ts'
import { freePort } from './free-port.ts'
import type { Place } from './network.ts'
import { openRoad, type Road } from './road.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
/** Eight of them start at once on two cores. */
const START_MS = 60_000
/** Ignored by all who do not listen for it. */
const CLOCK_STOPS = 'SIGWINCH'

export interface ClusterNode {
  readonly id: string
  /** For viewers. */
  readonly url: string
  readonly isRunning: boolean
  /** Settles when it serves. Begins again with what it has on disk. */
  start(): Promise<void>
  /** Settles with its exit code when the process is gone; null: a signal ended it, or it did not run. */
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>
  /** Its clock, where `clockAheadMs` says what that is, stands still as soon as it hears of it: nothing becomes old there. */
  stopClock(): void
  /** No sibling hears of it any more, nor it of them; viewers and origins do. */
  cutOff(): void
  rejoin(): void
  stats(): Promise<Stats>
  /** What it wrote to its log, as parsed lines. */
  log(): readonly Record<string, unknown>[]
}

export interface ClusterOptions {
  readonly nodes: number
  /** How many of them start at once; the others are named in the configuration of all, and can be started later. */
  readonly running?: number
  readonly origins: readonly string[]
  /** False: siblings reach each other directly, past the process of the test, which may be busy; none can be cut off. */
  readonly canBeCutOff?: boolean
  /** Where each of them runs; on this machine's loopback when absent. Then it is the network that can be cut. */
  readonly places?: readonly Place[]
  /** What else stands in every configuration file. */
  readonly file?: Record<string, unknown>
  /** What else stands in its `cluster`. */
  readonly cluster?: Record<string, unknown>
  /** What differs from node to node, by its name: asked each time that it starts. */
  readonly differing?: (id: string) => Differing
}

/** What stands in the configuration file of one node in place of what all have. */
export interface Differing {
  readonly file?: Record<string, unknown>
  readonly cluster?: Record<string, unknown>
  /** By how much its clock is ahead of the true time; 0 as well has it be one that can be stopped. */
  readonly clockAheadMs?: number
  /** The DNS server that it asks in place of the machine's, as `Resolver.setServers` takes it. */
  readonly nameServer?: string
}

/** All processes are ended when the test is. Settles when those that are to run know of one another. */
export async function openCluster(t: TestContext, options: ClusterOptions): Promise<readonly ClusterNode[]> {
  const { nodes: count, running = count, places, canBeCutOff = places === undefined } = options
  const folder = mkdtempSync(join(tmpdir(), 'relais-cluster-'))
  const ids = Array.from({ length: count }, (_, index) => `node-${index + 1}`)
  const ports = new Map<string, { viewers: number; siblings: number }>()
  for (const id of ids) ports.set(id, { viewers: await freePort(), siblings: await freePort() })
  // Between each two a road of its own in each direction.
  const roads = new Map<string, Map<string, Road>>()
  for (const from of ids) {
    const leading = new Map<string, Road>()
    for (const [to, { siblings }] of ports) {
      if (to !== from) leading.set(to, canBeCutOff ? await openRoad(t, siblings) : streetTo(siblings))
    }
    roads.set(from, leading)
  }
  const loopback = { host: '127.0.0.1', command: [] }
  const grounds = new Map(ids.map((id, index) => [id, places?.[index] ?? loopback]))
  const nodes = ids.map((id) => nodeOf(id, { folder, ports, roads, grounds, options }))
  t.after(async () => {
    await Promise.all(nodes.map((node) => node.kill('SIGKILL')))
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })
  await Promise.all(nodes.slice(0, running).map((node) => node.start()))
  await acquainted(nodes.slice(0, running))
  return nodes
}

/** Nothing stands on it that could cut it. */
function streetTo(port: number): Road {
  const refuse = (): never => {
    throw new Error('expected canBeCutOff, to cut a node off')
  }
  return { port, cut: refuse, mend: refuse }
}

/** Waits until each of these takes all others of them for owners. */
export async function acquainted(nodes: readonly ClusterNode[]): Promise<void> {
  const ids = new Set(nodes.map(({ id }) => id))
  await until(
    async () => {
      for (const node of nodes) {
        const { siblings } = await node.stats()
        const known = siblings.filter(({ id, state }) => ids.has(id) && state === 'active')
        if (known.length < nodes.length - 1) return false
      }
      return true
    },
    'all know of one another',
    START_MS,
  )
}

interface Ground {
  readonly folder: string
  readonly ports: ReadonlyMap<string, { viewers: number; siblings: number }>
  readonly roads: ReadonlyMap<string, ReadonlyMap<string, Road>>
  readonly grounds: ReadonlyMap<string, Place>
  readonly options: ClusterOptions
}

/** A module that is loaded before all of Relais, and wraps the one clock that it takes. */
function clockOf(aheadMs: number): string {
  return moduleOf(`
    const { now } = Date
    let stoppedAt
    process.on('${CLOCK_STOPS}', () => { stoppedAt ??= Date.now() })
    Date.now = () => stoppedAt ?? now() + ${aheadMs}`)
}

/** The same for the one resolver that it makes: all but whom it asks is its own. */
function resolverOf(nameServer: string): string {
  return moduleOf(`
    import dns from 'node:dns'
    import { syncBuiltinESMExports } from 'node:module'
    dns.promises.Resolver = class extends dns.promises.Resolver {
      constructor (options) {
        super(options)
        this.setServers(['${nameServer}'])
      }
    }
    syncBuiltinESMExports()`)
}

function moduleOf(text: string): string {
  return `data:text/javascript,${encodeURIComponent(text)}`
}

function nodeOf(id: string, { folder, ports, roads, grounds, options }: Ground): ClusterNode {
  const own = ports.get(id) ?? { viewers: 0, siblings: 0 }
  const hostOf = (of: string): string => grounds.get(of)?.host ?? ''
  const host = hostOf(id)
  const url = `http://${host}:${own.viewers}`
  const path = join(folder, `${id}.json`)
  const leading = [...(roads.get(id) ?? [])]
  /** Its configuration lies there; answers what Node is to be told before it reads its program. */
  const written = (): readonly string[] => {
    const { file, cluster, clockAheadMs, nameServer } = options.differing?.(id) ?? {}
    const configuration = {
      node: id,
      listen: { host, port: own.viewers },
      routes: [{ prefix: '/', origins: options.origins }],
      disk: { path: join(folder, id), maxBytes: '64MB' },
      prefetch: { segments: 0 },
      http: { drainTimeout: '1s' },
      log: { access: false },
      ...options.file,
      ...file,
      cluster: {
        secret: 'not a secret, but long enough to be one',
        listen: { host, port: own.siblings },
        siblings: leading.map(([other, road]) => ({
          id: other,
          url: `http://${hostOf(other)}:${road.port}`,
        })),
        ...options.cluster,
        ...cluster,
      },
    }
    writeFileSync(path, JSON.stringify(configuration))
    return [
      ...(clockAheadMs === undefined ? [] : ['--import', clockOf(clockAheadMs)]),
      ...(nameServer === undefined ? [] : ['--import', resolverOf(nameServer)]),
    ]
  }
  const toAndFrom = [
    ...leading.map(([, road]) => road),
    ...[...roads.values()].flatMap((of) => of.get(id) ?? []),
  ]
  let child: ChildProcess | undefined
  let output = ''
  return {
    id,
    url,
    get isRunning() {
      return child !== undefined
    },
    async start() {
      const [program = '', ...args] = [...(grounds.get(id)?.command ?? []), process.execPath]
      const started = spawn(program, [...args, ...written(), MAIN, '--config', path], {
        env: { PATH: `${process.env['PATH']}:/usr/sbin`, HOME: folder },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      child = started
      started.stdout.on('data', (text) => {
        output += String(text)
      })
      let said = ''
      started.stderr.on('data', (text) => {
        said += String(text)
      })
      started.once('exit', () => {
        if (child === started) child = undefined
      })
      await until(
        () => {
          if (child !== started) throw new Error(`${id} did not start: ${said}`)
          return said.includes('serving on')
        },
        `${id} serves`,
        START_MS,
      )
    },
    async kill(signal) {
      const ending = child
      if (ending === undefined) return null
      return await new Promise((resolve) => {
        ending.once('exit', resolve)
        ending.kill(signal)
      })
    },
    stopClock: () => void child?.kill(CLOCK_STOPS),
    cutOff() {
      for (const road of toAndFrom) road.cut()
    },
    rejoin() {
      for (const road of toAndFrom) road.mend()
    },
    async stats() {
      // The body is what the office made of Stats.
      return (await (await fetch(`${url}/stats`)).json()) as Stats
    },
    log: () =>
      output
        .split('\n')
        .filter((line) => line.startsWith('{') && line.endsWith('}'))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}
