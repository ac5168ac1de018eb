/** How long a response is fresh, and how old it is (RFC 9111 section 4.2, RFC 5861, RFC 8246). */
import { type CacheControl, MAX_DELTA_SECONDS, responseDirectives } from './cache-control.ts'
import { isDigits } from './grammar.ts'
import { fieldLines, type Instant, type ReceivedHead, type ResponseHead } from './heads.ts'
import { parseHttpDate } from './http-date.ts'

/**
 * A response's life on the time line. Plain data that survives JSON: every instant is finite.
 *
 * bornAt <= freshUntil <= staleWhileRevalidateUntil and staleIfErrorUntil <= LAST_INSTANT.
 */
export interface Freshness {
  /** When its age was zero; never after it was received. */
  readonly bornAt: Instant
  /** Fresh if and only if now < freshUntil. With mustValidate it is bornAt, so that nobody serves it by mistake. */
  readonly freshUntil: Instant
  /** Until when it may be served stale while it is validated; freshUntil where that is not allowed. */
  readonly staleWhileRevalidateUntil: Instant
  /** Until when it may be served stale because validation fails; freshUntil where that is not allowed. */
  readonly staleIfErrorUntil: Instant
  /** An unqualified no-cache: never served without a successful validation. */
  readonly mustValidate: boolean
  /** While fresh it does not change, and a viewer's reload is no reason to validate it (RFC 8246). */
  readonly immutable: boolean
  /** Whether the origin said how long. */
  readonly explicit: boolean
}

/** What applies where the origin is silent. */
export interface SilentLifetime {
  readonly freshMs: number
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
}

export interface FreshnessOptions {
  /**
   * The origin held the request until there was something to answer (LL-HLS), so the time it took is no age. Then
   * apparent_age and Age alone count; RFC 9111 section 4.2.3 offers them as independent measures.
   */
  readonly held?: boolean
}

/** The last instant a Date can hold: what "for ever" is capped at. */
export const LAST_INSTANT: Instant = 8_640_000_000_000_000

/** The life of a response as it was received; `silent` fills in what the origin left unsaid. */
export function freshnessOf(
  head: ReceivedHead,
  silent: SilentLifetime,
  options: FreshnessOptions = {},
): Freshness {
  const { directives, targeted } = responseDirectives(head.fields)
  const mustValidate = directives.noCache === true
  const bornAt = head.receivedAt - initialAgeMs(head, options.held === true)
  const explicitMs = explicitLifetimeMs(head, directives, targeted, head.receivedAt)
  // RFC 9111 section 4.2.2 lets a cache choose the lifetime when the origin gave none.
  const lifetimeMs = mustValidate ? 0 : (explicitMs ?? silent.freshMs)
  const freshUntil = capped(bornAt, lifetimeMs)
  return {
    bornAt,
    freshUntil,
    staleWhileRevalidateUntil: capped(
      freshUntil,
      staleMs(
        directives,
        directives.staleWhileRevalidateSeconds,
        explicitMs === undefined ? silent.staleWhileRevalidateMs : 0,
      ),
    ),
    staleIfErrorUntil: capped(
      freshUntil,
      // RFC 9111 section 5.2.2.10: s-maxage implies proxy-revalidate, so only the origin itself may allow stale.
      staleMs(
        directives,
        directives.staleIfErrorSeconds,
        directives.sMaxageSeconds === undefined ? silent.staleIfErrorMs : 0,
      ),
    ),
    mustValidate,
    immutable: directives.immutable,
    explicit: explicitMs !== undefined,
  }
}

/**
 * The lifetime the origin states (RFC 9111 section 4.2.1), or undefined when it states none. What cannot be read or
 * contradicts itself is 0: already stale. `now` stands in for a missing Date.
 */
export function explicitLifetimeMs(
  head: ResponseHead,
  directives: CacheControl,
  targeted: boolean,
  now: Instant,
): number | undefined {
  const seconds = directives.sMaxageSeconds ?? directives.maxAgeSeconds
  if (seconds !== undefined) return seconds * 1000
  // RFC 9213 section 2.2: a targeted field silences Expires too.
  const lines = targeted ? [] : fieldLines(head.fields, 'expires')
  const [first] = lines
  if (first === undefined) return undefined
  const expiresAt = parseHttpDate(first, now)
  if (expiresAt === undefined || lines.some((line) => parseHttpDate(line, now) !== expiresAt)) return 0
  return Math.max(0, expiresAt - (dateOf(head, now) ?? now))
}

