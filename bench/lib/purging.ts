/**
 * An operator who purges at a pace, and viewers who see when what was purged is no longer served: for each purge and node
 * one asks again and again, until the body that comes left the origin after the purge was sent.
 */
import { Agent, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { coreTicks } from './accounting.ts'
import { STAMP_BYTES } from './pattern.ts'
import type { Purging, PurgingSeen, Tasting } from './plans.ts'
import { Viewer, type Watcher } from './viewer.ts'

/** Between two looks of one viewer; a tenth of the time that it took so far where that is more, so that looks are no load. */
const LOOK_AGAIN_MS = 4
/** Who still has the old one then has it for good. */
const MOST_MS = 10_000

export async function purging(plan: Purging): Promise<PurgingSeen> {
  const { ports, path, paths, watched, perSecond, warmUpSeconds, seconds } = plan
  const nodes = ports.map((port) => new Node(port))
  const saidMs: number[] = []
  const seenMs: number[] = []
  let servedAfter = 0
  let failures = 0
  const purge = async (nth: number): Promise<void> => {
    const target = `${path}${nth % paths}.m4s`
    const isWatched = nth % watched === 0
    const isCounted = nth >= warmUpSeconds * perSecond
    const node = nodes[nth % nodes.length]
    if (node === undefined) throw new Error('there is no node')
    const sentAt = process.hrtime.bigint()
    const since = (): number => Number(process.hrtime.bigint() - sentAt) / 1e6
    const said = node.purge(target).then(async () => {
      if (isCounted) saidMs.push(since())
      if (!isWatched) return
      const lefts = await Promise.all(nodes.map((one) => one.leftAt(target)))
      servedAfter += lefts.filter((leftAt) => leftAt < sentAt).length
    })
    const seen = (isWatched ? nodes : []).map(async (one) => {
      while ((await one.leftAt(target)) < sentAt) {
        if (since() > MOST_MS) throw new Error(`${target} is still served at ${one.port}`)
        await pause(Math.max(LOOK_AGAIN_MS, since() / 10))
      }
      return since()
    })
    const [, ...times] = await Promise.all([said, ...seen])
    if (isWatched && isCounted) seenMs.push(Math.max(...times))
  }
  const startedAt = performance.now()
  const purges = perSecond * (warmUpSeconds + seconds)
  let before = coreTicks()
  const all: Promise<void>[] = []
  for (let nth = 0; nth < purges; nth++) {
    await pause(Math.max(0, startedAt + (nth * 1000) / perSecond - performance.now()))
    if (nth === warmUpSeconds * perSecond) before = coreTicks()
    const ending = purge(nth).catch((error: unknown) => {
      if (failures++ === 0) process.stderr.write(`the first purge that failed: ${error}\n`)
    })
    all.push(ending)
  }
  const took = (performance.now() - startedAt) / 1000
  const busy = coreTicks().map((core, index) => {
    const busyTicks = core.busy - (before[index]?.busy ?? 0)
    return busyTicks / (busyTicks + core.idle - (before[index]?.idle ?? 0))
  })
  await Promise.all(all)
  for (const node of nodes) node.leave()
  return { perSecond: purges / took, saidMs, seenMs, servedAfter, failures, busy }
}

/** So that each node has something that can be purged: what is asked for twice is kept. */
export async function tasting({ ports, path, paths }: Tasting): Promise<'kept'> {
  const nodes = ports.map((port) => new Node(port))
  for (let number = 0; number < paths; number++)
    for (const node of [...nodes, ...nodes]) await node.leftAt(`${path}${number}.m4s`)
  for (const node of nodes) node.leave()
  return 'kept'
}

class Node {
  readonly port: number
  readonly #agent = new Agent({ keepAlive: true })
  readonly #idle: Viewer[] = []

  constructor(port: number) {
    this.port = port
  }

  /** When what is served there left the origin, by CLOCK_MONOTONIC in nanoseconds. */
  async leftAt(target: string): Promise<bigint> {
    const viewer = this.#idle.pop() ?? (await Viewer.connect(this.port))
    const stamp = new Stamp()
    await viewer.watch(target, stamp)
    this.#idle.push(viewer)
    return stamp.leftAt
  }

  /** Settles when all nodes are said to have it; rejects when one is said not to. */
  async purge(target: string): Promise<void> {
    const body = JSON.stringify({ url: target, wait: 'all' })
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const where = { host: '127.0.0.1', port: this.port, path: '/-/purge' }
    const answer = await new Promise<string>((resolve, reject) => {
      request({ ...where, method: 'POST', headers, agent: this.#agent }, (response) => {
        text(response).then(resolve, reject)
      })
        .on('error', reject)
        .end(body)
    })
    if (!answer.includes('"laggards":[]')) throw new Error(`${target}: ${answer}`)
  }

  leave(): void {
    this.#agent.destroy()
    for (const viewer of this.#idle) viewer.leave()
  }
}

/** Keeps the stamp at the beginning of a body. */
class Stamp implements Watcher {
  readonly #head = Buffer.alloc(STAMP_BYTES)

  onBody(bytes: Buffer, at: number): void {
    if (at < STAMP_BYTES) bytes.copy(this.#head, at, 0, STAMP_BYTES - at)
  }

  get leftAt(): bigint {
    return this.#head.readBigUInt64LE()
  }
}
