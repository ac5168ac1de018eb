/**
 * The purges of a cluster as one stream of NATS, which each node reads from its beginning when it starts.
 *
 * A message is a batch of rules of one issuer, signed by who sent it. What is at or below a position is known and costs
 * nothing; so nobody has to remember how far it has read, and what is told twice does no harm.
 */

import type { ConsumerMessages, JetStreamClient, JetStreamManager, StreamInfo } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { isRecord } from '../purge/purge-rule.ts'
import type { PeerAuth } from './peer-auth.ts'
import type { PurgeBook } from './purge-book.ts'
import type { Positions } from './purge-log.ts'
import { parsed, readBatch } from './wire-values.ts'

/** As long as nodes remember purges themselves. */
const MAX_AGE_NS = 72 * 3_600 * 1e9
/** Some 400,000 purges of one URL each; a node that starts reads them all. */
const MAX_BYTES = 64 * 1024 ** 2
/** Who sends again after a lost answer does so within this time, or is read twice. */
const DUPLICATE_NS = 120 * 1e9
/** Of the rules in one message: servers take a megabyte unless they are told otherwise. */
const BATCH_BYTES = 256 * 1024
const TIMEOUT_MS = 5_000
/** Bound to the log, and not to a moment: it is read days later. */
const SIGNED_AS = 'purges'

export interface NatsLogContext {
  readonly connection: NatsConnection
  readonly cluster: string
  readonly node: string
  readonly replicas: number
  readonly auth: PeerAuth
  readonly book: PurgeBook
  readonly onGarbage: () => void
  /** A batch of this issuer was read, and is in force. */
  readonly onRead: (issuer: string) => void
  /** All that is known to be in the stream is read, after it was not: what this node gave out may be written. */
  readonly onCaughtUp: () => void
}

/** The part of the library that this takes, so that only who has a cluster loads it. */
export type JetStream = typeof import('@nats-io/jetstream')

export class NatsLog {
  readonly #context: NatsLogContext
  readonly #library: JetStream
  readonly #manager: JetStreamManager
  readonly #client: JetStreamClient
  readonly #name: string
  readonly #subject: string
  /** How far the stream has the rules of each issuer. */
  readonly #inStream: Record<string, number> = Object.create(null)
  #messages: ConsumerMessages | undefined
  /** Counts the readings of the stream. */
  #turn = 0
  #created: string | undefined
  #read = 0
  #last = 0
  #isWriting = false
  #isClosed = false

  private constructor(context: NatsLogContext, library: JetStream, manager: JetStreamManager) {
    this.#context = context
    this.#library = library
    this.#manager = manager
    this.#client = manager.jetstream()
    // A dot parts the words of a subject, and has no place in the name of a stream.
    const word = context.cluster.replaceAll('.', '_')
    this.#name = `RELAIS_PURGE_${word}`
    this.#subject = `relais.${word}.purge`
  }

  /** Makes the stream when there is none. Throws when that fails, or the server has no JetStream. */
  static async open(context: NatsLogContext): Promise<NatsLog> {
    const library = await import('@nats-io/jetstream')
    const manager = await library.jetstreamManager(context.connection, { timeout: TIMEOUT_MS })
    const log = new NatsLog(context, library, manager)
    const info = await log.#stream()
    const { awaySince } = context.book
    // What was in it while this node was away may have been dropped, or have been in another one.
    const wholeSince = Date.parse(info.state.first_seq > 1 ? info.state.first_ts : info.created)
    if (awaySince !== undefined && wholeSince > awaySince) context.book.distrust()
    await log.#readOn(info)
    return log
  }

