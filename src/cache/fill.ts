/** A fill: asks upstream, decides what may be kept, and has it kept while all who wait read it. */
import { isRangeLie } from '../errors.ts'
import { type DocumentKind, documentOf, type MediaKind } from '../media/kind.ts'
import { omitFields } from '../rfc/connection.ts'
import { freshnessOf } from '../rfc/freshness.ts'
import { declaredLength, fieldValue, type ReceivedHead, type ResponseHead } from '../rfc/heads.ts'
import type { ByteRange } from '../rfc/range.ts'
import { type NotStorable, storability, unsharedFields } from '../rfc/storability.ts'
import { freshen, validatorsOf } from '../rfc/validation.ts'
import type { StoredHead, StoredResponse } from '../store/store.ts'
import type { UpstreamResponse } from '../upstream/source.ts'
import { asCopy, asRenewedCopy } from './copies.ts'
import { Hops, whose } from './fill-key.ts'
import { recognise } from './first-chunk.ts'
import { flow, type Kept, keep, own } from './flow.ts'
import { asNewest } from './held-fill.ts'
import type { FillContext, Filled, Journey, Order } from './journey.ts'
import { relocated } from './localised.ts'
import { collect } from './manifest-body.ts'
import { bindingValidator, opened, openingRange, ranged } from './opening.ts'
import { unspoilt } from './other-origins.ts'
import { fetchOfRun } from './present-run.ts'
import { renewedFields, theirs } from './renewed-fields.ts'
import type { Route } from './routes.ts'
import { isSliceable } from './slice.ts'
import { isToBeCut, keepSliced, mayBeCut } from './sliced-fill.ts'
import { describe, heldBy } from './stored-head.ts'
import { conditional, shared } from './upstream-request.ts'

const SET_COOKIE: ReadonlySet<string> = new Set(['set-cookie'])

/** Sets out. The outcome rejects with a RelaisError, or with the signal's reason when nobody waited any more. */
export function fill(context: FillContext, order: Order, signal: AbortSignal): Journey {
  const landed = Promise.withResolvers<void>()
  const opening = openingRange(context, order)
  const hops = new Hops(order, opening)
  const outcome = unspoilt(context, order.route, order.request.target, signal, () =>
    ask(context, { ...order, hops }, opening, signal, landed.resolve),
  )
  const before = order.stored?.head
  outcome.then(
    (filled) => {
      // What is replaced takes its slices with it; where it is the same one they stay.
      if (filled.kind !== 'stored' || before?.sliced === undefined) return
      if (filled.stored.head.sliced?.generation !== before.sliced.generation)
        void context.slices.forget(before)
    },
    () => landed.resolve(),
  )
  return { outcome, landed: landed.promise, hops }
}

/** `opening`: the slice to begin with; undefined: the whole. */
async function ask(
  context: FillContext,
  order: Order,
  opening: ByteRange | undefined,
  signal: AbortSignal,
  land: () => void,
): Promise<Filled> {
  const { route, stored } = order
  const whole = shared(route, order.request, context.node)
  const request = opening === undefined ? whole : ranged(whole, opening)
  const validators = stored === undefined ? undefined : validatorsOf(theirs(stored.head))
  const asked = validators === undefined ? request : conditional(request, validators)
  let response: UpstreamResponse
  try {
    response = withoutCookies(route, await fetchOfRun(context, order, asked, whose(order, opening), signal))
  } catch (error) {
    if (opening === undefined || !isRangeLie(error)) throw error
    // The origin's ranges cannot be relied on; the whole may be.
    return ask(context, { ...order, stored: undefined }, undefined, signal, land)
  }
  if (response.head.status !== 304 || stored === undefined) {
    if (opening === undefined) return receive(context, order, response, mayBeCut(context, order), land)
    const again = (next: ByteRange | undefined): Promise<Filled> => {
      response.cancel()
      return ask(context, { ...order, stored: undefined }, next, signal, land)
    }
    return receiveOpened(context, order, opening, response, again, land)
  }
  response.cancel()
  const better = await context.guard.unmoved(order, response.from)
  if (better !== undefined) return receive(context, order, withoutCookies(route, better), false, land)
  const renewed = await renew(context, order, stored, response)
  if (renewed === undefined) {
    // The 304 speaks of something else than what is stored (RFC 9111 section 4.3.4): ask without a condition.
    return ask(context, { ...order, stored: undefined }, opening, signal, land)
  }
  land()
  const unshared = unsharedFields(response.head, order.route.cookies)
  return { kind: 'stored', ...renewed, fwdStatus: 304, unshared }
}

