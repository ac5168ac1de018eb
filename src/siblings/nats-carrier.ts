/** News by NATS: states on one subject, purges in one stream. While no server is there, all stays as it was. */

import { setTimeout as pause } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import { isRecord } from '../purge/purge-rule.ts'
import { within } from './beat.ts'
import { ANNOUNCE_MS, type Carrier, type CarrierEvents, type CarrierHealth } from './carrier.ts'
import { NatsLog } from './nats-log.ts'
import type { NatsOptions } from './options.ts'
import { faultOf, type PeerAuth } from './peer-auth.ts'
import type { PurgeBook } from './purge-book.ts'
import type { Positions } from './purge-log.ts'
import { writeState } from './sibling-state.ts'
import { parsed } from './wire-values.ts'

/** JetStream as it is used here is there from 2.9 on. */
const OLDEST = [2, 9] as const
/** A purge that was ordered has at most 256 KB of JSON, which may be twice as long as JSON within JSON; servers take 1 MB unless told otherwise. */
const LEAST_PAYLOAD_BYTES = 640_000
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
/** Who waits for a purge to be everywhere is told so within this time, and not at the next beat. */
const ACKNOWLEDGE_MS = 20

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
  #acknowledging: NodeJS.Timeout | undefined

  constructor(context: NatsCarrierContext) {
    this.#context = context
    this.#subject = `relais.${context.cluster.replaceAll('.', '_')}.state`
  }

  get health(): CarrierHealth {
    return {
      kind: 'nats',
      isConnected: this.#isConnected && this.#log !== undefined && !this.#isDeaf,
      garbage: this.#garbage,
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

  /** A state says it. */
  positionsOf(): Positions | undefined {
    return undefined
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#acknowledging)
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
        onRead: () => this.#acknowledge(),
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
  }

  #read(text: string): void {
    const { auth, events } = this.#context
    const message = parsed(text)
    const { peer, auth: value, body }: Readonly<Record<string, unknown>> = isRecord(message) ? message : {}
    if (typeof peer !== 'string' || typeof value !== 'string' || typeof body !== 'string') {
      this.#garbage++
      return
    }
    const verdict = auth.verify(value, { method: 'NATS', target: this.#subject, peer, body })
    if (verdict.kind === 'refused') {
      this.#garbage++
      const who = peer.slice(0, 64)
      const fault = faultOf(verdict.reason)
      events.onTrouble(`a state that says it is from ${who} is refused: it is ${fault}`, undefined)
      return
    }
    const heard = events.heard(parsed(body), undefined)
    if (heard === 'self') {
      this.#unheard = 0
      this.#heardAt = performance.now()
    }
    if (typeof heard !== 'string') events.onPositions()
  }

  #tell(): void {
    const connection = this.#connection
    // Written while there is no server, it would be sent late, as if it were news.
    if (connection === undefined || !this.#isConnected) return
    const { auth, node, events } = this.#context
    const body = JSON.stringify(writeState(events.own()))
    const { value } = auth.sign({ method: 'NATS', target: this.#subject, peer: node, body })
    connection.publish(this.#subject, JSON.stringify({ peer: node, auth: value, body }))
  }

  #acknowledge(): void {
    this.#acknowledging ??= setTimeout(() => {
      this.#acknowledging = undefined
      this.#tell()
    }, ACKNOWLEDGE_MS)
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

/** Undefined: it will do. */
function problemOf(info: NatsConnection['info']): string | undefined {
  const { version, jetstream, max_payload: maxPayload = 0 } = info ?? {}
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number)
  const [oldestMajor, oldestMinor] = OLDEST
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor))
    return `expected a NATS server ${OLDEST.join('.')} or newer, came ${version ?? 'no version'}`
  if (jetstream !== true) return 'expected a NATS server with JetStream, came one without'
  if (maxPayload < LEAST_PAYLOAD_BYTES)
    return `expected a NATS server that takes messages of ${LEAST_PAYLOAD_BYTES} bytes, came one with max_payload ${maxPayload}`
  return undefined
}
