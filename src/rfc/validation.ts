/** Validation in both directions: asking the origin, and answering a viewer's conditions (RFC 9111 section 4.3). */
import { omitFields } from './connection.ts'
import { entityTagOf, isStrongTag, listMatches, strongMatch, weakMatch } from './entity-tag.ts'
import {
  type Fields,
  fieldLines,
  fieldValue,
  type Instant,
  type RequestHead,
  type ResponseHead,
} from './heads.ts'
import { parseHttpDate } from './http-date.ts'
import { type CookiePolicy, storedFields } from './storability.ts'

/**
 * What becomes of a request's conditions: there are `none` that hold here, the stored response is `not-modified` for
 * the viewer, or only the origin can tell (`beyond-caches`: If-Match, If-Unmodified-Since).
 */
export type Precondition = 'none' | 'not-modified' | 'beyond-caches'

/** What a 304 leaves as it was: it describes the stored bytes (RFC 9111 section 3.2), which it did not bring. */
const DESCRIBES_STORED_BYTES: ReadonlySet<string> = new Set([
  'content-digest',
  'content-encoding',
  'content-length',
  'content-md5',
  'content-range',
  'content-type',
  'digest',
  'etag',
  'repr-digest',
])

/** RFC 9110 section 15.4.5: metadata of a representation that a 304 does not carry. */
const NOT_IN_304: ReadonlySet<string> = new Set([
  'content-digest',
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-range',
  'content-type',
  'digest',
  'repr-digest',
])
const NOT_IN_304_WITH_ETAG: ReadonlySet<string> = new Set([...NOT_IN_304, 'last-modified'])

/** There is no clock here: the two-digit years of RFC 850, which no origin of today sends, lie around this one. */
const TODAY: Instant = Date.UTC(2026, 0, 1)

/** The conditional fields that validate a stored response (RFC 9111 section 4.3.1); undefined without a validator. */
export function validatorsOf(fields: Fields): Fields | undefined {
  const tag = entityTagOf(fields)
  const lastModified = lastModifiedOf(fields)
  if (tag === undefined && lastModified === undefined) return undefined
  return {
    ...(tag === undefined ? {} : { 'if-none-match': tag }),
    ...(lastModified === undefined ? {} : { 'if-modified-since': lastModified }),
  }
}

/** Evaluates what a cache may evaluate (RFC 9111 section 4.3.2); called for GET and HEAD. */
export function precondition(request: RequestHead, stored: ResponseHead): Precondition {
  const { fields } = request
  if (isBeyondCaches(request)) return 'beyond-caches'
  // RFC 9110 section 13.2.1: conditions are for answers that would succeed.
  if (stored.status < 200 || stored.status > 299) return 'none'
  const list = fieldValue(fields, 'if-none-match')
  if (list !== undefined) {
    // RFC 9110 section 13.1.3: with If-None-Match, If-Modified-Since is not looked at.
    if (list === '*') return 'not-modified'
    const tag = entityTagOf(stored.fields)
    return tag !== undefined && listMatches(list, tag) ? 'not-modified' : 'none'
  }
  const since = fields['if-modified-since']
  if (typeof since !== 'string' || stored.status !== 200) return 'none'
  return isUnmodifiedSince(stored.fields, since) ? 'not-modified' : 'none'
}

/** Whether the request has a condition on the origin's state, which only the origin can evaluate (RFC 9111 section 4.3.2). */
export function isBeyondCaches({ fields }: RequestHead): boolean {
  return fields['if-match'] !== undefined || fields['if-unmodified-since'] !== undefined
}

/**
 * The stored fields brought up to date by a 304 (RFC 9111 sections 3.2 and 4.3.4). Undefined: the 304 speaks of
 * another representation and must not update this one.
 *
 * Age is not among the result, and neither is a Date that the 304 did not renew: the new freshness is
 * `freshnessOf({ ...received, status: stored.status, fields: { ...freshened, age: received.fields.age } }, ...)`.
 */
export function freshen(
  stored: Fields,
  notModified: Fields,
  cookies: CookiePolicy = 'forward',
): Fields | undefined {
  if (!isAboutSame(stored, notModified)) return undefined
  const { date: _, ...undated } = stored
  const news = omitFields(storedFields({ status: 304, fields: notModified }, cookies), DESCRIBES_STORED_BYTES)
  return { ...undated, ...news }
}

/** Of a stored response's fields those a 304 made from it carries (RFC 9110 section 15.4.5). */
export function notModifiedFields(fields: Fields): Fields {
  return omitFields(fields, fields.etag === undefined ? NOT_IN_304 : NOT_IN_304_WITH_ETAG)
}

/** Whether bytes of two responses with equal validators may be put together (RFC 9110 section 8.8.1). */
export function hasStrongValidator(fields: Fields): boolean {
  if (fields.etag === undefined) return isLastModifiedStrong(fields)
  const tag = entityTagOf(fields)
  return tag !== undefined && isStrongTag(tag)
}

/** RFC 9110 section 8.8.2.2: strong when a second or more passed before the response was made. */
export function isLastModifiedStrong(fields: Fields): boolean {
  const lastModified = instantOf(fields, 'last-modified')
  const date = instantOf(fields, 'date')
  return lastModified !== undefined && date !== undefined && date - lastModified >= 1000
}

/** Whether a 304's validators are those of the stored response (RFC 9111 section 4.3.4). */
function isAboutSame(stored: Fields, notModified: Fields): boolean {
  if (notModified.etag !== undefined) {
    const before = entityTagOf(stored)
    const after = entityTagOf(notModified)
    if (before === undefined || after === undefined) return false
    return isStrongTag(after) ? strongMatch(before, after) : weakMatch(before, after)
  }
  const before = lastModifiedOf(stored)
  const after = lastModifiedOf(notModified)
  if (before === undefined || after === undefined || before === after) return true
  return instantOf(stored, 'last-modified') === instantOf(notModified, 'last-modified')
}

function isUnmodifiedSince(stored: Fields, since: string): boolean {
  if (since === stored['last-modified']) return true
  // RFC 9111 section 4.3.2: without Last-Modified, Date stands in.
  const changedAt = instantOf(stored, 'last-modified') ?? instantOf(stored, 'date')
  if (changedAt === undefined) return false
  // No clock here: a two-digit year is taken for the one nearest to the stored date.
  const sinceAt = parseHttpDate(since, changedAt)
  return sinceAt !== undefined && changedAt <= sinceAt
}

/** A Last-Modified that is a date, as it came. */
function lastModifiedOf(fields: Fields): string | undefined {
  return instantOf(fields, 'last-modified') === undefined ? undefined : fieldLines(fields, 'last-modified')[0]
}

function instantOf(fields: Fields, name: string): Instant | undefined {
  const lines = fieldLines(fields, name)
  const [line] = lines
  return line === undefined || lines.length > 1 ? undefined : parseHttpDate(line, TODAY)
}