/** A 304 came: the stored head lives on with what it says. Undefined when it does not belong to what is stored. */
async function renew(
  context: FillContext,
  order: Order,
  stored: StoredResponse,
  { head: answer, copy }: UpstreamResponse,
): Promise<(Kept & { readonly withdrawn?: NotStorable }) | undefined> {
  const { cookies } = order.route
  const freshened = freshen(theirs(stored.head), answer.fields, cookies)
  if (freshened === undefined) return undefined
  const { status, silent } = stored.head
  // Its age is that of the 304, not of the stored response (RFC 9111 section 4.2.3).
  const told = { ...answer, status, fields: { ...freshened, age: answer.fields['age'] } }
  const freshness = freshnessOf(told, silent, heldBy(order))
  const renewed: StoredHead = {
    ...stored.head,
    fields: renewedFields(stored, told, cookies),
    freshness,
    askedAt: answer.requestedAt,
    mark: order.mark,
  }
  const isCopy = stored.head.copy !== undefined && copy !== undefined
  const head = isCopy ? asRenewedCopy(renewed) : renewed
  const withdrawn = withdrawnBy(order, told)
  if (withdrawn !== undefined) {
    await context.store.delete(order.key)
    void context.slices.forget(head)
    return { stored: { head, body: stored.body }, kept: false, withdrawn }
  }
  if (!context.fence.isGone(head)) context.streams.validated(order.request.target, answer.receivedAt)
  // It has become this node's own to keep.
  if (head.copy !== undefined && copy === undefined) return own(context.store, head, stored.body)
  const kept = await context.store.refresh(head)
  return { stored: { head, body: stored.body }, kept }
}

/** How the origin has taken back what it once let be stored; what else speaks against it speaks of one request. */
function withdrawnBy(order: Order, told: ReceivedHead): NotStorable | undefined {
  const reason = storability(order.request, told, { cookies: order.route.cookies, silentFreshMs: 0 })
  return reason === 'no-store' || reason === 'private' ? reason : undefined
}

/** What came in answer to the request for a slice. `again` asks anew: for another slice, or for the whole. */
async function receiveOpened(
  context: FillContext,
  order: Order,
  opening: ByteRange,
  response: UpstreamResponse,
  again: (opening: ByteRange | undefined) => Promise<Filled>,
  land: () => void,
): Promise<Filled> {
  const { status } = response.head
  // Whether there is anything so far back the first slice will tell, and viewers be told from then on.
  if (status === 416)
    return again(opening.first === 0 ? undefined : { first: 0, last: opening.last - opening.first })
  if (status !== 206) return receive(context, order, response, false, land)
  const part = opened(response, opening)
  switch (part.kind) {
    case 'whole': {
      const filled = await receive(context, order, part.response, false, land)
      return filled.kind === 'stored' ? { ...filled, fwdStatus: status } : filled
    }
    case 'unusable':
      land()
      return { kind: 'not-storable', reason: 'partial', response, isAsked: false }
    case 'slice': {
      if (bindingValidator(response.head.fields) === undefined) {
        if (part.size <= context.slicing.above) return again(undefined)
        land()
        return { kind: 'not-storable', reason: 'unbound', response, isAsked: false }
      }
      const sliceBytes = order.stored?.head.sliced?.sliceBytes ?? context.slicing.bytes
      if (!isSliceable({ size: part.size, sliceBytes })) {
        land()
        return { kind: 'not-storable', reason: 'declined', response, isAsked: false }
      }
      const arrived = await recognise(order.request.target, part.response, opening.first)
      if (documentIn(context, order, arrived.kind, part.response) !== undefined) return again(undefined)
      const described = describe(context, order, arrived.kind, part.response.head, undefined)
      if (typeof described === 'string') {
        land()
        return { kind: 'not-storable', reason: described, response, isAsked: false }
      }
      const stored = asCopy(described, response.copy, order.isAhead)
      const kept = await keepSliced(context, order, stored, opening.first, part.size, arrived.response, land)
      const unshared = unsharedFields(response.head, order.route.cookies)
      return { kind: 'stored', ...kept, fwdStatus: status, unshared }
    }
  }
}

