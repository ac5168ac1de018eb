/** The slices of large bodies: had from store, from a fill under way, or asked of upstream, each one once. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import { isRangeLie } from '../errors.ts'
import type { Instant, RequestHead } from '../rfc/heads.ts'
import type { ByteRange } from '../rfc/range.ts'
import { GrowingBody } from '../store/growing-body.ts'
import type { Body, CacheKey, Sliced, StoredHead, StoredResponse } from '../store/store.ts'
import type { UpstreamResponse } from '../upstream/source.ts'
import { copyOfSlice } from './copies.ts'
import { fillKey } from './fill-key.ts'
import { type Flight, Flights, type Part } from './flights.ts'
import { flow } from './flow.ts'
import { HeldSlices, heldSlices } from './held-slices.ts'
import type { FencedContext, Filled, Journey } from './journey.ts'
import { bindingValidator, exactly, ranged } from './opening.ts'
import type { Sent } from './prefetch/errands.ts'
import type { Readiness } from './readiness.ts'
import type { Route } from './routes.ts'
import { headOfSlice, lengthOf, rangeOfSlice, sliceKey, slicesWithin } from './slice.ts'
import { judge, SliceError, type Unusable } from './slice-answer.ts'
import type { Claim } from './slice-claim.ts'
import { SlicedBody } from './sliced-body.ts'
import { firstMissing } from './slices-wanted.ts'
import { asForAll, shared, urgencyOf } from './upstream-request.ts'

/** How long a body is filled whole after its slices did not fit together. */
const WHOLE_MS = 60_000
const MAX_KEYS = 16_384
/** How often a slice that landed while it was looked for is looked for again. */
const MAX_LOOKS = 8
/** So many slices are looked for in one turn of the event loop when a body is forgotten. */
const AT_A_TIME = 256
const NEVER = new AbortController().signal

export class Slices {
  readonly #context: FencedContext
  readonly #flights = new Flights()
  readonly #wholeUntil = new LRUCache<CacheKey, Instant>({ max: MAX_KEYS })
  readonly #changedAt = new LRUCache<CacheKey, Instant>({ max: MAX_KEYS })
  readonly #onRead: (key: CacheKey) => void
  #landings = 0

  /** `onRead` is told of each slice that a viewer comes to. */
  constructor(context: FencedContext, onRead: (key: CacheKey) => void) {
    this.#context = context
    this.#onRead = onRead
  }

  /** Slices on their way. */
  get flights(): number {
    return this.#flights.size
  }

