/** Nodes of a cluster on loopback, with nothing behind them: who is there, and which purges are in force. */
import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { PurgeRule } from '../../src/purge/purge-rule.ts'
import { Cluster, type ClusterContext } from '../../src/siblings/cluster.ts'
import type { ClusterOptions } from '../../src/siblings/options.ts'
import { MAX_NEWS_BYTES, readText } from '../../src/siblings/peer-call.ts'
import { PEER } from '../../src/siblings/peer-message.ts'
import { PurgeBook } from '../../src/siblings/purge-book.ts'
import { until } from './barrier.ts'
import { type TestClock, testClock } from './clock.ts'

export const SECRET = 'a secret of at least 32 characters'

export interface TestNode {
  readonly id: string
  readonly url: string
  readonly cluster: Cluster
  readonly book: PurgeBook
  readonly clock: TestClock
  /** The values of purges as they were applied. */
  readonly applied: readonly string[]
  /** When what is stored was distrusted. */
  readonly distrusted: readonly number[]
  /** Issuers of whom purges were missed, and up to which. */
  readonly skipped: readonly string[]
  /** What was warned of. */
  readonly warnings: readonly string[]
  /** States and purges that came, by the path that they were sent to. */
  readonly asked: readonly string[]
  counters: { inflight: number; bytesOut: number; misses: number }
  /** One second of this node: it speaks, and looks who spoke. */
  tick(): void
  /** So many seconds, in each of which it hears all who answer. */
  beat(seconds?: number): Promise<void>
  /** As a cut line does: it hears nobody, and nobody hears it, until it is mended. */
  cut(isCut: boolean): void
  begin(): Promise<void>
  /** Gives out a purge of this value; answers when it is in the book. */
  purge(value: string): Promise<PurgeRule>
  close(): Promise<void>
}

export interface TestNodeSetting {
  readonly id: string
  /** Open already, so that others can be told where it is; one of its own when absent. */
  readonly server?: Server
  /** The ids of those who are cut off, on both ends of all lines. */
  readonly cut?: Set<string>
  readonly clock?: TestClock
  /** The file of its purges; none is remembered when absent. */
  readonly path?: string
  readonly options?: Partial<ClusterOptions>
  readonly context?: Partial<ClusterContext>
}

/** A cluster of nobody else. */
export const CLUSTER: ClusterOptions = {
  name: 'relais',
  secret: SECRET,
  acceptedSecret: null,
  url: null,
  publicUrl: null,
  zone: null,
  parentZone: null,
  weight: null,
  capacity: 10_000,
  maxRequests: 4096,
  listen: { host: '127.0.0.1', port: 0 },
  siblings: [],
}

/** One node, with its listener open; not begun. */
export async function openTestNode(t: TestContext, setting: TestNodeSetting): Promise<TestNode> {
  const {
    id,
    server = await openServer(),
    cut = new Set(),
    clock = testClock(),
    path,
    options,
    context,
  } = setting
  const applied: string[] = []
  const distrusted: number[] = []
  const warnings: string[] = []
  const asked: string[] = []
  const counters = { inflight: 0, bytesOut: 0, misses: 0 }
  let work = (): void => undefined
  const skipped: string[] = []
  const book = await PurgeBook.open({
    issuer: `${id}:${randomUUID().slice(0, 8)}`,
    path,
    clock: clock.now,
    target: {
      positions: () => ({}),
      apply: ({ values }: PurgeRule) => applied.push(values.join(' ')),
      skipTo: (issuer, sequence) => skipped.push(`${issuer} ${sequence}`),
      distrust: () => distrusted.push(clock.now()),
    },
    onTrouble: (what) => warnings.push(what),
  })
  const cluster = new Cluster({
    node: id,
    options: { ...CLUSTER, ...options },
    release: '0.1.0',
    clock: clock.now,
    log: { info: () => undefined, warn: (_about, line) => warnings.push(line) },
    book,
    counters: () => counters,
    utilization: () => 0,
    pulse: (beat) => {
      work = beat
      return () => {
        work = () => undefined
      }
    },
    ...context,
  })
  server.on('request', async (message, response) => {
    const { method = '', url: target = '', headers } = message
    if (cut.has(id) || cut.has(String(headers[PEER]))) return void message.socket.destroy()
    asked.push(target)
    const body = await readText(message, MAX_NEWS_BYTES)
    const reply = await cluster.desk.answer({ method, target, fields: headers, body })
    response.writeHead(reply.status, { ...reply.fields }).end(reply.body)
  })
  const own = portOf(server)
  let isClosed = false
  const close = async (): Promise<void> => {
    if (isClosed) return
    isClosed = true
    await cluster.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await book.close()
  }
  t.after(close)
  return {
    id,
    url: `http://127.0.0.1:${own}`,
    cluster,
    book,
    clock,
    applied,
    distrusted,
    skipped,
    warnings,
    asked,
    counters,
    tick: () => work(),
    async beat(seconds = 1) {
      for (let second = 0; second < seconds; second++) {
        clock.advance(1_000)
        work()
        await cluster.settled()
      }
    },
    cut(isCut) {
      if (isCut) cut.add(id)
      else cut.delete(id)
    },
    begin: () => cluster.begin(own),
    async purge(value) {
      const sequence = (book.positions[book.issuer] ?? 0) + 1
      const rule = {
        by: book.issuer,
        sequence,
        at: clock.now(),
        kind: 'url',
        values: [value],
        soft: false,
      } as const
      applied.push(value)
      await book.record(rule)
      return rule
    },
    close,
  }
}

/** Nodes that are named to each other, on one clock; not begun. */
export async function openTestNodes(
  t: TestContext,
  count: number,
  more: Omit<TestNodeSetting, 'id'> = {},
): Promise<readonly TestNode[]> {
  const { clock = testClock(), options } = more
  const cut = new Set<string>()
  const servers = await Promise.all(Array.from({ length: count }, () => openServer()))
  const siblings = servers.map((server, index) => ({
    id: `node-${index + 1}`,
    url: `http://127.0.0.1:${portOf(server)}`,
    zone: null,
    weight: 1,
    publicUrl: null,
  }))
  return Promise.all(
    servers.map((server, index) => {
      const id = `node-${index + 1}`
      return openTestNode(t, { ...more, id, server, cut, clock, options: { siblings, ...options } })
    }),
  )
}

export function statesOf(node: TestNode): Readonly<Record<string, string>> {
  return Object.fromEntries(node.cluster.roster.members().map(({ id, state }) => [id, state]))
}

/** Waits until all of them have applied these values, in whatever order. */
export async function inForce(nodes: readonly TestNode[], values: readonly string[]): Promise<void> {
  const wanted = [...values].sort().join()
  await until(
    () => nodes.every(({ applied }) => [...applied].sort().join() === wanted),
    `${values.length} purges are in force on ${nodes.map(({ id }) => id).join(', ')}`,
  )
}

async function openServer(): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return server
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
