/** What a sibling has, and this node is not to keep, on its way to the one viewer who asks for it: handed on piece by piece, stored nowhere. */
import { documentOf, kindOf, type MediaKind } from '../media/kind.ts'
import { admissionOf } from '../media/lifetimes.ts'
import type { CacheStatus } from '../rfc/cache-status.ts'
import { loops } from '../rfc/connection.ts'
import { remainingSeconds } from '../rfc/freshness.ts'
import {
  declaredLength,
  fieldValue,
  type Instant,
  type ReceivedHead,
  type RequestHead,
} from '../rfc/heads.ts'
import { unsharedFields } from '../rfc/storability.ts'
import type { CacheKey, StoredHead } from '../store/store.ts'
import type { Ride, Rider } from '../upstream/source.ts'
import { asCopy } from './copies.ts'
import type { Flight } from './flights.ts'
import type { FillContext, Order } from './journey.ts'
import type { Route } from './routes.ts'
import { describe } from './stored-head.ts'
import { shared } from './upstream-request.ts'

/** A larger body is not to wait in a viewer's connection for a slow viewer: it is read at his pace, as all fills are. */
const MOST_BYTES = 4 * 1024 * 1024
/** What comes is read into pieces of memory, of which a body holds one at least as long as any of it waits. */
const LEAST_HELD_BYTES = 256 * 1024
const SMALL_BYTES = 16 * 1024
/** What may wait in connections of viewers all together; beyond it bodies are fetched. */
const MOST_BYTES_UNDER_WAY = 64 * 1024 * 1024
/** How often it is looked who waits for longer than usual. */
const LOOK_MS = 20

/** What nobody needs to read to know what it is. */
const PIECES: ReadonlySet<MediaKind> = new Set(['segment', 'init'])
/** Who says so wants something else than what lies there, or something of his own. */
const NOT_PLAIN: readonly string[] = [
  'range',
  'cache-control',
  'pragma',
  'authorization',
  'cookie',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
]

/** What the viewer is told; the body follows. */
export interface PassingAnswer {
  readonly head: StoredHead
  /** Of the body, in bytes. */
  readonly size: number
  readonly status: CacheStatus
}

/** Who has the viewer's connection. */
export interface Taker extends Pick<Rider, 'piece' | 'goesOn'> {
  begins(answer: PassingAnswer): void
  /** It is to be answered like every other request: see `CutThrough.flight`. Nothing else was or will be heard. */
  handedOver(): void
}

/** Under way since then, and what a purge since then covers. */
export interface Departure {
  readonly ride: Ride
  readonly mark: number
  readonly setOutAt: Instant
}

export interface CutThroughContext {
  readonly fill: FillContext
  /** Makes a fill of it. */
  readonly start: (route: Route, key: CacheKey, request: RequestHead, departure: Departure) => Flight
  /** A viewer is given something of this head. */
  readonly onAnswered: (route: Route, request: RequestHead, head: StoredHead, now: Instant) => void
}

/**
 * Most of what a cluster asks of itself is this: one viewer wants what lies whole in a sibling's memory. Whatever is not as
 * plain as that is a fill like any other, and so is this one as soon as somebody else wants the same, its head is late, or
 * what comes is to be kept here.
 */
export class CutThrough implements Rider {
  readonly #all: CutThroughs
  readonly #order: Order
  readonly #taker: Taker
  readonly #setOutAt: Instant
  #ride: Ride | undefined
  #flight: Flight | undefined
  #bytes = 0
  #state: 'waiting' | 'passing' | 'over' = 'waiting'

  constructor(all: CutThroughs, order: Order, taker: Taker, setOutAt: Instant) {
    this.#all = all
    this.#order = order
    this.#taker = taker
    this.#setOutAt = setOutAt
  }

