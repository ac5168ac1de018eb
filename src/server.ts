/** Puts the house together: the only file that knows every room. */
import { isIPv6 } from 'node:net'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { Cache } from './cache/cache.ts'
import type { FillContext } from './cache/journey.ts'
import { type Route, RouteTable } from './cache/routes.ts'
import { type Stream, Streams } from './cache/streams.ts'
import type { Config } from './config.ts'
import { RelaisError } from './errors.ts'
import { Door } from './http/door.ts'
import { openFront } from './http/front.ts'
import { HeadLines } from './http/head-lines.ts'
import { Sender } from './http/send.ts'
import { Traffic } from './http/traffic.ts'
import { Access } from './ops/access.ts'
import { openOffice } from './ops/office.ts'
import type { Stats, StreamStats } from './ops/stats.ts'
import type { Clock, Instant } from './rfc/heads.ts'
import { DiskStore } from './store/disk/disk-store.ts'
import { MemoryStore } from './store/memory-store.ts'
import type { Store } from './store/store.ts'
import { TieredStore } from './store/tiered-store.ts'
import { openAgent } from './upstream/agent.ts'
import { Origin } from './upstream/origin.ts'
import { OriginGroup } from './upstream/origin-group.ts'
import { upstreamError } from './upstream/upstream-error.ts'

export interface Relais {
  /** Where viewers are served. */
  readonly url: string
  readStats(): Promise<Stats>
  /** Takes no new viewers, lets responses under way finish within the drain timeout, and lets go of everything. */
  close(): Promise<void>
}

export interface Surroundings {
  readonly clock: Clock
  readonly logger: FastifyBaseLogger
  readonly version: string
}

/** Rejects with one clear sentence when the port or the disk cannot be had. */
export async function openRelais(config: Config, surroundings: Surroundings): Promise<Relais> {
  const { clock, logger, version } = surroundings
  const { node } = config
  const startedAt = clock()
  const store = await openStore(config, logger)
  const agent = openAgent(config.upstream)
  const groups = new Map<Route, OriginGroup>()
  for (const options of config.routes) {
    const origins = options.origins.map((url) => new Origin(url, agent, clock))
    const source = new OriginGroup(origins, config.upstream.penalty, clock)
    const { prefix, cookies, requestDirectives } = options
    groups.set(
      { prefix, cookies, requestDirectives, ignoreQuery: new Set(options.ignoreQuery), source },
      source,
    )
  }
  const table = new RouteTable([...groups.keys()])
  const streams = new Streams()
  const traffic = new Traffic()
  const onTrouble: FillContext['onTrouble'] = (what, error, target) =>
    logger.warn({ err: error, target }, what)
  const cache = new Cache({ store, streams, clock, node, onTrouble })
  const door = new Door({
    cache,
    routes: table,
    sender: new Sender(new HeadLines(node), node),
    traffic,
    clock,
    nextRequestId: countFrom(startedAt),
    onAccount: config.log.access ? (account) => logger.info(account, 'request') : undefined,
    onTrouble: (error, requestId) => logger.warn({ err: error, requestId }, 'an answer failed'),
  })
  const destinationOf = (route: Route): { address: string; path: string } => preferredOf(groups, route)
  let isReady = false
  let app: FastifyInstance | undefined
  const readStats = async (): Promise<Stats> => ({
    node,
    version,
    uptimeSeconds: Math.floor((clock() - startedAt) / 1000),
    ...counted(traffic, groups),
    ...store.stats(),
    fills: cache.flights,
    viewers: app === undefined ? 0 : await connectionsOf(app),
    streams: streams.list().map((stream) => describeStream(stream, clock())),
    siblings: [],
  })
  const floor = {
    door,
    routes: [...groups.keys()],
    node,
    destinationOf,
    agent,
    onBytes: (route: Route, bytes: number) => traffic.bytes(route, bytes),
    onWritten: (route: Route, target: string) => void cache.invalidate(route, target),
    failure: (error: unknown, nextHop: string) => upstreamError(error, nextHop, 'head'),
  }
  app = await openFront(door, floor, config.http, logger, (office) =>
    openOffice(office, { access: new Access(config.ops), readStats, isReady: () => isReady }),
  )
  try {
    await app.listen(config.listen)
  } catch (error) {
    await Promise.all([store.close(), agent.destroy()])
    throw new Error(cannotListen(config, error), { cause: error })
  }
  isReady = true
  const front = app
  return {
    url: urlOf(front, config.listen.host),
    readStats,
    async close() {
      isReady = false
      door.drain()
      await drained(front, config.http.drainTimeout)
      await front.close()
      await store.close()
      await agent.destroy()
    },
  }
}

