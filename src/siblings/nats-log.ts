/**
 * The purges of a cluster as one stream of NATS, which each node reads from its beginning when it starts.
 *
 * A message is a batch of rules of one issuer, signed by who sent it. What is at or below a position is known and costs
 * nothing; so nobody has to remember how far it has read, and what is told twice does no harm.
 */

import type { ConsumerMessages, JetStreamClient, JetStreamManager, StreamInfo } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { isRecord, type PurgeRule } from '../purge/purge-rule.ts'
import type { Instant } from '../rfc/heads.ts'
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
/** After entries were lost their issuers have so many looks to write them again; then whoever remembers them does. */
const LOOKS_FOR_OWN = 2
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
  /** How far the stream has the rules of each issuer, and which entry has the last of them. */
  readonly #inStream = new Map<string, { readonly upTo: number; readonly at: number }>()
  /** Entries before this one went that were to be there still. */
  #lostBefore = 0
  /** Looks since entries were lost, or since this node began: they may have been before it. */
  #looksSinceLoss = 0
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
    if (awaySince !== undefined && wholeSince(info) > awaySince) context.book.distrust()
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
    // While the answer is on its way more is read than it knows of.
    const read = this.#read
    const info = await this.#stream()
    if (this.#isClosed) return
    const { first_seq: first, last_seq: last } = info.state
    const isSame = info.created === this.#created && last >= read
    if (!isSame || first > read + 1) {
      // It was deleted, or emptied: nobody knows what was in it that was not read here.
      this.#context.book.distrust()
      this.#looksSinceLoss = 0
      await this.#readOn(info)
      return
    }
    this.#last = Math.max(last, this.#read)
    this.#looksSinceLoss++
    // What is still remembered is written again: who joins would never hear of it, and never be asked for what it names.
    for (const [issuer, { at }] of this.#inStream) {
      if (at >= first) continue
      this.#inStream.delete(issuer)
      this.#lostBefore = first
      this.#looksSinceLoss = 0
    }
    if (isAnew) await this.#consume(this.#read + 1)
  }

  /** Puts into the stream what this node gave out and is not in it, of earlier lives as well, and what those gave out who are gone. Throws when the server does not take it. */
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
        // What is written again is no duplicate.
        const msgID = `${first.by}/${first.sequence}-${last.sequence}/${this.#lostBefore}`
        const { seq } = await this.#client.publish(this.#subject, message, { msgID, timeout: TIMEOUT_MS })
        this.#has(last, seq)
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
    this.#inStream.clear()
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
        this.#take(message.string(), message.seq)
        // A purge given out meanwhile was not written, and would wait for the next beat.
        if (!wasRead && this.isRead) this.#context.onCaughtUp()
      },
    })
  }

  #take(text: string, at: number): void {
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
    this.#has(last, at)
    // What came before it in the stream is dropped, or was deleted with another one.
    const floors = { [first.by]: first.sequence - 1 }
    void book.take({ floors, rules: batch.rules })
    onRead(first.by)
  }

  #has({ by, sequence }: PurgeRule, at: number): void {
    const known = this.#inStream.get(by)
    if (known === undefined || known.upTo <= sequence) this.#inStream.set(by, { upTo: sequence, at })
  }

  /** Positions at which nothing lacks but what is for this node to write and is not in the stream. */
  #wanted(): Positions {
    const { book, node } = this.#context
    const isHeir = this.#looksSinceLoss > LOOKS_FOR_OWN
    const own = Object.keys(book.positions).filter((issuer) => isHeir || issuer.startsWith(`${node}:`))
    return {
      ...book.positions,
      ...Object.fromEntries(own.map((issuer) => [issuer, this.#inStream.get(issuer)?.upTo ?? 0])),
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

/** Since when nothing was in it that is not. */
function wholeSince({ created, state }: StreamInfo): Instant {
  if (state.first_seq <= 1) return Date.parse(created)
  return Date.parse(state.messages === 0 ? state.last_ts : state.first_ts)
}
