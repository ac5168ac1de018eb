/** Puts the cluster together: routes that lead to siblings first, the listener where these come in, and this node's place among them. */
import { join } from 'node:path'
import type { FastifyBaseLogger } from 'fastify'
import type { Cache } from '../cache/cache.ts'
import type { Purges } from '../cache/purges/purges.ts'
import type { Route } from '../cache/routes.ts'
import type { Config } from '../config.ts'
import { HeadLines } from '../http/head-lines.ts'
import { PeerDoor, type PeerDoorStats, type PeerRoute } from '../http/peer-door.ts'
import { openPeerFront } from '../http/peer-front.ts'
import { Sender } from '../http/send.ts'
import type { Account } from '../http/visit.ts'
import type { SiblingStats } from '../ops/stats.ts'
import { issuerOf, type PurgeRule } from '../purge/purge-rule.ts'
import type { Clock } from '../rfc/heads.ts'
import { Cluster } from '../siblings/cluster.ts'
import { Directory } from '../siblings/directory.ts'
import type { LoadCounters } from '../siblings/load-meter.ts'
import { type Neighbourly, Neighbours } from '../siblings/neighbours.ts'
import type { ClusterOptions } from '../siblings/options.ts'
import { HERE } from '../siblings/peer-answer.ts'
import { PeerLines } from '../siblings/peer-lines.ts'
import { routeIdOf } from '../siblings/peer-message.ts'
import { PurgeBook, type PurgeTarget } from '../siblings/purge-book.ts'
import type { Positions } from '../siblings/purge-log.ts'
import { Sights } from '../siblings/sights.ts'
import { Wires } from '../siblings/wire/wire.ts'
import type { ResumePolicy } from '../upstream/continuation.ts'
import { listening, portOf, urlOf } from './listening.ts'

/** The next one is near, or it is not there. */
const CONNECT_MS = 250
const CONNECTIONS = 256
/** Who is behind so many would wait for longer than a sibling may be silent. */
const QUEUE = 1024
/** Less than siblings keep a connection that is not used. */
const KEEP_ALIVE_MS = 30_000
/** What an owner may need beyond what its own patience with the origin says. */
const MARGIN_MS = 1_000

export interface WingContext {
  readonly config: Config
  readonly options: ClusterOptions
  readonly clock: Clock
  readonly logger: FastifyBaseLogger
  readonly version: string
  readonly warn: (what: string, error: unknown, about: Readonly<Record<string, string>>) => void
  readonly nextRequestId: () => string
  readonly counters: () => LoadCounters
  /** Calls its work about each second; a timer when absent. */
  readonly pulse?: ((work: () => void) => () => void) | undefined
  /** How busy the processor was since this was asked last, 0 to 1; measured when absent. */
  readonly utilization?: (() => number) | undefined
}

/** The internal listener, when it is open. */
interface Open {
  readonly url: string
  readonly door: PeerDoor
  close(): Promise<void>
}

export class ClusterWing {
  /** This life of this node: it gives out purges under this name. */
  readonly issuer: string
  readonly #context: WingContext
  readonly #book: PurgeBook
  readonly #cluster: Cluster
  readonly #directory: Directory
  readonly #ground: Neighbourly
  readonly #wires: Wires
  readonly #routes = new Map<string, PeerRoute>()
  #purges: Purges | undefined
  #open: Open | undefined

