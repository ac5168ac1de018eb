/** This node among its siblings: who is there, who fills what, and which purges are in force everywhere. */
import { randomUUID } from 'node:crypto'
import type { PurgeRule } from '../purge/purge-rule.ts'
import type { Clock, Instant } from '../rfc/heads.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { everySecond } from './beat.ts'
import { Blindness } from './blindness.ts'
import type { Carrier, CarrierEvents, Whereabouts } from './carrier.ts'
import { tellComings } from './comings.ts'
import { LiveRoster } from './live-roster.ts'
import { type LoadCounters, LoadMeter } from './load-meter.ts'
import { NewsDesk } from './news-desk.ts'
import { openCarrier } from './open-carrier.ts'
import type { ClusterOptions } from './options.ts'
import { PassportControl } from './passport.ts'
import { faultOf, PeerAuth } from './peer-auth.ts'
import type { PurgeBook } from './purge-book.ts'
import type { Positions } from './purge-log.ts'
import type { Roster } from './roster.ts'
import { loadOf, type SiblingState } from './sibling-state.ts'
import { describeSiblings, type SiblingStats } from './sibling-stats.ts'
import { Strangers } from './strangers.ts'
import { Troubles } from './troubles.ts'
import { DnsWhereabouts, expectedOf, type Records, selfOf, systemRecords } from './whereabouts.ts'

/** Beyond it each node asking each other one is much talk, and NATS does better. */
const MANY_WITHOUT_ENGINE = 8
/** Beyond it the ranking is worth another way of finding the owner. */
const MANY = 64

export interface ClusterLog {
  info(about: object, line: string): void
  warn(about: object, line: string): void
}

export interface ClusterContext {
  readonly node: string
  readonly options: ClusterOptions
  readonly release: string
  readonly clock: Clock
  readonly log: ClusterLog
  /** What was purged. What this node gives out is to be recorded there. */
  readonly book: PurgeBook
  readonly counters: () => LoadCounters
  /** The machine's own when absent. */
  readonly records?: Records
  /** How busy the processor was since this was asked last, 0 to 1; measured when absent. */
  readonly utilization?: () => number
  /** Calls `work` about each second until what it returns is called; a timer when absent. */
  readonly pulse?: (work: () => void) => () => void
}

export class Cluster {
  readonly auth: PeerAuth
  readonly desk: NewsDesk
  readonly parentZone: string | undefined
  readonly #context: ClusterContext
  readonly #roster: LiveRoster
  readonly #passports: PassportControl
  readonly #acknowledgements: Acknowledgements
  readonly #meter: LoadMeter
  readonly #troubles: Troubles
  readonly #dns: DnsWhereabouts | undefined
  readonly #blindness: Blindness
  readonly #instance = randomUUID()
  #carrier: Carrier | undefined
  #stops: readonly (() => void)[] = []

