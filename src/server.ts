/** Puts the house together: the only file that knows every room. */
import { isIPv6 } from 'node:net'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { Audience } from './cache/audience/audience.ts'
import { Cache } from './cache/cache.ts'
import { OpenToPages } from './cache/cross-origin.ts'
import type { CacheContext } from './cache/journey.ts'
import type { RouteOptions } from './cache/options.ts'
import { type Route, RouteTable } from './cache/routes.ts'
import { Streams } from './cache/streams.ts'
import type { Config } from './config.ts'
import { RelaisError } from './errors.ts'
import { Door, OFFICE } from './http/door.ts'
import { openEventDesk } from './http/event-desk.ts'
import { type Destination, Forwarder } from './http/forwarder.ts'
import { type Front, openFront } from './http/front.ts'
import { HeadLines } from './http/head-lines.ts'
import { Sender } from './http/send.ts'
import { Traffic } from './http/traffic.ts'
import { AddressBook } from './media/addresses/address-book.ts'
import { Access } from './ops/access.ts'
import { openOffice } from './ops/office.ts'
import { ProcessMeter } from './ops/process-stats.ts'
import type { Stats } from './ops/stats.ts'
import { describeStream } from './ops/stream-stats.ts'
import type { Clock, Instant } from './rfc/heads.ts'
import { DiskStore } from './store/disk/disk-store.ts'
import { MemoryStore, spareBytes } from './store/memory-store.ts'
import type { Store } from './store/store.ts'
import { TieredStore } from './store/tiered-store.ts'
import { openAgent } from './upstream/agent.ts'
import { Budget } from './upstream/budget.ts'
import type { UpstreamOptions } from './upstream/options.ts'
import { Origin } from './upstream/origin.ts'
import { OriginGroup } from './upstream/origin-group.ts'
import { upstreamError } from './upstream/upstream-error.ts'

/** Connections that wait to be accepted: when a stream begins a city connects at once. The system has a bound of its own. */
const BACKLOG = 4096

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
  // Three pools: neither what viewers send at their own pace nor what origins hold may take the connections of fills.
  const agent = openAgent(config.upstream)
  const floorAgent = openAgent(config.upstream)
  const { heldConnections } = config.upstream
  const heldAgent = openAgent({ ...config.upstream, connections: heldConnections })
  const budgets = new Map<string, Budget>()
  const agents = [agent, floorAgent, heldAgent]
  const heldBudgets = new Map<string, Budget>()
  const groups = new Map<Route, OriginGroup>()
  for (const options of config.routes) {
    const origins = options.origins.map((url) => {
      const { origin } = new URL(url)
      const heldOptions = { ...config.upstream, connections: heldConnections }
      return new Origin(url, {
        dispatcher: agent,
        budget: budgetOf(budgets, origin, config.upstream),
        held: { dispatcher: heldAgent, budget: budgetOf(heldBudgets, origin, heldOptions) },
        headTimeoutMs: config.upstream.headTimeout,
        clock,
      })
    })
    const { penalty, resumeTimeout } = config.upstream
    const policy = { penaltyMs: penalty, resume: options.resume, resumeTimeoutMs: resumeTimeout }
    const group = new OriginGroup(origins, policy, clock)
    groups.set(routeOf(options, group), group)
  }
  const table = new RouteTable([...groups.keys()])
  const streams = new Streams()
  const audience = new Audience(streams, clock)
  const traffic = new Traffic()
  const warn = warnOnce(logger)
  const onTrouble: CacheContext['onTrouble'] = (what, error, target) => warn(what, error, { target })
  const addresses = new AddressBook(config.routes, {
    aliases: Object.fromEntries(config.addresses.aliases.map(({ url, path }) => [url, path])),
    publicUrl: config.addresses.publicUrl ?? undefined,
    isReserved: (path) => OFFICE.test(path),
  })
  const { slices: slicing, prefetch: prefetching } = config
  const cache = new Cache({ store, streams, clock, node, slicing, prefetching, addresses, onTrouble })
  const destinationOf = (route: Route): Destination => preferredOf(groups, route)
  const forwarder = new Forwarder({
    node,
    clock,
    destinationOf,
    onWritten: (route, target, answer) => void cache.written([...groups.keys()], route, target, answer),
    failure: upstreamError,
  })
  let front: Front | undefined
  const isUnderDuress = (): boolean => front?.isUnderDuress() ?? false
  const door = new Door({
    cache,
    routes: table,
    sender: new Sender(new HeadLines(node), node, config.cmsd ? { isUnderDuress } : undefined),
    forwarder,
    traffic,
    audience,
    clock,
    nextRequestId: countFrom(startedAt),
    onAccount: config.log.access ? (account) => logger.info(account, 'request') : undefined,
    onTrouble: (error, requestId) => warn('an answer failed', error, { requestId }),
  })
  let isReady = false
  const meter = new ProcessMeter()
  const readStats = async (): Promise<Stats> => ({
    node,
    version,
    uptimeSeconds: Math.floor((clock() - startedAt) / 1000),
    process: meter.read(),
    ...counted(traffic, groups),
    ...store.stats(),
    ...cache.underWay,
    prefetch: cache.prefetch.stats(),
    viewers: front === undefined ? 0 : await connectionsOf(front.app),
    cmcd: audience.cmcd(),
    streams: describeStreams(streams, audience, clock()),
    siblings: [],
  })
  const floor = { door, routes: [...groups.keys()], node, destinationOf, pool: floorAgent }
  const { events } = config.cmcd
  const opened = await openFront(floor, config.http, logger, (office) => {
    openOffice(office, { access: new Access(config.ops), readStats, isReady: () => isReady })
    if (events !== null) openEventDesk(office, events, { node, sessions: audience.sessions, clock })
  })
  front = opened
  const { app } = opened
  try {
    await app.listen({ ...config.listen, backlog: BACKLOG })
  } catch (error) {
    await Promise.all([store.close(), ...agents.map((one) => one.destroy())])
    throw new Error(cannotListen(config, error), { cause: error })
  }
  isReady = true
  return {
    url: urlOf(app, config.listen.host),
    readStats,
    async close() {
      isReady = false
      await opened.drain()
      await app.close()
      await store.close()
      await Promise.all(agents.map((one) => one.destroy()))
    },
  }
}

