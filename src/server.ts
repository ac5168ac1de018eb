/** Puts the house together: the only file that knows every room. */
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import { Audience } from './cache/audience/audience.ts'
import { Cache } from './cache/cache.ts'
import { ManifestReader } from './cache/reading/manifest-reader.ts'
import { RouteTable } from './cache/routes.ts'
import { Streams } from './cache/streams.ts'
import type { Config } from './config.ts'
import { Door, OFFICE } from './http/door.ts'
import { openEventDesk } from './http/event-desk.ts'
import { Forwarder } from './http/forwarder.ts'
import { type Front, openFront } from './http/front.ts'
import { HeadLines } from './http/head-lines.ts'
import { isSafeTarget } from './http/request-head.ts'
import { Sender } from './http/send.ts'
import { Traffic } from './http/traffic.ts'
import { AddressBook } from './media/addresses/address-book.ts'
import { Access } from './ops/access.ts'
import { mayLookIn, type OfficeHooks, openOffice } from './ops/office.ts'
import { openPrefetchDesk } from './ops/prefetch-desk.ts'
import { ProcessMeter } from './ops/process-stats.ts'
import { openPurgeDesk, purgeTarget } from './ops/purge-desk.ts'
import type { Stats } from './ops/stats.ts'
import type { Clock, Instant } from './rfc/heads.ts'
import { ClusterWing, type WingContext } from './server/cluster-wing.ts'
import { counted, countersOf, describeStreams } from './server/counts.ts'
import { listening, urlOf } from './server/listening.ts'
import { openRoads } from './server/roads.ts'
import { openStore } from './store/open-store.ts'
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
  const { store, notes } = await openStore({ ...config, hasCopies: config.cluster !== undefined }, (event) =>
    logger[event.kind === 'reconciled' ? 'info' : 'warn']({ disk: config.disk.path, ...event }, 'disk'),
  )
  const warn = warnOnce(logger)
  const nextRequestId = countFrom(startedAt)
  const traffic = new Traffic()
  const told: { cache?: Cache } = {}
  const cluster = openCluster(config, {
    ...{ clock, logger, version, warn, nextRequestId, pulse: surroundings.pulse },
    utilization: surroundings.utilization,
    counters: () => countersOf(traffic, told.cache),
  })
  const roads = openRoads(config, clock, (route, resume) => cluster?.joined(route, resume) ?? route)
  const { routes, destinationOf } = roads
  const table = new RouteTable(routes)
  const streams = new Streams()
  const audience = new Audience(streams, clock)
  const addresses = addressesOf(config, cluster?.aliases)
  const manifests = new ManifestReader(addresses)
  const { slices: slicing, prefetch: prefetching } = config
  const cache = new Cache({
    ...{
      store,
      notes,
      streams,
      clock,
      node,
      issuer: cluster?.issuer,
      routes,
      slicing,
      prefetching,
      addresses,
      manifests,
    },
    routeOf: (target) => (OFFICE.test(target) || !isSafeTarget(target) ? undefined : table.match(target)),
    tallyOf: (target) => audience.tallyOf(target),
    onTrouble: (what, error, target) => warn(what, error, { target }),
  })
  told.cache = cache
  audience.sessions.onNext((request, next) => cache.prefetch.hint(request, next))
  const forwarder = new Forwarder({
    node,
    clock,
    destinationOf,
    onWritten: (route, target, answer) => void cache.written(route, target, answer),
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
    ...counted(traffic, roads.groups, cluster?.bytes ?? 0),
    ...store.stats(),
    ...cache.underWay,
    prefetch: cache.prefetch.stats(),
    jobs: cache.jobs.stats(),
    purges: cache.purges.stats(),
    viewers: front === undefined ? 0 : await connectionsOf(front.app),
    cmcd: audience.cmcd(),
    streams: describeStreams(streams, audience, clock()),
    siblings: cluster?.stats() ?? [],
    peers: cluster?.doorStats() ?? null,
  })
  const access = new Access(config.ops)
  const laggards = cluster?.laggards.bind(cluster)
  const orders = { purges: cache.purges, jobs: cache.jobs, routes, addresses, laggards }
  const floor = {
    ...{ door, routes, node, destinationOf, pool: roads.floorAgent },
    onPurge: (request: FastifyRequest, target: string) =>
      mayLookIn(access, request) ? purgeTarget(request, target, orders) : undefined,
  }
  const { events } = config.cmcd
  const opened = await openFront(floor, config.http, logger, (office) => {
    openOffice(office, {
      ...{ access, readStats, isReady: () => isReady },
      desks: [openPurgeDesk, openPrefetchDesk].map(
        (open) => (desks: FastifyInstance, hooks: OfficeHooks) => open(desks, hooks, orders),
      ),
    })
    if (events !== null) openEventDesk(office, events, { node, sessions: audience.sessions, clock })
  })
  front = opened
  const { app } = opened
  const letGo = async (): Promise<void> => {
    // The notes first: a purge that is being noted is about what lies in store.
    await notes.close()
    await Promise.all([store.close(), manifests.close()])
    await roads.close()
  }
  try {
    await cluster?.open(cache)
    await listening(app, config.listen)
  } catch (error) {
    await cluster?.close()
    await letGo()
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
      cache.jobs.close()
      await opened.drain()
      await app.close()
      await cluster?.close()
      await letGo()
    },
  }
}

function addressesOf(
  { routes, addresses }: Config,
  ofSiblings: Readonly<Record<string, string>> = {},
): AddressBook {
  const own = Object.fromEntries(addresses.aliases.map(({ url, path }) => [url, path]))
  return new AddressBook(routes, {
    aliases: { ...ofSiblings, ...own },
    publicUrl: addresses.publicUrl ?? undefined,
    reserved: OFFICE,
    attributes: addresses.attributes,
  })
}

/** Undefined: this node is alone. */
function openCluster(
  config: Config,
  context: Omit<WingContext, 'config' | 'options'>,
): ClusterWing | undefined {
  const options = config.cluster
  return options === undefined ? undefined : new ClusterWing({ ...context, config, options })
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
