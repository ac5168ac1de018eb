/** News by HTTP, from each sibling to each: its state is asked for each second, purges are pushed and asked for. */
import { isRecord } from '../purge/purge-rule.ts'
import { within } from './beat.ts'
import {
  ANNOUNCE_MS,
  type Carrier,
  type CarrierEvents,
  type CarrierHealth,
  type Whereabouts,
} from './carrier.ts'
import { BATCH_BYTES, PURGES_PATH, PURGES_SINCE_PATH, STATE_PATH } from './news-desk.ts'
import type { PeerCaller } from './peer-call.ts'
import type { PurgeBook } from './purge-book.ts'
import type { Positions } from './purge-log.ts'
import { writeState } from './sibling-state.ts'
import { readBatch, readPositions } from './wire-values.ts'

/** Who takes longer is silent. */
const STATE_TIMEOUT_MS = 1_000
const BATCH_TIMEOUT_MS = 5_000
/** A node that begins waits no longer for what it missed than that; what comes later still comes. */
const CATCH_UP_MS = 30_000

interface Peer {
  readonly whereabouts: Whereabouts
  /** Undefined: it was not heard yet. */
  id: string | undefined
  /** What it has, as it said last. */
  positions: Positions | undefined
  isAsked: boolean
  isTold: boolean
  /** It is this node itself. */
  isSelf: boolean
}

export interface HttpCarrierContext {
  readonly caller: PeerCaller
  readonly book: PurgeBook
  readonly events: CarrierEvents
  /** Who is to be asked now. */
  whereabouts(): readonly Whereabouts[]
}

export class HttpCarrier implements Carrier {
  readonly #context: HttpCarrierContext
  readonly #peers = new Map<string, Peer>()
  readonly #running = new Set<Promise<unknown>>()
  #isClosed = false

  constructor(context: HttpCarrierContext) {
    this.#context = context
  }

  get health(): CarrierHealth {
    const { book } = this.#context
    const own = book.positions[book.issuer] ?? 0
    const behind = this.#others().map(({ positions }) => own - (positions?.[book.issuer] ?? 0))
    return { kind: 'http', isConnected: true, garbage: 0, purgeLag: Math.max(0, ...behind) }
  }

