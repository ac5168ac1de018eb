/** A fill: asks upstream, decides what may be kept, and has it kept while all who wait read it. */
import { isManifest, type MediaKind } from '../media/kind.ts'
import { admissionOf, silentLifetime } from '../media/lifetimes.ts'
import { omitFields } from '../rfc/connection.ts'
import { type FreshnessOptions, freshnessOf } from '../rfc/freshness.ts'
import type { Fields, ReceivedHead, RequestHead } from '../rfc/heads.ts'
import { formatHttpDate } from '../rfc/http-date.ts'
import { storability, storedFields } from '../rfc/storability.ts'
import { freshen, validatorsOf } from '../rfc/validation.ts'
import { variantOf } from '../rfc/vary.ts'
import type { StoredHead, StoredResponse } from '../store/store.ts'
import type { UpstreamResponse } from '../upstream/source.ts'
import { recognise } from './first-chunk.ts'
import { flow, type Kept, keep } from './flow.ts'
import type { FillContext, Filled, Journey, NotKept, Order } from './journey.ts'
import { collect, type Manifest } from './manifest-body.ts'
import type { Route } from './routes.ts'
import { conditional, shared } from './upstream-request.ts'

const KEPT_WHEN_TOLD: ReadonlySet<MediaKind> = new Set(['key', 'steering'])
const SET_COOKIE: ReadonlySet<string> = new Set(['set-cookie'])

/** Sets out. The outcome rejects with a RelaisError, or with the signal's reason when nobody waited any more. */
export function fill(context: FillContext, order: Order, signal: AbortSignal): Journey {
  const landed = Promise.withResolvers<void>()
  const outcome = ask(context, order, signal, landed.resolve)
  outcome.catch(() => landed.resolve())
  return { outcome, landed: landed.promise }
}

async function ask(
  context: FillContext,
  order: Order,
  signal: AbortSignal,
  land: () => void,
): Promise<Filled> {
  const request = shared(order.route, order.request, context.node)
  const validators = order.stored === undefined ? undefined : validatorsOf(order.stored.head.fields)
  const asked = validators === undefined ? request : conditional(request, validators)
  const response = await order.route.source.fetch(asked, signal)
  if (response.head.status !== 304 || order.stored === undefined) {
    return receive(context, order, response, land)
  }
  response.cancel()
  const renewed = await renew(context, order, order.stored, response.head)
  if (renewed === undefined) {
    // The 304 speaks of something else than what is stored (RFC 9111 section 4.3.4): ask without a condition.
    return ask(context, { ...order, stored: undefined }, signal, land)
  }
  land()
  return { kind: 'stored', ...renewed, fwdStatus: 304 }
}

/** A 304 came: the stored head lives on with what it says. Undefined when it does not belong to what is stored. */
async function renew(
  context: FillContext,
  order: Order,
  stored: StoredResponse,
  answer: ReceivedHead,
): Promise<Kept | undefined> {
  const freshened = freshen(stored.head.fields, answer.fields)
  if (freshened === undefined) return undefined
  const { status, silent } = stored.head
  // Its age is that of the 304, not of the stored response (RFC 9111 section 4.2.3).
  const told = { ...answer, status, fields: { ...freshened, age: answer.fields['age'] } }
  const freshness = freshnessOf(told, silent, heldBy(order.request))
  const head: StoredHead = { ...stored.head, fields: toStore(told), freshness }
  if (isForbidden(order, told)) {
    await context.store.delete(order.key)
    return { stored: { head, body: stored.body }, kept: false }
  }
  const kept = await context.store.refresh(head)
  return { stored: { head, body: stored.body }, kept }
}

/** Whether the origin has taken back what it once let be stored; what else speaks against it speaks of one request. */
function isForbidden(order: Order, told: ReceivedHead): boolean {
  const reason = storability(order.request, told, { cookies: order.route.cookies, silentFreshMs: 0 })
  return reason === 'no-store' || reason === 'private'
}

async function receive(
  context: FillContext,
  order: Order,
  arrived: UpstreamResponse,
  land: () => void,
): Promise<Filled> {
  const { route, request } = order
  const { kind, response } = await recognise(request.target, withoutCookies(route, arrived))
  const { head } = response
  const manifest = isManifest(kind) && head.status === 200 ? await collect(response, kind) : undefined
  if (manifest !== undefined) context.streams.learn(request.target, manifest.facts, head.receivedAt)
  const stored = describe(context, order, kind, head, manifest)
  if (typeof stored === 'string') {
    land()
    return { kind: 'not-storable', reason: stored, response: manifest?.response ?? response }
  }
  if (manifest !== undefined) {
    const kept = await keep(context.store, stored, manifest.bytes)
    land()
    return { kind: 'stored', ...kept, fwdStatus: head.status }
  }
  const flowing = await flow(context, order, stored, response, land)
  if (flowing === undefined) {
    land()
    return { kind: 'not-storable', reason: 'declined', response }
  }
  return { kind: 'stored', ...flowing, fwdStatus: head.status }
}

/** The head as it will be stored, or why it may not be. */
function describe(
  context: FillContext,
  order: Order,
  kind: MediaKind,
  head: ReceivedHead,
  manifest: Manifest | undefined,
): StoredHead | NotKept {
  const { request, route } = order
  const facts = { manifest: manifest?.facts, stream: context.streams.timingOf(request.target) }
  const silent = silentLifetime(kind, facts, head.status)
  const reason = storability(request, head, { cookies: route.cookies, silentFreshMs: silent.freshMs })
  if (reason !== undefined) return reason
  const variant = variantOf(request, head)
  if (variant === undefined) return 'vary-any'
  if (!isFramed(head)) return 'unframed'
  const freshness = freshnessOf(head, silent, heldBy(request))
  if (KEPT_WHEN_TOLD.has(kind) && !freshness.explicit) return 'kind'
  return {
    key: order.key,
    status: head.status,
    fields: toStore(head),
    variant,
    freshness,
    silent,
    kind,
    admission: admissionOf(kind, facts),
    storedAt: head.receivedAt,
  }
}

/**
 * Whether the message says where its body ends. One that ends with its connection may be stored (RFC 9112 section 8), but
 * a reset in the middle of it is reported as its end, and a cut body must never be taken for whole.
 */
function isFramed({ status, fields }: ReceivedHead): boolean {
  return status === 204 || fields['content-length'] !== undefined || fields['transfer-encoding'] !== undefined
}

/** RFC 9110 section 6.6.1: who receives a response without a Date adds it. */
function toStore(head: ReceivedHead): Fields {
  const fields = storedFields(head)
  return fields['date'] === undefined ? { ...fields, date: formatHttpDate(head.receivedAt) } : fields
}

function withoutCookies(route: Route, response: UpstreamResponse): UpstreamResponse {
  if (route.cookies === 'forward') return response
  const fields = omitFields(response.head.fields, SET_COOKIE)
  return { ...response, head: { ...response.head, fields } }
}

/** A blocking reload was held by the origin until there was something to say; that time is no age (HLS appendix C). */
function heldBy(request: RequestHead): FreshnessOptions {
  return { held: /[?&]_HLS_msn=/.test(request.target) }
}
