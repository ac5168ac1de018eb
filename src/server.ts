/** Puts the house together: the only file that knows every room. */
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
import { CautiousPurges } from './server/cautious-purges.ts'
import { ClusterWing, type WingContext } from './server/cluster-wing.ts'
import { counted, countersOf } from './server/counts.ts'
import { listening, urlOf } from './server/listening.ts'
import { CopiesStore, SHARE_OF_COPIES } from './store/copies-store.ts'
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

export interface Relais {
  /** Where viewers are served. */
  readonly url: string
  /** Where siblings are served; undefined: this node is alone. */
  readonly peerUrl: string | undefined
  readStats(): Promise<Stats>
  /** Takes no new viewers, lets responses under way finish within the drain timeout, and lets go of everything. */
  close(): Promise<void>
}

export interface Surroundings {
  readonly clock: Clock
  readonly logger: FastifyBaseLogger
  readonly version: string
  /** Calls its work about each second until what it returns is called; a timer when absent. */
  readonly pulse?: ((work: () => void) => () => void) | undefined
  /** How busy the processor was since this was asked last, 0 to 1; measured when absent. */
  readonly utilization?: (() => number) | undefined
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
  const warn = warnOnce(logger)
  const nextRequestId = countFrom(startedAt)
  const traffic = new Traffic()
  const told: { cache?: Cache } = {}
  const cluster = await openCluster(config, {
    ...{ clock, logger, version, warn, nextRequestId, pulse: surroundings.pulse },
    utilization: surroundings.utilization,
    counters: () => countersOf(traffic, told.cache),
    purges: new CautiousPurges(node, clock, (at) => told.cache?.distrust(at)),
  })
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
    const alone = routeOf(options, group)
    groups.set(cluster?.joined(alone, options.resume) ?? alone, group)
  }
  const table = new RouteTable([...groups.keys()])
  const streams = new Streams()
  const audience = new Audience(streams, clock)
  const onTrouble: CacheContext['onTrouble'] = (what, error, target) => warn(what, error, { target })
  const addresses = new AddressBook(config.routes, {
    aliases: {
      ...cluster?.aliases,
      ...Object.fromEntries(config.addresses.aliases.map(({ url, path }) => [url, path])),
    },
    publicUrl: config.addresses.publicUrl ?? undefined,
    isReserved: (path) => OFFICE.test(path),
  })
  const { slices: slicing, prefetch: prefetching } = config
  const cache = new Cache({ store, streams, clock, node, slicing, prefetching, addresses, onTrouble })
  told.cache = cache
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
    nextRequestId,
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
    ...counted(traffic, groups, cluster?.bytes ?? 0),
    ...store.stats(),
    ...cache.underWay,
    prefetch: cache.prefetch.stats(),
    viewers: front === undefined ? 0 : await connectionsOf(front.app),
    cmcd: audience.cmcd(),
    streams: describeStreams(streams, audience, clock()),
    siblings: cluster?.stats() ?? [],
    peers: cluster?.doorStats() ?? null,
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
    await cluster?.open(cache)
    await listening(app, config.listen)
  } catch (error) {
    await Promise.all([store.close(), cluster?.close(), ...agents.map((one) => one.destroy())])
    throw error
  }
  isReady = true
  return {
    url: urlOf(app, config.listen.host),
    peerUrl: cluster?.url,
    readStats,
    async close() {
      isReady = false
      await cluster?.leave()
      await opened.drain()
      await app.close()
      await cluster?.close()
      await store.close()
      await Promise.all(agents.map((one) => one.destroy()))
    },
  }
}

/** Undefined: this node is alone. */
async function openCluster(
  config: Config,
  context: Omit<WingContext, 'config' | 'options'>,
): Promise<ClusterWing | undefined> {
  const options = config.cluster
  return options === undefined ? undefined : await ClusterWing.of({ ...context, config, options })
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
  const copies = config.cluster === undefined ? 0 : Math.floor(config.memory.maxBytes * SHARE_OF_COPIES)
  const own = await openOwnStore(config, config.memory.maxBytes - copies, logger)
  if (copies === 0) return own
  return new CopiesStore(own, memoryOf(config, copies))
}

function memoryOf({ memory }: Config, maxBytes: number): MemoryStore {
  const maxEntryBytes = Math.min(memory.maxEntryBytes, maxBytes)
  return new MemoryStore({ ...memory, maxBytes, maxEntryBytes }, spareBytes(maxBytes))
}

async function openOwnStore(config: Config, memoryBytes: number, logger: FastifyBaseLogger): Promise<Store> {
  const memory = memoryOf(config, memoryBytes)
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