/** A failed fill is the same error to all who waited for it, and is one line of the log. */
function warnOnce(
  logger: FastifyBaseLogger,
): (what: string, error: unknown, about: Readonly<Record<string, string>>) => void {
  const told = new WeakSet<object>()
  return (what, error, about) => {
    if (typeof error === 'object' && error !== null) {
      if (told.has(error)) return
      told.add(error)
    }
    logger.warn({ err: error, ...about }, what)
  }
}

async function openStore(config: Config, logger: FastifyBaseLogger): Promise<Store> {
  const memory = new MemoryStore(config.memory, spareBytes(config.memory.maxBytes))
  const { path, maxBytes, maxEntryBytes } = config.disk
  if (path === null) return memory
  const disk = await DiskStore.open({
    path,
    maxBytes,
    maxEntryBytes,
    log: (event) => logger[event.kind === 'reconciled' ? 'info' : 'warn']({ disk: path, ...event }, 'disk'),
  })
  return new TieredStore({ memory, disk })
}

function routeOf(options: RouteOptions, group: OriginGroup): Route {
  const { prefix, cookies, cors, requestDirectives, ignoreQuery } = options
  const [base = ''] = options.origins
  const source = cors === 'edge' ? new OpenToPages(group) : group
  return { prefix, base, cookies, cors, requestDirectives, ignoreQuery: new Set(ignoreQuery), source }
}

/** One for each host and port, however many routes lead there. */
function budgetOf(budgets: Map<string, Budget>, origin: string, options: UpstreamOptions): Budget {
  const { connections, queue, queueTimeout } = options
  const budget = budgets.get(origin) ?? new Budget({ connections, queue, queueTimeoutMs: queueTimeout })
  budgets.set(origin, budget)
  return budget
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

function describeStreams(streams: Streams, audience: Audience, now: Instant): Stats['streams'] {
  const counted = audience.read(now)
  return streams.list().map((stream) => describeStream(stream, counted.get(stream.manifest), now))
}

function preferredOf(groups: ReadonlyMap<Route, OriginGroup>, route: Route): Destination {
  const group = groups.get(route)
  if (group === undefined) throw new RelaisError('NO_ROUTE')
  const { address, name, path } = group.preferred
  return { address, host: name, path }
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