  async open(): Promise<boolean> {
    const deadline = performance.now() + CATCH_UP_MS
    await Promise.all(this.#all().map((peer) => this.#asks(peer)))
    const present = this.#others().filter(({ positions }) => positions !== undefined)
    // One after the other: what the first told need not be told by the second.
    for (const peer of present) await this.#catchUp(peer, deadline)
    return present.length > 0
  }

  publishState(): void {
    for (const peer of this.#all()) this.#run(this.#asks(peer))
  }

  async announce(): Promise<void> {
    const { caller, events } = this.#context
    const body = writeState(events.own())
    const tells = async ({ whereabouts: { url } }: Peer): Promise<void> => {
      // Who does not hear it notices that this node is silent.
      await caller
        .ask({ url, method: 'POST', target: STATE_PATH, body, timeoutMs: ANNOUNCE_MS })
        .catch(() => undefined)
    }
    const told = Promise.all(this.#others().map(tells))
    this.#run(told)
    await within(ANNOUNCE_MS, told)
  }

  /** Only what was given out here: what others gave out they push themselves, and who misses it is told when it says so. */
  appendPurges(): void {
    const { book } = this.#context
    const own = book.positions[book.issuer] ?? 0
    // Called for those of others as well, which are most: nobody is looked at twice for them.
    for (const peer of this.#others())
      if ((peer.positions?.[book.issuer] ?? 0) < own) this.#run(this.#tells(peer, () => this.#ownAlone(peer)))
  }

  positionsOf(id: string): Positions | undefined {
    return this.#others().find((peer) => peer.id === id)?.positions
  }

  async settled(): Promise<void> {
    // What is under way may begin more.
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#context.caller.close()
    await this.settled()
  }

  /** With those that are new, and without those that are no longer there. */
  #all(): readonly Peer[] {
    const now = this.#context.whereabouts()
    const urls = new Set(now.map(({ url }) => url))
    for (const url of this.#peers.keys()) if (!urls.has(url)) this.#peers.delete(url)
    for (const whereabouts of now) {
      const { url, id } = whereabouts
      if (this.#peers.has(url)) continue
      const fresh = { id, positions: undefined, isAsked: false, isTold: false, isSelf: false }
      this.#peers.set(url, { whereabouts, ...fresh })
    }
    return this.#others()
  }

  #others(): readonly Peer[] {
    return [...this.#peers.values()].filter(({ isSelf }) => !isSelf)
  }

  /** For its state; tells it what it turns out to lack. */
  async #asks(peer: Peer): Promise<void> {
    if (peer.isAsked || this.#isClosed) return
    peer.isAsked = true
    const { caller, events, book } = this.#context
    const { whereabouts } = peer
    const { url } = whereabouts
    try {
      const message = await caller.ask({
        url,
        method: 'GET',
        target: STATE_PATH,
        timeoutMs: STATE_TIMEOUT_MS,
      })
      const heard = events.heard(message, whereabouts)
      if (heard === 'self') peer.isSelf = true
      if (typeof heard === 'string') return
      peer.id = heard.id
      peer.positions = heard.purges
      if (book.isAhead(heard.purges)) this.#run(this.#tells(peer, () => peer.positions ?? {}))
    } catch (error) {
      if (!this.#isClosed) events.onTrouble(`${nameOf(peer)} is silent`, error)
    } finally {
      peer.isAsked = false
    }
  }

  /** As long as it lacks something of what counts, by these positions. */
  async #tells(peer: Peer, positions: () => Positions): Promise<void> {
    if (peer.isTold || peer.positions === undefined) return
    peer.isTold = true
    const { caller, events, book } = this.#context
    const { url } = peer.whereabouts
    try {
      while (!this.#isClosed && book.isAhead(positions())) {
        const before = JSON.stringify(peer.positions)
        const body = book.since(positions(), BATCH_BYTES)
        const answer = await caller.ask({
          url,
          method: 'POST',
          target: PURGES_PATH,
          body,
          timeoutMs: BATCH_TIMEOUT_MS,
        })
        const after = isRecord(answer) ? readPositions(answer.positions) : undefined
        // It takes nothing: its next state says what it wants.
        if (after === undefined || JSON.stringify(after) === before) return
        peer.positions = after
        events.onPositions()
      }
    } catch (error) {
      // Tried again when its next state comes, which says what it lacks.
      if (!this.#isClosed) events.onTrouble(`${nameOf(peer)} takes no purges`, error)
    } finally {
      peer.isTold = false
    }
  }

  #ownAlone(peer: Peer): Positions {
    const { book } = this.#context
    return { ...book.positions, [book.issuer]: peer.positions?.[book.issuer] ?? 0 }
  }

  async #catchUp(peer: Peer, deadline: number): Promise<void> {
    const { caller, book, events } = this.#context
    const { url } = peer.whereabouts
    try {
      while (performance.now() < deadline && !this.#isClosed) {
        const body = { positions: book.positions }
        const before = JSON.stringify(body.positions)
        const question = { url, method: 'POST', target: PURGES_SINCE_PATH, body } as const
        const batch = readBatch(await caller.ask({ ...question, timeoutMs: BATCH_TIMEOUT_MS }))
        if (batch === undefined) throw new Error(`${url} answered what is no batch of purges`)
        await book.take(batch)
        // All of it was known, or none of it fits.
        if (JSON.stringify(book.positions) === before) return
      }
    } catch (error) {
      events.onTrouble(`${nameOf(peer)} tells no purges`, error)
    }
  }

  #run(work: Promise<unknown>): void {
    this.#running.add(work)
    void work.finally(() => this.#running.delete(work))
  }
}

/** Whom that is said of in the log. */
function nameOf({ id, whereabouts }: Peer): string {
  return `${id ?? 'the sibling'} at ${whereabouts.url}`
}