async function openStore(config: Config, logger: FastifyBaseLogger): Promise<Store> {
  const memory = new MemoryStore(config.memory)
  const { path, maxBytes, maxEntryBytes } = config.disk
  if (path === null) return memory
  const disk = await DiskStore.open({
    path,
    maxBytes,
    maxEntryBytes,
    log: (event) => logger.warn({ disk: path, ...event }, 'disk'),
  })
  return new TieredStore({ memory, disk })
}

/** Stops listening at once, then waits for the viewers that are being served; cuts those who take too long. */
async function drained(app: FastifyInstance, timeoutMs: number): Promise<void> {
  const { server } = app
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), timeoutMs)
  // A connection becomes idle when its response ends, and nobody but us would close it then.
  const sweep = setInterval(() => server.closeIdleConnections(), 50)
  await closed
  clearTimeout(timer)
  clearInterval(sweep)
}

function counted(
  traffic: Traffic,
  groups: ReadonlyMap<Route, OriginGroup>,
): Pick<Stats, 'requests' | 'cuts' | 'bytes' | 'origin' | 'routes'> {
  const { requests, cuts, bytesToViewers } = traffic.total()
  const routes = [...groups].map(([route, group]) => ({ ...traffic.of(route), origins: group.states() }))
  const origins = routes.flatMap((route) => route.origins)
  return {
    requests,
    cuts,
    bytes: { toViewers: bytesToViewers, fromOrigin: sum(origins.map(({ bytes }) => bytes)), fromSiblings: 0 },
    origin: {
      requests: sum(origins.map((origin) => origin.requests)),
      errors: sum(origins.map(({ errors }) => errors)),
    },
    routes,
  }
}

function describeStream({ manifest, facts, readAt }: Stream, now: Instant): StreamStats {
  const targetDurationMs = 'targetDurationMs' in facts ? facts.targetDurationMs : undefined
  const windowMs = 'windowMs' in facts ? facts.windowMs : undefined
  return {
    manifest,
    protocol: facts.protocol,
    role: facts.role,
    live: 'live' in facts ? facts.live : null,
    targetDurationSeconds: targetDurationMs === undefined ? null : targetDurationMs / 1000,
    windowSeconds: windowMs === undefined ? null : windowMs / 1000,
    readSecondsAgo: Math.floor((now - readAt) / 1000),
  }
}

function preferredOf(
  groups: ReadonlyMap<Route, OriginGroup>,
  route: Route,
): { address: string; path: string } {
  const group = groups.get(route)
  if (group === undefined) throw new RelaisError('NO_ROUTE')
  return group.preferred
}

/** Unique in this process, and between restarts as far as a log goes. */
function countFrom(startedAt: Instant): () => string {
  const prefix = startedAt.toString(36)
  let count = 0
  return () => `${prefix}-${(count++).toString(36)}`
}

function connectionsOf(app: FastifyInstance): Promise<number> {
  return new Promise((resolve) => {
    app.server.getConnections((error, count) => resolve(error === null ? count : 0))
  })
}

function urlOf(app: FastifyInstance, host: string): string {
  const address = app.server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  const shown = host === '0.0.0.0' || host === '::' ? 'localhost' : isIPv6(host) ? `[${host}]` : host
  return `http://${shown}:${port}`
}

function cannotListen(config: Config, error: unknown): string {
  const { host, port } = config.listen
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const why =
    code === 'EADDRINUSE' ? 'the port is taken' : error instanceof Error ? error.message : String(error)
  return `cannot listen on ${host} port ${port}: ${why}`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
