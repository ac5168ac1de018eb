/** One fill per key: those who ask while it runs walk with it. */
import { type Instant, isMissing, type RequestHead } from '../rfc/heads.ts'
import { matches } from '../rfc/vary.ts'
import type { CacheKey, StoredResponse } from '../store/store.ts'
import type { Urgency } from '../upstream/source.ts'
import type { Filled, Journey } from './journey.ts'

/** Who waits for a flight: the one who caused it, or one who came later. */
export type Part = 'leader' | 'follower'

/**
 * A flight belongs to nobody: who caused it may leave. It is given up before its head has come only when nobody waits
 * for it any more; after that the fill itself decides (see fill.ts).
 */
export class Flight {
  readonly #journey: Journey
  readonly #controller: AbortController
  readonly #urge: () => void
  readonly setOutAt: Instant
  #waiting = 0
  #filled: Filled | undefined
  /** What may not be stored was asked for with the leader's own fields, and goes to nobody else. */
  #isLeaderHere = true
  #isKnownToBeThere = false

  constructor(journey: Journey, controller: AbortController, urge: () => void, setOutAt: Instant) {
    this.#journey = journey
    this.#controller = controller
    this.#urge = urge
    this.setOutAt = setOutAt
    journey.outcome.then(
      (filled) => {
        this.#filled = filled
        if (filled.kind === 'not-storable' && !this.#isLeaderHere) filled.response.cancel()
      },
      () => undefined, // those who wait are told; nobody may be waiting
    )
  }

  get landed(): Promise<void> {
    return this.#journey.landed
  }

  /** What it brought, once nothing more will come; undefined: it failed. Never rejects. */
  get brought(): Promise<Filled | undefined> {
    const { landed, outcome } = this.#journey
    return landed.then(() => outcome).catch(() => undefined) // those who wait for it are told why
  }

  /** Since it set out it was heard that the thing exists: that it is missing is no answer for who has not caused it. */
  listed(): void {
    this.#isKnownToBeThere = true
  }

  /** How many siblings it may have to wait for, at the moment. */
  get hops(): number {
    return this.#journey.hops?.now ?? 0
  }

  /** How many wait for the head. */
  get waiting(): number {
    return this.#waiting
  }

  /** Whether anyone still waits for the head. */
  get isAwaited(): boolean {
    return this.#waiting > 0
  }

  /** Whether its head is still to come. */
  get isPending(): boolean {
    return this.#filled === undefined && !this.#controller.signal.aborted
  }

  /** Whether a request that comes now may walk along: until the head is here anyone, then those it fits. */
  takes(request: RequestHead, mayJoin: (stored: StoredResponse) => boolean): boolean {
    // Given up, it fails in a moment, and with a reason that concerns nobody who comes now.
    if (this.#filled === undefined) return this.isPending
    return (
      this.#filled.kind === 'stored' &&
      this.#filled.withdrawn === undefined &&
      this.believes(this.#filled.stored) &&
      matches(this.#filled.stored.head.variant, request) &&
      mayJoin(this.#filled.stored)
    )
  }

  /** Whether what it brought is for others than the one who caused it. */
  believes({ head }: StoredResponse): boolean {
    return !this.#isKnownToBeThere || !isMissing(head.status)
  }

  /**
   * Waits for the head. Rejects with what went wrong, or with the signal's reason when the viewer leaves first. `urgencyOf`
   * is asked while that matters: where one is in a hurry all are helped.
   */
  async wait(part: Part, signal: AbortSignal, urgencyOf?: () => Urgency): Promise<Filled> {
    this.#waiting++
    if (this.isPending && urgencyOf?.() === 'now') this.#urge()
    const { promise, resolve, reject } = Promise.withResolvers<Filled>()
    const leave = (): void => reject(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    try {
      signal.throwIfAborted()
      this.#journey.outcome.then(resolve, reject)
      return await promise
    } finally {
      signal.removeEventListener('abort', leave)
      this.#waiting--
      if (signal.aborted) this.left(part)
    }
  }

  /** One who waited for the head, or was about to, has left. */
  left(part: Part): void {
    if (part === 'leader') this.#isLeaderHere = false
    if (this.#filled === undefined) {
      if (this.#waiting === 0) this.#controller.abort(new Error('nobody waits for it any more'))
    } else if (part === 'leader' && this.#filled.kind === 'not-storable') {
      this.#filled.response.cancel()
    }
  }
}

export class Flights {
  readonly #byKey = new Map<CacheKey, readonly Flight[]>()
  readonly #detached = new Set<Flight>()

  /** How many are under way. */
  get size(): number {
    let size = this.#detached.size
    for (const flights of this.#byKey.values()) size += flights.length
    return size
  }

  /** How many wait for the head of one of them. */
  get waiting(): number {
    let waiting = 0
    for (const flight of this.#detached) waiting += flight.waiting
    for (const flights of this.#byKey.values()) for (const flight of flights) waiting += flight.waiting
    return waiting
  }

  /** None that may have to wait for more than so many siblings is found. */
  find(
    key: CacheKey,
    request: RequestHead,
    mayJoin: (stored: StoredResponse) => boolean,
    mostHops = Number.POSITIVE_INFINITY,
  ): Flight | undefined {
    return this.#byKey.get(key)?.find((flight) => flight.hops <= mostHops && flight.takes(request, mayJoin))
  }

  /** Whether any flight for this key is under way. */
  has(key: CacheKey): boolean {
    return this.#byKey.has(key)
  }

  /** Of those that can be found. */
  keys(): readonly CacheKey[] {
    return [...this.#byKey.keys()]
  }

  /** Those of this key that may be joined. */
  of(key: CacheKey): readonly Flight[] {
    return this.#byKey.get(key) ?? []
  }

  /** From now on nobody finds the flights of this key that set out before (absent: all); they go on for those who are with them. */
  detach(key: CacheKey, before: Instant = Number.POSITIVE_INFINITY): readonly Flight[] {
    const flights = this.of(key).filter(({ setOutAt }) => setOutAt < before)
    for (const flight of flights) {
      this.#remove(key, flight)
      this.#detached.add(flight)
      flight.landed.then(() => this.#detached.delete(flight))
    }
    return flights
  }

  /** `urged` settles when somebody in a hurry waits for it. `setOutAt`: absent where nothing is ever told apart by it. */
  start(
    key: CacheKey,
    journey: (signal: AbortSignal, urged: Promise<void>) => Journey,
    setOutAt: Instant = 0,
  ): Flight {
    const controller = new AbortController()
    const urged = Promise.withResolvers<void>()
    const flight = new Flight(journey(controller.signal, urged.promise), controller, urged.resolve, setOutAt)
    this.#byKey.set(key, [...this.of(key), flight])
    flight.landed.then(() => this.#remove(key, flight))
    return flight
  }

  #remove(key: CacheKey, flight: Flight): void {
    const left = this.of(key).filter((other) => other !== flight)
    if (left.length === 0) this.#byKey.delete(key)
    else this.#byKey.set(key, left)
  }
}
