/** The head of a response as it will be stored, or why it may not be. */

import { type ManifestFacts, timingOf } from '../media/facts.ts'
import type { MediaKind } from '../media/kind.ts'
import { admissionOf } from '../media/lifetimes.ts'
import { type FreshnessOptions, freshnessOf, shortened } from '../rfc/freshness.ts'
import { type Fields, isMissing, type ReceivedHead } from '../rfc/heads.ts'
import { formatHttpDate } from '../rfc/http-date.ts'
import { type CookiePolicy, storability, storedFields } from '../rfc/storability.ts'
import { variantOf } from '../rfc/vary.ts'
import type { StoredHead } from '../store/store.ts'
import { isCoded, withVary } from './codings.ts'
import type { FillContext, NotKept, Order } from './journey.ts'
import { silenceOf } from './silence.ts'
import { ABOUT_THE_PLAYER } from './upstream-request.ts'

/** RFC 8470 section 5.2: it speaks of one request and its instant, whatever lifetime it was given. */
const TOO_EARLY = 425

const IGNORED: ReadonlySet<string> = new Set(ABOUT_THE_PLAYER)
const IGNORED_OF_TEXT: ReadonlySet<string> = new Set([...IGNORED, 'accept-encoding'])
const KEPT_WHEN_TOLD: ReadonlySet<MediaKind> = new Set(['key', 'steering', 'asset-list'])

/** `facts` are those of the manifest, where it is one. */
export function describe(
  context: FillContext,
  order: Order,
  kind: MediaKind,
  head: ReceivedHead,
  manifest: ManifestFacts | undefined,
): StoredHead | NotKept {
  const { request, route } = order
  if (head.status === TOO_EARLY) return 'status'
  const facts = { manifest, stream: context.streams.timingOf(request.target) }
  const silent = silenceOf(kind, facts, request, head)
  const reason = storability(request, head, { cookies: route.cookies, silentFreshMs: silent.freshMs })
  if (reason !== undefined) return reason
  // Of a text the codings are made here, so that one stored response serves them all.
  const length = head.fields['content-length']
  const isText = isCoded(kind, head.fields, length === undefined ? undefined : Number(length))
  const variant = variantOf(request, head, isText ? IGNORED_OF_TEXT : IGNORED)
  if (variant === undefined) return 'vary-any'
  if (!isFramed(head)) return 'unframed'
  const told = freshnessOf(head, silent, heldBy(order))
  // What is missing at the live edge is about to be there, whatever an error page says of itself.
  const isAboutToCome = isMissing(head.status) && facts.stream?.live === true
  const freshness = isAboutToCome ? shortened(told, silent.freshMs) : told
  if (KEPT_WHEN_TOLD.has(kind) && !freshness.explicit) return 'kind'
  const isManifestOfLive = manifest !== undefined && (timingOf(manifest) ?? facts.stream)?.live === true
  return {
    key: order.key,
    status: head.status,
    fields: isText ? withVary(toStore(head, route.cookies)) : toStore(head, route.cookies),
    variant,
    freshness,
    silent,
    kind,
    admission: admissionOf(kind, facts),
    storedAt: head.receivedAt,
    askedAt: head.requestedAt,
    mark: order.mark,
    ...(isManifestOfLive ? { isLive: true } : {}),
  }
}

/** RFC 9110 section 6.6.1: who receives a response without a Date adds it. */
export function toStore(head: ReceivedHead, cookies: CookiePolicy): Fields {
  const fields = storedFields(head, cookies)
  return fields['date'] === undefined ? { ...fields, date: formatHttpDate(head.receivedAt) } : fields
}

/** A blocking reload was held by the origin until there was something to say; that time is no age (HLS appendix C). */
export function heldBy({ request, held }: Pick<Order, 'request' | 'held'>): FreshnessOptions {
  return { held: held !== undefined || /[?&]_HLS_msn=/.test(request.target) }
}

/**
 * Whether the message says where its body ends. One that ends with its connection may be stored (RFC 9112 section 8), but
 * a reset in the middle of it is reported as its end, and a cut body must never be taken for whole.
 */
function isFramed({ status, fields }: ReceivedHead): boolean {
  return status === 204 || fields['content-length'] !== undefined || fields['transfer-encoding'] !== undefined
}