/** What came in answer to the request for the whole; `isCut`: a large one is to be stored in slices. */
async function receive(
  context: FillContext,
  order: Order,
  arrived: UpstreamResponse,
  isCut: boolean,
  land: () => void,
): Promise<Filled> {
  const { request, route } = order
  const known = await recognise(request.target, relocated(context, arrived, request.target), 0)
  const { response } = known
  const asDocument =
    response.head.status === 200 ? documentIn(context, order, known.kind, response) : undefined
  const manifest =
    asDocument === undefined
      ? undefined
      : await collect(context.manifests, response, asDocument, request.target)
  const kind = manifest?.kind ?? known.kind
  const { head } = manifest?.response ?? response
  const described = isRefusedAhead(order, head)
    ? 'ahead'
    : describe(context, order, kind, head, manifest?.facts)
  const newest = asNewest(order.held, described, manifest?.facts)
  const stored = typeof newest === 'string' ? newest : asCopy(newest, response.copy, order.isAhead)
  // It says what was before a purge, and that is not to be held against what comes.
  const isOvertaken = (): boolean => typeof stored !== 'string' && context.fence.isGone(stored)
  // What is for one viewer says nothing of what others were shown.
  const isForAll = manifest?.facts !== undefined && typeof stored !== 'string' && !isOvertaken()
  const judged = isForAll
    ? await context.guard.judge(order, response, manifest.facts, stored.variant)
    : undefined
  if (judged?.kind === 'instead') {
    return receive(context, order, withoutCookies(route, judged.response), isCut, land)
  }
  if (judged?.kind === 'keep') {
    land()
    return { kind: 'stored', ...judged.kept, fwdStatus: head.status }
  }
  if (manifest?.facts !== undefined && !isOvertaken()) {
    const { requestedAt: askedAt, receivedAt: readAt } = head
    const variant = typeof stored === 'string' ? {} : stored.variant
    const version = { readAt, askedAt, variant, isRecalled: false }
    context.streams.learn(route.home ?? route, request.target, manifest.facts, version)
  }
  if (typeof stored === 'string') {
    land()
    return { kind: 'not-storable', reason: stored, response: manifest?.response ?? response, isAsked: true }
  }
  const unshared = unsharedFields(head, route.cookies)
  if (manifest !== undefined) {
    // What the origin held has made viewers wait already, and parts come by themselves (hints.ts).
    const arrival = order.held === undefined ? context.arrivalOf(request.target) : undefined
    if (arrival !== undefined) await arrival
    const newer = arrival === undefined ? undefined : await overtaking(context, order, stored)
    if (newer !== undefined) {
      land()
      return { kind: 'stored', stored: newer, kept: true, fwdStatus: head.status, unshared }
    }
    const kept = await keep(context.store, { ...stored, validators: manifest.validators }, manifest.bytes)
    land()
    return { kind: 'stored', ...kept, fwdStatus: head.status, unshared }
  }
  const size = declaredLength(head.fields)
  if (isCut && size !== undefined && isToBeCut(context, head, size)) {
    const kept = await keepSliced(context, order, stored, 0, size, response, land)
    return { kind: 'stored', ...kept, fwdStatus: head.status, unshared }
  }
  const { isWanted } = order
  const flowing = await flow(context, { target: request.target, isWanted }, stored, size, response.body, land)
  if (flowing === undefined) {
    land()
    return { kind: 'not-storable', reason: 'declined', response, isAsked: true }
  }
  return { kind: 'stored', ...flowing, fwdStatus: head.status, unshared }
}

/**
 * What came later than this, and is stored already, for the origin held it (LL-HLS) and nobody holds back such a version
 * here: it has been judged against this one, which must not take its place again.
 */
async function overtaking(
  { store }: FillContext,
  { request }: Order,
  { key, storedAt }: StoredHead,
): Promise<StoredResponse | undefined> {
  const lies = await store.get(key, request)
  return lies?.head.status === 200 && lies.head.storedAt > storedAt ? lies : undefined
}

/** What it is taken whole as; undefined: it is not. */
function documentIn(
  { named }: FillContext,
  { request }: Order,
  kind: MediaKind,
  { head }: UpstreamResponse,
): DocumentKind | undefined {
  return documentOf(kind, fieldValue(head.fields, 'content-type'), named.of(request.target))
}

/** What came instead of something that nobody asked for yet; that an origin fails it says to everyone. */
function isRefusedAhead({ isAhead }: Order, { status }: ResponseHead): boolean {
  return isAhead === true && status !== 200 && status < 500
}

function withoutCookies(route: Route, response: UpstreamResponse): UpstreamResponse {
  if (route.cookies !== 'drop') return response
  const fields = omitFields(response.head.fields, SET_COOKIE)
  return { ...response, head: { ...response.head, fields } }
}