  /** Undefined: it cannot set out. */
  setOut(): this | undefined {
    const { route, request, key } = this.#order
    const asked = shared(route, request, this.#all.context.fill.node)
    this.#ride = route.source.ride?.(asked, key, this)
    return this.#ride === undefined ? undefined : this
  }

  get key(): CacheKey {
    return this.#order.key
  }

  /** What it has become when it was handed over. */
  get flight(): Flight | undefined {
    return this.#flight
  }

  get isLate(): boolean {
    return (this.#ride?.lateInMs ?? 0) <= 0
  }

  heard(head: ReceivedHead): boolean {
    if (this.#state !== 'waiting') return false
    const answer = this.#all.judged(this.#order, head)
    if (answer === undefined) return false
    this.#state = 'passing'
    this.#bytes = answer.size
    this.#all.passes(this, answer.size)
    const { route, request } = this.#order
    this.#all.context.onAnswered(route, request, answer.head, head.receivedAt)
    this.#taker.begins(answer)
    return true
  }

  piece(bytes: Uint8Array, giveBack: () => void): void {
    this.#taker.piece(bytes, giveBack)
  }

  goesOn(rest: AsyncIterable<Uint8Array>): void {
    this.#taker.goesOn(rest)
  }

  declined(): void {
    this.handOver()
  }

  /** From now on it is a fill that others join. */
  handOver(): void {
    const ride = this.#ride
    if (this.#state !== 'waiting' || ride === undefined) return
    this.#state = 'over'
    this.#all.gone(this)
    const { route, key, request, mark } = this.#order
    this.#flight = this.#all.context.start(route, key, request, { ride, mark, setOutAt: this.#setOutAt })
    this.#taker.handedOver()
  }

  /** The viewer has all of it, or has left. */
  over(reason: unknown): void {
    if (this.#state === 'over') {
      // Who left before he came to wait for what it has become would leave it to nobody.
      this.#flight?.left('leader')
      return
    }
    this.#state = 'over'
    this.#all.gone(this)
    this.#all.arrived(this.#order.mark, this.#bytes)
    this.#ride?.leave(reason)
  }
}

export class CutThroughs {
  readonly context: CutThroughContext
  /** Those whose head is still to come, the oldest first. */
  readonly #waiting = new Map<CacheKey, CutThrough>()
  #underWay = 0
  #bytesUnderWay = 0
  #timer: NodeJS.Timeout | undefined

  constructor(context: CutThroughContext) {
    this.context = context
  }

  /** Whose heads or bodies are still to come. */
  get size(): number {
    return this.#underWay
  }

  /** Viewers who wait for a head. */
  get waiting(): number {
    return this.#waiting.size
  }

  has(key: CacheKey): boolean {
    return this.#waiting.has(key)
  }

  /** Undefined: it is to be answered like every other request. Nothing of this key may be stored, or on its way. */
  begin(route: Route, key: CacheKey, request: RequestHead, taker: Taker): CutThrough | undefined {
    if (this.#bytesUnderWay >= MOST_BYTES_UNDER_WAY || !this.#mayPass(route, key, request)) return undefined
    const { clock, fence } = this.context.fill
    const mark = fence.depart()
    const order: Order = { route, key, request, stored: undefined, mark, isWanted: () => true }
    const one = new CutThrough(this, order, taker, clock()).setOut()
    if (one === undefined) {
      fence.arrive(mark)
      return undefined
    }
    this.#underWay++
    this.#waiting.set(key, one)
    this.#timer ??= setTimeout(() => this.#look(), LOOK_MS)
    return one
  }

  /** Whoever else wants it, or speaks of it, finds a fill. */
  handOver(key: CacheKey): void {
    this.#waiting.get(key)?.handOver()
  }

  handOverAll(): void {
    for (const one of [...this.#waiting.values()]) one.handOver()
  }

  /** What is told to the viewer; undefined: it is more than something that passes. */
  judged(order: Order, head: ReceivedHead): PassingAnswer | undefined {
    const { request } = order
    const { fill } = this.context
    const { fields, status } = head
    const size = declaredLength(fields)
    if (status !== 200 || size === undefined || size === 0 || size > MOST_BYTES) return undefined
    // Many may have set out before the first head came.
    if (this.#bytesUnderWay + heldOf(size) > MOST_BYTES_UNDER_WAY) return undefined
    // What is for this viewer alone he gets beside what is filled.
    if (unsharedFields(head, order.route.cookies) !== undefined) return undefined
    const type = fieldValue(fields, 'content-type')
    const kind = kindOf(request.target, type)
    if (!PIECES.has(kind) || documentOf(kind, type, fill.named.of(request.target)) !== undefined)
      return undefined
    const described = describe(fill, order, kind, head, undefined)
    if (typeof described === 'string') return undefined
    const passing = asCopy(described, { isHot: false })
    if (passing.copy !== 'passing') return undefined
    const ttl = remainingSeconds(passing.freshness, head.receivedAt)
    const told = { hit: false, fwd: 'uri-miss', fwdStatus: status, ttl, stored: false } as const
    return { head: passing, size, status: told }
  }

  passes({ key }: CutThrough, bytes: number): void {
    this.#waiting.delete(key)
    this.#bytesUnderWay += heldOf(bytes)
  }

  /** It has become a fill, or is over. */
  gone(one: CutThrough): void {
    this.#underWay--
    if (this.#waiting.get(one.key) === one) this.#waiting.delete(one.key)
  }

  arrived(mark: number, bytes: number): void {
    this.#bytesUnderWay -= heldOf(bytes)
    this.context.fill.fence.arrive(mark)
  }

  /** By what is known before anybody is asked. */
  #mayPass(route: Route, key: CacheKey, { method, target, fields }: RequestHead): boolean {
    if (method !== 'GET' || route.home !== undefined || route.source.ride === undefined) return false
    for (const name of NOT_PLAIN) if (fields[name] !== undefined) return false
    const kind = kindOf(target)
    if (!PIECES.has(kind)) return false
    const { fill } = this.context
    // Of a run that began anew siblings may still have the one before.
    if (fill.guard.runOf(key) !== undefined) return false
    const facts = { manifest: undefined, stream: fill.streams.timingOf(target) }
    return admissionOf(kind, facts) !== 'always' && !loops(fields, fill.node)
  }

  /** Who is late in coming is asked for as others ask, who know whom else to ask. */
  #look(): void {
    for (const one of [...this.#waiting.values()]) if (one.isLate) one.handOver()
    this.#timer = this.#waiting.size === 0 ? undefined : setTimeout(() => this.#look(), LOOK_MS)
  }
}

/** What a body of this size may hold in memory while it waits; 0 of none. */
function heldOf(bytes: number): number {
  if (bytes === 0) return 0
  return bytes <= SMALL_BYTES ? SMALL_BYTES : Math.max(bytes, LEAST_HELD_BYTES)
}