  /** Whether slices of this key did not fit together lately, so that it is to be asked for whole. */
  isToBeWhole(key: CacheKey): boolean {
    return (this.#wholeUntil.get(key) ?? 0) > this.#context.clock()
  }

  /** The response with a body that can be read, on behalf of this request; itself when it is not sliced. */
  attach(route: Route, request: RequestHead, stored: StoredResponse): StoredResponse {
    const { head } = stored
    const { sliced } = head
    if (sliced === undefined) return stored
    const claim = { route, request, head, sliced }
    const body = new SlicedBody(sliced, {
      obtain: async (index, part, signal) => (await this.#obtain(claim, index, signal ?? NEVER, part)).body,
      expect: (index) => this.#expect(claim, index),
    })
    return { head, body }
  }

  /** The response with all that the request wants of it, when that lies in memory; counts as a use of it. */
  held({ head }: StoredResponse, request: RequestHead): StoredResponse | undefined {
    const { sliced } = head
    if (sliced === undefined) return undefined
    const held = heldSlices(this.#context.store, head, sliced, request)
    if (held === undefined) return undefined
    for (const index of held.keys()) this.#onRead(sliceKey(head.key, sliced, index))
    return { head, body: new HeldSlices(sliced, held) }
  }

  /** Whether all that the request wants is stored somewhere. */
  areStored({ head }: StoredResponse, request: RequestHead): boolean {
    const { sliced } = head
    return sliced === undefined || firstMissing(this.#context.store, head, sliced, request) === undefined
  }

  /** Has the first bytes that the request wants on their way, so that what is wrong with them shows before the head left. */
  async prepare(
    route: Route,
    request: RequestHead,
    { head }: StoredResponse,
    signal: AbortSignal,
  ): Promise<Readiness> {
    const { sliced } = head
    const missing =
      sliced === undefined ? undefined : firstMissing(this.#context.store, head, sliced, request)
    if (sliced === undefined || missing === undefined) return { kind: 'here' }
    const isRunning = this.#running(sliceKey(head.key, sliced, missing.index), route, request) !== undefined
    if (!missing.isFirst)
      return { kind: 'asked', isCollapsed: isRunning, fwdStatus: undefined, kept: undefined }
    try {
      const { filled } = await this.#obtain({ route, request, head, sliced }, missing.index, signal)
      if (filled === undefined) return { kind: 'here' }
      return { kind: 'asked', isCollapsed: isRunning, fwdStatus: filled.fwdStatus, kept: filled.kept }
    } catch (error) {
      if (!(error instanceof SliceError)) throw error
      return { kind: error.reason === 'refused' ? 'refused' : 'forgotten' }
    }
  }

  /** A slice came that was not asked for here: with the head of the whole. Taken unless it is stored already. */
  adopt(head: StoredHead, sliced: Sliced, index: number, target: string, response: UpstreamResponse): void {
    const key = sliceKey(head.key, sliced, index)
    if (!this.#isToBeHad(key)) {
      response.cancel()
      return
    }
    this.#flights.start(key, () =>
      this.#journey((land) => this.#receive({ head, sliced }, index, target, response, land)),
    )
  }

  /** Forgets the slices of a body, those under way among them. Never rejects; nobody has to wait for it. */
  async forget(head: StoredHead): Promise<void> {
    const { store } = this.#context
    const { sliced } = head
    if (sliced === undefined) return
    for (const index of slicesWithin(sliced, { first: 0, last: sliced.size - 1 })) {
      const key = sliceKey(head.key, sliced, index)
      for (const flight of this.#flights.detach(key)) void flight.landed.then(() => store.delete(key))
      if (store.has(key)) await store.delete(key)
      // There may be a million of them, and others have to be served meanwhile.
      else if (index % AT_A_TIME === 0) await nextTurn()
    }
  }

  async #obtain(claim: Claim, index: number, signal: AbortSignal, part?: ByteRange): Promise<Had> {
    const { store } = this.#context
    const { head, sliced, request } = claim
    const key = sliceKey(head.key, sliced, index)
    // The head is used whenever one of its slices is, so that it is not evicted before them.
    store.use(head.key)
    this.#onRead(key)
    for (let look = 1; ; look++) {
      const landings = this.#landings
      const inMemory = store.peek(key, request)
      if (inMemory !== undefined) return inMemory
      const running = this.#running(key, claim.route, request)
      if (running !== undefined) return await this.#wait(claim, running, 'follower', signal)
      const stored = await store.get(key, request, part)
      if (stored !== undefined) return stored
      // It may have been on its way, or have landed, while the disk was asked: what is here is not asked for again.
      const isNews = landings !== this.#landings || this.#flights.has(key)
      if (!isNews || look === MAX_LOOKS) {
        return await this.#wait(claim, this.#start(claim, index), 'leader', signal)
      }
    }
  }

  async #wait(claim: Claim, flight: Flight, part: Part, signal: AbortSignal): Promise<Had> {
    let filled: Filled
    try {
      filled = await flight.wait(part, signal, () => urgencyOf(claim.request))
    } catch (error) {
      if (error instanceof SliceError && error.reason !== 'refused') await this.#givenUp(claim, error.reason)
      throw error
    }
    if (filled.kind === 'stored') return { body: filled.stored.body, filled }
    throw new SliceError('refused', filled.reason)
  }

  /** Its slices do not fit together any more: it is forgotten, and when that happens again soon it is filled whole. */
  async #givenUp({ head, sliced, request }: Claim, reason: Unusable): Promise<void> {
    const { store, clock } = this.#context
    const { key } = head
    const now = clock()
    if (reason === 'unranged') this.#wholeUntil.set(key, now + WHOLE_MS)
    const hasChangedLately = now - (this.#changedAt.get(key) ?? Number.NEGATIVE_INFINITY) < WHOLE_MS
    const stored = await store.get(key, request)
    // Only one of those who find it out; another may have stored what is true now.
    if (stored?.head.sliced?.generation !== sliced.generation) return
    if (hasChangedLately) this.#wholeUntil.set(key, now + WHOLE_MS)
    this.#changedAt.set(key, now)
    await store.delete(key)
    void this.forget(head)
  }

  #expect(claim: Claim, index: number): void {
    const key = sliceKey(claim.head.key, claim.sliced, index)
    if (!this.#isToBeHad(key)) return
    // Waited for, so that it goes on when nobody else does; who comes to it is told what became of it.
    this.#start({ ...claim, isAhead: true }, index)
      .wait('leader', NEVER)
      .catch(() => undefined)
  }

  /** Sets out for a slice that nobody asked for yet; undefined: it is here, on its way, or of another body by now. */
  ahead(asked: Omit<Claim, 'sliced'>, index: number, signal: AbortSignal): Sent | undefined {
    const { request, head } = asked
    const { sliced, key } = head
    if (sliced === undefined || !this.#isToBeHad(sliceKey(key, sliced, index))) return undefined
    if (this.#context.store.peek(key, request)?.head.sliced?.generation !== sliced.generation)
      return undefined
    const claim = { ...asked, sliced, isAhead: true }
    const flight = this.#start(claim, index)
    const came = this.#wait(claim, flight, 'leader', signal).catch((error: unknown) => {
      if (!(error instanceof SliceError)) throw error
    })
    // One of those who wait is this.
    const isAwaited = (): boolean => flight.waiting > 1
    return { head: came.then((had) => had?.filled), landed: flight.landed, isAwaited }
  }

  /** Neither stored nor on its way. */
  #isToBeHad(key: CacheKey): boolean {
    return !this.#context.store.has(key) && !this.#flights.has(key)
  }

  #running(key: CacheKey, { mostHops }: Route, request: RequestHead): Flight | undefined {
    const mayJoin = ({ body }: StoredResponse): boolean => !(body instanceof GrowingBody) || body.isJoinable
    return this.#flights.find(key, request, mayJoin, mostHops)
  }

  #start(claim: Claim, index: number): Flight {
    const key = sliceKey(claim.head.key, claim.sliced, index)
    const { route, head, sliced } = claim
    const hops = route.source.hopsTo?.(fillKey(head.key, rangeOfSlice(sliced, index))) ?? 0
    return this.#flights.start(key, (signal, urged) => ({
      ...this.#journey((land) => this.#ask(claim, index, { signal, urged }, land)),
      hops: { now: hops },
    }))
  }

  #journey(set: (land: () => void) => Promise<Filled>): Journey {
    const landed = Promise.withResolvers<void>()
    const { fence } = this.#context
    const mark = fence.depart()
    void landed.promise.then(() => fence.arrive(mark))
    const land = (): void => {
      this.#landings++
      landed.resolve()
    }
    const outcome = set(land)
    outcome.catch(land)
    return { outcome, landed: landed.promise }
  }

  async #ask(
    claim: Claim,
    index: number,
    how: { readonly signal: AbortSignal; readonly urged: Promise<void> },
    land: () => void,
  ): Promise<Filled> {
    const { route, request, head, sliced } = claim
    const range = rangeOfSlice(sliced, index)
    const forAll = asForAll(head, shared(route, request, this.#context.node), route.cookies)
    const asked = ranged(forAll, range, bindingValidator(head.fields))
    const response = await route.source
      .fetch(asked, how.signal, {
        urgency: urgencyOf(request),
        urged: how.urged,
        key: fillKey(head.key, range),
      })
      .catch((error: unknown) => {
        throw isRangeLie(error) ? new SliceError('unranged', error.message) : error
      })
    const error = judge(response.head, head, sliced, range)
    if (error === undefined) return await this.#receive(claim, index, request.target, response, land)
    response.cancel()
    throw error
  }

  /** A slice once begun is finished, unless it drips: it is small, and whoever asked for it is near it still. */
  async #receive(
    { head, sliced, isAhead }: Pick<Claim, 'head' | 'sliced' | 'isAhead'>,
    index: number,
    target: string,
    response: UpstreamResponse,
    land: () => void,
  ): Promise<Filled> {
    const bytes = lengthOf(rangeOfSlice(sliced, index))
    const sliceHead = { ...headOfSlice(head, sliced, index), ...copyOfSlice(response.copy, isAhead) }
    const body = exactly(response.body, bytes)
    const kept = await flow(this.#context, { target }, sliceHead, bytes, body, land)
    if (kept === undefined) throw new Error('a slice is larger than what passes through memory')
    return { kind: 'stored', ...kept, fwdStatus: 206 }
  }
}

interface Had {
  readonly body: Body
  /** Undefined: it was stored. */
  readonly filled?: Filled & { readonly kind: 'stored' }
}