  /** Entries of the stream that were not read yet, and rules that are not in it. */
  get lag(): number {
    return Math.max(0, this.#last - this.#read) + this.#unwritten()
  }

  /** Whether all that was in the stream when it was looked at last has been read. */
  get isRead(): boolean {
    return this.#read >= this.#last
  }

  /**
   * Looks whether the stream is still the one that is read; to be called every few seconds. `isAnew`: the connection is a new one, and what
   * was read over the last one may have stopped without a word. Throws when the server does not say.
   */
  async look(isAnew = false): Promise<void> {
    const info = await this.#stream()
    if (this.#isClosed) return
    const isSame = info.created === this.#created && info.state.last_seq >= this.#read
    if (!isSame) {
      // It was deleted: nobody knows what was in it that was not read here.
      this.#context.book.distrust()
      await this.#readOn(info)
      return
    }
    this.#last = info.state.last_seq
    if (isAnew) await this.#consume(this.#read + 1)
  }

  /** Puts into the stream what this node gave out and is not in it, of earlier lives as well. Throws when the server does not take it. */
  async write(): Promise<void> {
    if (this.#isWriting || this.#isClosed || !this.isRead) return
    this.#isWriting = true
    const { book, auth, node } = this.#context
    try {
      while (!this.#isClosed) {
        const { rules } = book.since(this.#wanted(), BATCH_BYTES)
        const [first] = rules
        if (first === undefined) return
        const ofOne = rules.filter(({ by }) => by === first.by)
        const last = ofOne.at(-1) ?? first
        const body = JSON.stringify({ floors: {}, rules: ofOne })
        const message = JSON.stringify({ peer: node, auth: auth.signAnswer(SIGNED_AS, 0, body), body })
        const msgID = `${first.by}/${first.sequence}-${last.sequence}`
        await this.#client.publish(this.#subject, message, { msgID, timeout: TIMEOUT_MS })
        this.#inStream[first.by] = Math.max(this.#inStream[first.by] ?? 0, last.sequence)
      }
    } finally {
      this.#isWriting = false
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#messages?.close()
  }

  async #stream(): Promise<StreamInfo> {
    const { streams } = this.#manager
    try {
      return await streams.info(this.#name)
    } catch (error) {
      const { JetStreamApiError, JetStreamApiCodes } = this.#library
      if (!(error instanceof JetStreamApiError) || error.code !== JetStreamApiCodes.StreamNotFound)
        throw error
    }
    // Two nodes may do this at once: the same settings are no error.
    return streams.add({
      name: this.#name,
      subjects: [this.#subject],
      num_replicas: this.#context.replicas,
      max_age: MAX_AGE_NS,
      max_bytes: MAX_BYTES,
      duplicate_window: DUPLICATE_NS,
    })
  }

  async #readOn({ created, state }: StreamInfo): Promise<void> {
    this.#created = created
    // Of one that nothing was ever in, servers say 0.
    this.#read = state.messages === 0 ? state.last_seq : state.first_seq - 1
    this.#last = state.last_seq
    for (const issuer of Object.keys(this.#inStream)) delete this.#inStream[issuer]
    await this.#consume(1)
  }

  async #consume(from: number): Promise<void> {
    // What is lost with its stream or its connection need not be closed, nor waited for.
    void this.#messages?.close().catch(() => undefined)
    const { DeliverPolicy } = this.#library
    const start =
      from > 1
        ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: from }
        : { deliver_policy: DeliverPolicy.All }
    const consumer = await this.#client.consumers.get(this.#name, start)
    const turn = ++this.#turn
    this.#messages = await consumer.consume({
      callback: (message) => {
        // A reading that another one took the place of may have a word left.
        if (turn !== this.#turn) return
        const wasRead = this.isRead
        this.#last = Math.max(this.#last, message.seq)
        // Entries may have been deleted behind the last one there is.
        this.#read = message.info.pending === 0 ? this.#last : message.seq
        this.#take(message.string())
        // A purge given out meanwhile was not written, and would wait for the next beat.
        if (!wasRead && this.isRead) this.#context.onCaughtUp()
      },
    })
  }

  #take(text: string): void {
    const { auth, book, onGarbage, onRead } = this.#context
    const message = parsed(text)
    const isSigned =
      isRecord(message) &&
      typeof message.body === 'string' &&
      typeof message.auth === 'string' &&
      auth.isAnswer(message.auth, SIGNED_AS, 0, message.body)
    const batch = isSigned ? readBatch(parsed(String(message.body))) : undefined
    const [first] = batch?.rules ?? []
    if (batch === undefined || first === undefined) {
      onGarbage()
      return
    }
    const last = batch.rules.at(-1) ?? first
    this.#inStream[first.by] = Math.max(this.#inStream[first.by] ?? 0, last.sequence)
    // What came before it in the stream is dropped, or was deleted with another one.
    const floors = { [first.by]: first.sequence - 1 }
    void book.take({ floors, rules: batch.rules })
    onRead(first.by)
  }

  /** Positions at which nothing lacks but what this node gave out and is not in the stream. */
  #wanted(): Positions {
    const { book, node } = this.#context
    const own = Object.keys(book.positions).filter((issuer) => issuer.startsWith(`${node}:`))
    return {
      ...book.positions,
      ...Object.fromEntries(own.map((issuer) => [issuer, this.#inStream[issuer] ?? 0])),
    }
  }

  #unwritten(): number {
    const wanted = this.#wanted()
    const { positions } = this.#context.book
    return Object.entries(positions).reduce(
      (sum, [issuer, last]) => sum + Math.max(0, last - (wanted[issuer] ?? 0)),
      0,
    )
  }
}