/**
 * The lifetime that a cache may guess where the origin states none: a tenth of the time for which it has not changed
 * (RFC 9111 section 4.2.2), in milliseconds; 0 without a Last-Modified that lies before the Date.
 */
export function heuristicLifetimeMs(head: ReceivedHead): number {
  const [lastModified, ...more] = fieldLines(head.fields, 'last-modified')
  if (lastModified === undefined || more.length > 0) return 0
  const changedAt = parseHttpDate(lastModified, head.receivedAt)
  if (changedAt === undefined) return 0
  return Math.max(0, Math.floor(((dateOf(head, head.receivedAt) ?? head.receivedAt) - changedAt) / 10))
}

/** The same life cut short: nothing asks a cache to keep a response for as long as it might (RFC 9111 section 4.2). */
export function shortened(freshness: Freshness, lifetimeMs: number): Freshness {
  const freshUntil = Math.min(freshness.freshUntil, capped(freshness.bornAt, lifetimeMs))
  return { ...freshness, freshUntil, staleWhileRevalidateUntil: freshUntil, staleIfErrorUntil: freshUntil }
}

export function isFresh(freshness: Freshness, now: Instant): boolean {
  return now < freshness.freshUntil
}

/** Whole seconds, from 0 to 2^31: what the Age field carries (RFC 9111 section 5.1). */
export function ageSeconds(freshness: Freshness, now: Instant): number {
  return Math.min(Math.max(0, Math.floor((now - freshness.bornAt) / 1000)), MAX_DELTA_SECONDS)
}

/** Whole seconds of freshness left, negative when stale: the ttl of Cache-Status (RFC 9211 section 2.4). */
export function remainingSeconds(freshness: Freshness, now: Instant): number {
  return Math.floor((freshness.freshUntil - now) / 1000)
}

/** RFC 9111 section 4.2.3, corrected_initial_age, in milliseconds. */
function initialAgeMs(head: ReceivedHead, held: boolean): number {
  const dateAt = dateOf(head, head.receivedAt)
  // Date is cut to whole seconds; counting the rest as age would make one-second manifests stale on arrival.
  const apparentSeconds =
    dateAt === undefined ? 0 : Math.max(0, Math.floor((head.receivedAt - dateAt) / 1000))
  const responseDelayMs = held ? 0 : Math.max(0, head.receivedAt - head.requestedAt)
  return Math.max(apparentSeconds * 1000, ageValueSeconds(head) * 1000 + responseDelayMs)
}

/** RFC 9111 section 5.1: of several values the first counts; one that is not a number is ignored. */
function ageValueSeconds(head: ResponseHead): number {
  const [first = ''] = fieldLines(head.fields, 'age')
  const comma = first.indexOf(',')
  const value = (comma === -1 ? first : first.slice(0, comma)).trim()
  return isDigits(value) ? Math.min(Number(value), MAX_DELTA_SECONDS) : 0
}

function dateOf(head: ResponseHead, now: Instant): Instant | undefined {
  const [first] = fieldLines(head.fields, 'date')
  return first === undefined ? undefined : parseHttpDate(first, now)
}

/** How long past its freshness a response may be used: what the origin says, unless it forbids all such use. */
function staleMs(directives: CacheControl, saidSeconds: number | undefined, silentMs: number): number {
  // RFC 9111 section 4.2.4.
  if (directives.mustRevalidate || directives.proxyRevalidate || directives.noCache === true) return 0
  // RFC 5861 extends Cache-Control and so stands above the proxy-revalidate that s-maxage implies.
  return saidSeconds === undefined ? silentMs : saidSeconds * 1000
}

function capped(from: Instant, durationMs: number): Instant {
  return Math.min(from + Math.max(0, durationMs), LAST_INSTANT)
}