  constructor(context: ClusterContext) {
    const { node, options, clock, log, book, counters } = context
    this.#context = context
    this.parentZone = options.parentZone ?? undefined
    this.auth = new PeerAuth(options, clock)
    this.#troubles = new Troubles(clock, (error, what) =>
      log.warn(error === undefined ? {} : { err: error }, what),
    )
    this.#roster = new LiveRoster(
      selfOf(node, options, options.listen.port),
      expectedOf(node, options),
      clock,
    )
    this.#meter = new LoadMeter(counters, (options.capacity * 1e6) / 8, context.utilization)
    this.#passports = new PassportControl({
      id: node,
      instance: this.#instance,
      cluster: options.name,
      onRefused: this.#troubles.say,
    })
    this.#blindness = new Blindness(options.nats?.maxBlind ?? 0, () => {
      this.#troubles.say('nothing is heard for long: what is stored is validated before it is used')
      book.distrust()
    })
    this.#acknowledgements = new Acknowledgements(() => this.#positionsOfLive())
    const strangers = new Strangers()
    const nameOf = (peer: string | undefined): string =>
      peer !== undefined && this.#roster.knownOf(peer) !== undefined ? peer : strangers.nameOf(peer)
    this.desk = new NewsDesk({
      node,
      auth: this.auth,
      book,
      own: () => this.#own(),
      onState: (message, peer) => this.#told(message, peer),
      onRefused: (peer, reason) =>
        this.#troubles.say(
          `a message that says it is from ${nameOf(peer)} is refused: it is ${faultOf(reason)}`,
        ),
      onNamesake: () =>
        this.#troubles.say(
          `another node that asks here is called ${node} as this one is: each needs a name of its own`,
        ),
    })
    const { records = systemRecords() } = context
    const onTrouble = this.#troubles.say
    this.#dns =
      options.dns === undefined ? undefined : new DnsWhereabouts(options.dns, { records, clock, onTrouble })
  }

  get roster(): Roster {
    return this.#roster
  }

  /**
   * Catches up with the purges of those who are there, and takes its place among them. To be awaited before viewers are
   * served, with the internal listener open on this port. Never rejects, and takes half a minute at most.
   */
  async begin(port: number): Promise<void> {
    const { options, log, node, book } = this.#context
    this.#roster.describe(selfOf(node, options, port))
    await this.#dns?.refresh()
    const carrier = openCarrier({
      options,
      node,
      auth: this.auth,
      book,
      events: this.#events(),
      whereabouts: () => this.#whereabouts(),
    })
    this.#carrier = carrier
    const isAnyoneThere = await carrier.open()
    this.#roster.declare('active')
    log.info({ siblings: this.#ids(), isAnyoneThere, digest: this.#roster.digest() }, 'in the cluster')
    carrier.publishState()
    const { pulse = everySecond } = this.#context
    const told = tellComings(this.#roster, log)
    this.#stops = [pulse(() => this.tick()), book.onNews(() => carrier.appendPurges()), told]
  }

  /** The ids of the live nodes that did not say within this time that this purge is in force there; empty: it is everywhere. */
  waitForAll(purge: Pick<PurgeRule, 'by' | 'sequence'>, ms: number): Promise<readonly string[]> {
    return this.#acknowledgements.waitFor(purge, ms)
  }

  /** How far the purges of each issuer are in force at a sibling, as it says; undefined: it was not heard yet. */
  positionsOf(id: string): Positions | undefined {
    return this.#carrier?.positionsOf(id) ?? this.#roster.saidBy(id)?.purges
  }

  /** What of the purges known here this sibling has not in force, as far as it said. */
  lackedBy(id: string): Positions {
    return this.#context.book.lackedAt(this.positionsOf(id) ?? {})
  }

  stats(): readonly SiblingStats[] {
    const { book, clock } = this.#context
    return describeSiblings(this.#roster, book.positions, (id) => this.positionsOf(id), clock())
  }

  /** What siblings are told of how this node travels, and messages that were not believed. */
  health(): {
    readonly carrier: Carrier['health'] | undefined
    readonly refused: number
    readonly blindSince: Instant | undefined
  } {
    return {
      carrier: this.#carrier?.health,
      refused: this.#passports.refused,
      blindSince: this.#blindness.since,
    }
  }

  /** Once a second. */
  tick(): void {
    const now = this.#context.clock()
    this.#meter.measure(now)
    // While nothing can be heard, silence says nothing: the roster stays as it is.
    if (this.#carrier?.health.isConnected !== false) this.#roster.look(loadOf(this.#meter.figures))
    this.#context.book.tick()
    void this.#dns?.refresh()
    this.#carrier?.publishState()
    this.#blindness.look(this.#carrier?.health.isConnected !== false, now)
    this.#acknowledgements.look()
    this.#warn()
  }

  /** Says that it leaves, and answers when the others know, or after half a second: they ask it for nothing new then. */
  async leave(): Promise<void> {
    this.#roster.declare('draining')
    await this.#carrier?.announce()
  }

  /** Resolves when no news is under way. */
  async settled(): Promise<void> {
    await this.#carrier?.settled()
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop()
    this.#roster.declare('gone')
    this.#carrier?.publishState()
    await this.#carrier?.close()
  }

  #own(): SiblingState {
    const { options, release, book } = this.#context
    const { id, url, publicUrl, zone, weight, state } = this.#roster.self
    return {
      id,
      instance: this.#instance,
      cluster: options.name,
      release,
      url,
      publicUrl,
      zone,
      weight,
      // It declares nothing else.
      state: state === 'suspect' ? 'joining' : state,
      isBeginning: this.#roster.isBeginning && this.#context.counters().misses === 0,
      digest: this.#roster.digest(),
      purges: book.positions,
      figures: this.#meter.figures,
    }
  }

  #events(): CarrierEvents {
    return {
      own: () => this.#own(),
      heard: (message, from) => this.#heard(message, from),
      onPositions: () => this.#acknowledgements.look(),
      onTrouble: this.#troubles.say,
      onInfo: (what, about) => this.#context.log.info(about, what),
    }
  }

  #heard(message: unknown, from: Whereabouts | undefined): SiblingState | 'self' | 'refused' {
    const state = this.#passports.read(message, from, this.#context.clock())
    if (typeof state === 'string') return state
    if (!this.#roster.hear(from === undefined ? state : { ...state, url: from.url })) {
      this.#troubles.say(`${state.id} is not heard: there are as many siblings as can be`)
      return 'refused'
    }
    this.#acknowledgements.look()
    return state
  }

  /** Of a sibling that is known already, and where: who is not is asked first. */
  #told(message: unknown, peer: string): boolean {
    const known = this.#roster.knownOf(peer)
    if (known?.said === undefined) return false
    return typeof this.#heard(message, { id: peer, url: known.member.url }) !== 'string'
  }

  #whereabouts(): readonly Whereabouts[] {
    return this.#dns?.list ?? expectedOf(this.#context.node, this.#context.options)
  }

  #positionsOfLive(): ReadonlyMap<string, Readonly<Record<string, number>>> {
    const live = this.#roster.known().filter(({ sight }) => sight.state !== 'gone')
    return new Map(live.map(({ member }) => [member.id, this.positionsOf(member.id) ?? {}]))
  }

  #ids(): readonly string[] {
    return this.#roster.known().map(({ member }) => member.id)
  }

  #warn(): void {
    const count = this.#roster.members().filter(({ state }) => state !== 'gone').length
    if (count > MANY)
      this.#troubles.say(`${count} nodes are more than ${MANY}: owners are found by looking at each`)
    if (count > MANY_WITHOUT_ENGINE && this.#context.options.nats === undefined)
      this.#troubles.say(
        `${count} nodes ask each other each second: above ${MANY_WITHOUT_ENGINE}, use cluster.nats`,
      )
  }
}