  /** Asks nobody anything before it is opened. */
  constructor(context: WingContext) {
    const { config, options, clock, logger, version, warn, counters, pulse, utilization } = context
    const { node, upstream } = config
    this.#context = context
    this.issuer = issuerOf(node)
    const { path } = config.disk
    const book = new PurgeBook({
      issuer: this.issuer,
      // What is stored in memory alone needs no memory of purges.
      path: path === null ? undefined : join(path, 'purges.log'),
      clock,
      target: this.#target(),
      onTrouble: (what, error) => warn(what, error, {}),
    })
    this.#book = book
    this.#cluster = new Cluster({
      ...{ node, options, clock, book, counters, release: version, log: logger },
      ...(pulse === undefined ? {} : { pulse }),
      ...(utilization === undefined ? {} : { utilization }),
    })
    const { auth, roster, parentZone } = this.#cluster
    this.#wires = new Wires({
      ...{ connectMs: CONNECT_MS, idleMs: KEEP_ALIVE_MS, bodyMs: upstream.idleTimeout, queue: QUEUE },
    })
    this.#directory = new Directory({
      ...{ wires: this.#wires, auth, roster, clock },
      ...{ connections: CONNECTIONS, heldConnections: upstream.heldConnections },
      patienceMs: upstream.headTimeout + upstream.queueTimeout + MARGIN_MS,
      lackedBy: (id) => this.#lackedBy(id),
      onTrouble: (what, error, sibling) => warn(what, error, { sibling }),
    })
    this.#ground = {
      ...{ roster, parentZone, clock },
      siblingOf: (member) => this.#directory.siblingOf(member),
      sights: new Sights(clock),
      hedges: this.#directory.hedges,
      resumeTimeoutMs: upstream.resumeTimeout,
    }
  }

  /** The route of viewers, which asks siblings before the origin; what siblings ask on it goes to the origin. */
  joined(route: Route, resume: ResumePolicy): Route {
    const routeId = routeIdOf(route)
    const { prefix, source } = route
    const neighbours = (depth: 0 | 1 | 2): Neighbours =>
      new Neighbours(source, { routeId, prefix, resume, depth }, this.#ground)
    const home = { ...route, source: neighbours(0) }
    this.#routes.set(routeId, {
      forZone: { ...route, source: neighbours(1), home, mostHops: 1 },
      forBelow: { ...route, source: neighbours(2), home, mostHops: 0 },
    })
    return home
  }

  /** What siblings call our addresses in manifests that they hand out: prefixes of routes by what stands for them. */
  get aliases(): Record<string, string> {
    const { config, options } = this.#context
    const hosts = options.siblings.flatMap(({ publicUrl }) => publicUrl ?? [])
    const all = [HERE, ...hosts].map((host) => new URL(host).origin)
    return Object.fromEntries(
      all.flatMap((host) => config.routes.map(({ prefix }) => [host + prefix, prefix])),
    )
  }

  /**
   * Has the purges in force that are remembered, opens the internal listener, and takes this node's place among the
   * siblings. Rejects with one clear sentence when the port or the file of purges cannot be had.
   */
  async open(cache: Cache): Promise<void> {
    this.#purges = cache.purges
    cache.purges.onPurge((rule) => void this.#book.record(rule))
    await this.#book.load()
    const { config, options, clock, logger, warn, nextRequestId } = this.#context
    const { node, log, http } = config
    const { auth, roster, desk } = this.#cluster
    const lines = new PeerLines(clock)
    const onAccount = (account: Account & { readonly peer: string }): void =>
      logger.info(account, 'request of a sibling')
    const door = new PeerDoor({
      ...{ node, cache, auth, roster, clock, nextRequestId, purges: this.#book },
      routes: this.#routes,
      sender: new Sender(new HeadLines(node, (head, now) => lines.of(head, now)), node),
      maxUnderWay: options.maxRequests,
      onAccount: log.access ? onAccount : undefined,
      onTrouble: warn,
    })
    const front = openPeerFront(door, logger, desk)
    const close = async (): Promise<void> => {
      await front.drain(http.drainTimeout)
      await front.app.close()
    }
    await listening(front.app, options.listen)
    this.#open = { url: urlOf(front.app, options.listen.host), door, close }
    await this.#cluster.begin(portOf(front.app))
  }

  get url(): string | undefined {
    return this.#open?.url
  }

  /** Bytes of bodies that came from siblings. */
  get bytes(): number {
    return this.#directory.bytes
  }

  /** Each sibling, and what it was asked. */
  stats(): readonly SiblingStats[] {
    return this.#cluster.stats().map((one) => ({ ...one, ...this.#directory.countsOf(one.id) }))
  }

  /** What siblings asked here; undefined: the listener is not open yet. */
  doorStats(): PeerDoorStats | undefined {
    return this.#open?.door.stats()
  }

  /** The ids of the live siblings that have not said within this time that this purge is in force there, in order. */
  async laggards(purge: Pick<PurgeRule, 'by' | 'sequence'>, ms: number): Promise<readonly string[]> {
    return (await this.#cluster.waitForAll(purge, ms)).toSorted()
  }

  /** Says that this node leaves; when that is known it is asked for nothing new. */
  leave(): Promise<void> {
    return this.#open === undefined ? Promise.resolve() : this.#cluster.leave()
  }

  async close(): Promise<void> {
    await this.#cluster.close()
    await this.#open?.close()
    this.#wires.close()
    await this.#book.close()
  }

  /** Its own are in force here before they are in the book, when they are noted. */
  #lackedBy(id: string): Positions {
    const own = this.#purges?.sequenceOf(this.issuer) ?? 0
    const lacked = this.#cluster.lackedBy(id)
    const told = this.#cluster.positionsOf(id)?.[this.issuer] ?? 0
    return own > told ? { ...lacked, [this.issuer]: own } : lacked
  }

  #target(): PurgeTarget {
    const told = (purged: Promise<unknown> | undefined): void => {
      purged?.catch((error: unknown) => this.#context.warn('a purge of a sibling failed', error, {}))
    }
    return {
      positions: () => this.#purges?.positions() ?? {},
      apply: (rule) => told(this.#purges?.apply(rule)),
      skipTo: (issuer, sequence) => told(this.#purges?.skipTo(issuer, sequence)),
      distrust: () => told(this.#purges?.distrust()),
    }
  }
}
