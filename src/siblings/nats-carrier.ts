/** News by NATS: states on one subject, purges in one stream. While no server is there, all stays as it was. */

import { setTimeout as pause } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import { AppliedNewsDesk } from './applied-news.ts'
import { within } from './beat.ts'
import { ANNOUNCE_MS, type Carrier, type CarrierEvents, type CarrierHealth } from './carrier.ts'
import { problemOf } from './nats-fitness.ts'
import { NatsLetters } from './nats-letters.ts'
import { NatsLog } from './nats-log.ts'
import type { NatsOptions } from './options.ts'
import type { PeerAuth } from './peer-auth.ts'
import type { PurgeBook } from './purge-book.ts'
import type { Positions } from './purge-log.ts'
import { writeState } from './sibling-state.ts'

const CONNECT_TIMEOUT_MS = 2_000
/** A server that hangs is let go of after two of these. */
const PING_EVERY_MS = 5_000
const RECONNECT_EVERY_MS = 1_000
/** A node that begins waits no longer for what it missed than that; what comes later still comes. */
const CATCH_UP_MS = 30_000
const LOOK_AGAIN_MS = 20
/** In which siblings say who they are when somebody new asks. */
const ANSWERS_MS = 200
/** Of beats: how often the stream is looked at. */
const BEATS_A_LOOK = 3
/** A server that does not hand this node its own words for so many beats, and so long, hands it nobody else's. */
const DEAF_AFTER_BEATS = 3
const DEAF_AFTER_MS = 2_500

export interface NatsCarrierContext {
  readonly options: NatsOptions
  readonly cluster: string
  readonly node: string
  readonly auth: PeerAuth
  readonly book: PurgeBook
  readonly events: CarrierEvents
}

export class NatsCarrier implements Carrier {
  readonly #context: NatsCarrierContext
  readonly #subject: string
  /** What is told between states. */
  readonly #appliedSubject: string
  readonly #letters: NatsLetters
  readonly #applied: AppliedNewsDesk
  readonly #running = new Set<Promise<unknown>>()
  #connection: NatsConnection | undefined
  #log: NatsLog | undefined
  #isConnected = false
  #isConnecting = false
  #isLooking = false
  #isClosed = false
  /** Beats since this node heard itself last, and when that was. */
  #unheard = 0
  #heardAt = 0
  #garbage = 0
  #beats = 0

