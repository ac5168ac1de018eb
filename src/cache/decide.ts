/** What is done with a request, given what lies in store for it: one pure function. */
import { type CacheControl, parseCacheControl, responseDirectives } from '../rfc/cache-control.ts'
import { ageSeconds, type Freshness, isFresh, remainingSeconds } from '../rfc/freshness.ts'
import { fieldValue, type Instant, type RequestHead } from '../rfc/heads.ts'
import { isBeyondCaches, validatorsOf } from '../rfc/validation.ts'
import type { StoredResponse } from '../store/store.ts'
import type { Route } from './routes.ts'

export type Verdict =
  | { readonly kind: 'serve'; readonly stored: StoredResponse }
  /**
   * The origin allows it to be served once more while it is validated in the background (RFC 5861 section 3), or the
   * viewer takes it as old as it is (RFC 9111 section 5.2.1.2).
   */
  | {
      readonly kind: 'serve-stale'
      readonly stored: StoredResponse
      readonly why: 'stale-while-revalidate' | 'max-stale'
    }
  | { readonly kind: 'validate'; readonly stored: StoredResponse; readonly fwd: 'stale' | 'request' }
  /** `stale` is what may stand in when the origin fails, though it has no validator to be validated with. */
  | {
      readonly kind: 'fill'
      readonly fwd: 'uri-miss' | 'stale' | 'request'
      readonly stale: StoredResponse | undefined
    }
  | { readonly kind: 'pass'; readonly fwd: 'method' | 'request' }
  /** only-if-cached, and nothing that may be used lies here: 504 (RFC 9111 section 5.2.1.7). */
  | { readonly kind: 'refuse' }

/** A viewer's own directives, or what stands for them where the route ignores them. */
interface Demand {
  /** A stored response must be validated first. */
  readonly validated: boolean
  /** The response must not be stored. */
  readonly unstored: boolean
  readonly onlyIfCached: boolean
  /** How long past its freshness a response is welcome all the same. */
  readonly maxStaleMs: number
}

const NO_DEMAND: Demand = { validated: false, unstored: false, onlyIfCached: false, maxStaleMs: 0 }

export function decide(
  route: Route,
  request: RequestHead,
  stored: StoredResponse | undefined,
  now: Instant,
): Verdict {
  if (request.method !== 'GET' && request.method !== 'HEAD') return { kind: 'pass', fwd: 'method' }
  if (isBeyondCaches(request)) return { kind: 'pass', fwd: 'request' }
  const demand = demandOf(route, request, stored?.head.freshness, now)
  if (demand.unstored) return { kind: 'pass', fwd: 'request' }
  const verdict = withoutOrigin(stored, demand, now, route.home !== undefined)
  if (verdict !== undefined) return verdict
  if (demand.onlyIfCached) return { kind: 'refuse' }
  // An answer to HEAD has no body to store; a whole GET in its place would cost the origin what nobody asked for.
  if (request.method === 'HEAD') return { kind: 'pass', fwd: 'method' }
  if (stored === undefined) return { kind: 'fill', fwd: 'uri-miss', stale: undefined }
  const fwd = isFresh(stored.head.freshness, now) && !stored.head.freshness.mustValidate ? 'request' : 'stale'
  return validatorsOf(stored.head.fields) === undefined
    ? { kind: 'fill', fwd, stale: stored }
    : { kind: 'validate', stored, fwd }
}

/** Whether a stale response may stand in for an origin that failed (RFC 5861 section 4). */
export function mayStandIn(stored: StoredResponse, now: Instant): boolean {
  const { freshness } = stored.head
  return !freshness.mustValidate && now < freshness.staleIfErrorUntil
}

function withoutOrigin(
  stored: StoredResponse | undefined,
  demand: Demand,
  now: Instant,
  isForSibling: boolean,
): Verdict | undefined {
  if (stored === undefined || demand.validated) return undefined
  const { freshness } = stored.head
  if (freshness.mustValidate) return undefined
  if (isFresh(freshness, now)) return { kind: 'serve', stored }
  // A sibling asks because it wants to know; its own viewers were served meanwhile.
  if (!isForSibling && now < freshness.staleWhileRevalidateUntil)
    return { kind: 'serve-stale', stored, why: 'stale-while-revalidate' }
  if (now - freshness.freshUntil < demand.maxStaleMs && mayBeStale(stored))
    return { kind: 'serve-stale', stored, why: 'max-stale' }
  return undefined
}

/** Whether the origin leaves it to caches and viewers (RFC 9111 section 4.2.4). */
function mayBeStale({ head }: StoredResponse): boolean {
  const { directives } = responseDirectives(head.fields)
  const { mustRevalidate, proxyRevalidate, sMaxageSeconds } = directives
  return !mustRevalidate && !proxyRevalidate && sMaxageSeconds === undefined
}

/** RFC 9111 section 5.2.1: request directives are advisory, and on media routes they are ignored unless honoured. */
function demandOf(
  route: Route,
  request: RequestHead,
  freshness: Freshness | undefined,
  now: Instant,
): Demand {
  const value = fieldValue(request.fields, 'cache-control')
  const pragma = route.requestDirectives === 'honour' ? fieldValue(request.fields, 'pragma') : undefined
  if (value === undefined && pragma === undefined) return NO_DEMAND
  const directives = parseCacheControl(value)
  const { onlyIfCached } = directives
  // A sibling says how old it may be where the stream has begun anew since (present-run.ts).
  const isBounded =
    route.home !== undefined && freshness !== undefined && isTooOld(directives, freshness, now)
  if (route.requestDirectives === 'ignore') return { ...NO_DEMAND, onlyIfCached, validated: isBounded }
  // Pragma counts only where there is no Cache-Control (RFC 9111 section 5.4).
  const noCache = value === undefined ? /no-cache/i.test(pragma ?? '') : directives.noCache !== undefined
  const { maxStaleSeconds = 0 } = directives
  // RFC 8246 section 2: what does not change while it is fresh is not validated for a reload, only where that is forced.
  const isImmutable = freshness?.immutable === true && isFresh(freshness, now)
  const tooOld =
    isBounded || (freshness !== undefined && !isImmutable && isTooOld(directives, freshness, now))
  const tooShort =
    freshness !== undefined &&
    directives.minFreshSeconds !== undefined &&
    remainingSeconds(freshness, now) < directives.minFreshSeconds
  return {
    validated: noCache || tooOld || tooShort,
    unstored: directives.noStore,
    onlyIfCached,
    maxStaleMs: maxStaleSeconds === 'any' ? Number.POSITIVE_INFINITY : maxStaleSeconds * 1000,
  }
}

function isTooOld({ maxAgeSeconds }: CacheControl, freshness: Freshness, now: Instant): boolean {
  return maxAgeSeconds !== undefined && ageSeconds(freshness, now) >= maxAgeSeconds
}