  constructor(context: NatsCarrierContext) {
    this.#context = context
    const { node, auth, book, events } = context
    const word = context.cluster.replaceAll('.', '_')
    this.#subject = `relais.${word}.state`
    this.#appliedSubject = `relais.${word}.applied`
    this.#letters = new NatsLetters({ node, auth, onRefused: (line) => events.onTrouble(line, undefined) })
    this.#applied = new AppliedNewsDesk({
      issuer: book.issuer,
      positions: () => book.positions,
      tell: (positions) => {
        const { instance } = events.own()
        this.#publish(this.#appliedSubject, { instance, positions })
      },
    })
  }

  get health(): CarrierHealth {
    return {
      kind: 'nats',
      isConnected: this.#isConnected && this.#log !== undefined && !this.#isDeaf,
      garbage: this.#garbage + this.#letters.garbage,
      purgeLag: this.#log?.lag ?? 0,
    }
  }

  async open(): Promise<boolean> {
    await this.#connect()
    // Those who are there answer meanwhile.
    await pause(ANSWERS_MS)
    const deadline = performance.now() + CATCH_UP_MS
    while (this.#log?.isRead === false && performance.now() < deadline && !this.#isClosed)
      await pause(LOOK_AGAIN_MS)
    return this.#log !== undefined
  }

  publishState(): void {
    this.#unheard++
    this.#tell()
    if (this.#connection === undefined) this.#run(this.#connect())
    else if (this.#isConnected && ++this.#beats % BEATS_A_LOOK === 0) this.#run(this.#look())
    this.appendPurges()
  }

  async announce(): Promise<void> {
    this.#tell()
    const connection = this.#isConnected ? this.#connection : undefined
    // When the server answers it has handed it on.
    if (connection !== undefined) await within(ANNOUNCE_MS, connection.flush())
  }

  appendPurges(): void {
    const log = this.#log
    if (log === undefined || !this.#isConnected) return
    this.#run(log.write().catch((error: unknown) => this.#trouble('NATS takes no purges', error)))
  }

  positionsOf(id: string): Positions | undefined {
    return this.#applied.of(id)
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#applied.close()
    await this.#letGo()
    await this.settled()
  }

  /** A server may hang, or the line to it be cut, long before the connection is lost. */
  get #isDeaf(): boolean {
    return this.#unheard > DEAF_AFTER_BEATS && performance.now() - this.#heardAt > DEAF_AFTER_MS
  }

  /** Never rejects; tried again each second, and by the library itself once it had a server. */
  async #connect(): Promise<void> {
    if (this.#isConnecting || this.#isClosed) return
    this.#isConnecting = true
    try {
      const connection = await this.#dial()
      this.#connection = connection
      this.#isConnected = true
      this.#watch(connection)
      this.#hear(connection)
      const { cluster, node, options, auth, book } = this.#context
      this.#log = await NatsLog.open({
        connection,
        cluster,
        node,
        replicas: options.replicas,
        auth,
        book,
        onGarbage: () => this.#garbage++,
        onRead: (issuer) => this.#applied.applied(issuer),
        onCaughtUp: () => this.appendPurges(),
      })
      connection.publish(`${this.#subject}.who`)
      this.#tell()
    } catch (error) {
      this.#trouble('NATS is not to be had; the node serves on with what it knows', error)
      await this.#letGo()
    } finally {
      this.#isConnecting = false
    }
  }

  async #dial(): Promise<NatsConnection> {
    const { servers, user, password, token } = this.#context.options
    const { connect } = await import('@nats-io/transport-node')
    const connection = await connect({
      servers: [...servers],
      name: `relais ${this.#context.node}`,
      timeout: CONNECT_TIMEOUT_MS,
      pingInterval: PING_EVERY_MS,
      maxPingOut: 2,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_EVERY_MS,
      ...(user === null ? {} : { user }),
      ...(password === null ? {} : { pass: password }),
      ...(token === null ? {} : { token }),
      ...(servers.some((url) => url.toLowerCase().startsWith('tls:')) ? { tls: {} } : {}),
    })
    const problem = problemOf(connection.info)
    if (problem === undefined) return connection
    await connection.close()
    throw new Error(problem)
  }

  #watch(connection: NatsConnection): void {
    const watch = async (): Promise<void> => {
      for await (const { type } of connection.status()) {
        if (type === 'disconnect') {
          this.#isConnected = false
          this.#trouble('NATS is lost; the node serves on with what it knows', undefined)
        } else if (type === 'reconnect') {
          this.#isConnected = true
          connection.publish(`${this.#subject}.who`)
          this.#run(this.#look(true))
        }
      }
    }
    void watch()
    void connection.closed().then(() => {
      if (this.#connection !== connection) return
      this.#isConnected = false
      this.#connection = undefined
      this.#log = undefined
    })
  }

  #hear(connection: NatsConnection): void {
    connection.subscribe(`${this.#subject}.who`, { callback: () => this.#tell() })
    connection.subscribe(this.#subject, {
      callback: (error, message) => {
        if (error === null) this.#read(message.string())
      },
    })
    connection.subscribe(this.#appliedSubject, {
      callback: (error, message) => {
        if (error === null) this.#readApplied(message.string())
      },
    })
  }

  #read(text: string): void {
    const letter = this.#letters.read(this.#subject, text)
    if (letter === undefined) return
    const { events } = this.#context
    const heard = events.heard(letter.body, undefined)
    if (heard === 'self') {
      this.#unheard = 0
      this.#heardAt = performance.now()
    }
    if (typeof heard === 'string') return
    this.#applied.heard(heard)
    events.onPositions()
  }

  #readApplied(text: string): void {
    const letter = this.#letters.read(this.#appliedSubject, text)
    if (letter === undefined || letter.peer === this.#context.node) return
    if (this.#applied.hear(letter.peer, letter.body)) this.#context.events.onPositions()
  }

  #tell(): void {
    this.#publish(this.#subject, writeState(this.#context.events.own()))
  }

  #publish(subject: string, said: unknown): void {
    const connection = this.#connection
    // Written while there is no server, it would be sent late, as if it were news.
    if (connection === undefined || !this.#isConnected) return
    connection.publish(subject, this.#letters.write(subject, said))
  }

  async #look(isAnew = false): Promise<void> {
    if (this.#isLooking || this.#isClosed) return
    this.#isLooking = true
    try {
      await this.#log?.look(isAnew)
    } catch (error) {
      this.#trouble('NATS says nothing of the log of purges', error)
    } finally {
      this.#isLooking = false
    }
  }

  async #letGo(): Promise<void> {
    const [connection, log] = [this.#connection, this.#log]
    this.#connection = undefined
    this.#log = undefined
    this.#isConnected = false
    // What is lost with the connection need not be closed.
    await log?.close().catch(() => undefined)
    await connection?.close().catch(() => undefined)
  }

  #trouble(what: string, error: unknown): void {
    if (!this.#isClosed) this.#context.events.onTrouble(what, error)
  }

  #run(work: Promise<unknown>): void {
    this.#running.add(work)
    void work.finally(() => this.#running.delete(work))
  }
}
