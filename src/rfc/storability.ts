/** Whether a response may be stored, why not, and which of its fields (RFC 9111 section 3). */
import { type CacheControl, responseDirectives } from './cache-control.ts'
import { hopByHopNames, omitFields } from './connection.ts'
import { explicitLifetimeMs } from './freshness.ts'
import { simpleList } from './grammar.ts'
import { type Fields, fieldValue, type RequestHead, type ResponseHead } from './heads.ts'

/**
 * Why a response may not be stored.
 *
 * - `method`: the request was not a GET.
 * - `status`: not final, a 304, one that must be understood and is not, or one that is stored only when the origin
 *   says so, which it did not.
 * - `no-store`: the origin forbids it.
 * - `private`: the origin means it for one viewer.
 * - `authorization`: the request carried credentials, and the origin did not say that the answer is for all.
 * - `cookie`: the request carried cookies, and the origin did not say how long or that the answer is for all.
 * - `set-cookie`: it sets a cookie, and the origin did not say that the answer is for shared caches.
 * - `vary-any`: it depends on more than the request (`Vary: *`).
 * - `partial`: it is a part, and parts are kept as slices, not as responses.
 * - `no-lifetime`: it could never be used again: neither fresh for any time nor possible to validate.
 */
export type NotStorable =
  | 'method'
  | 'status'
  | 'no-store'
  | 'private'
  | 'authorization'
  | 'cookie'
  | 'set-cookie'
  | 'vary-any'
  | 'partial'
  | 'no-lifetime'

/**
 * `forward`: the origin saw the viewer's cookies, so its answer may depend on them. `drop`: it did not. `share`: cookies
 * are no secret of one viewer, and RFC 9111 section 7.3 is taken by its word.
 */
export type CookiePolicy = 'forward' | 'drop' | 'share'

export interface StoragePolicy {
  readonly cookies: CookiePolicy
  /** How long a response of this kind is fresh where the origin is silent; 0 for not at all. */
  readonly silentFreshMs: number
}

/** RFC 9110 section 15.1; not 206, which is never stored as a response. */
export const HEURISTICALLY_CACHEABLE: ReadonlySet<number> = new Set([
  200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501,
])

/** The statuses whose caching rules are obeyed here, for must-understand (RFC 9111 section 5.2.2.3). */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  ...HEURISTICALLY_CACHEABLE,
  302,
  303,
  307,
  400,
  401,
  403,
  500,
  502,
  503,
  504,
])

/** RFC 9111 section 3.1, what is computed anew for each answer, and what speaks of one delivery to one viewer. */
const NEVER_STORED: ReadonlySet<string> = new Set([
  'age',
  'cmsd-dynamic',
  'content-length',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'set-cookie',
])

/** Why the response may not be stored; undefined when it may. Request directives are advice and not heard here. */
export function storability(
  request: RequestHead,
  response: ResponseHead,
  policy: StoragePolicy,
): NotStorable | undefined {
  const { status, fields } = response
  const { directives, targeted } = responseDirectives(fields)
  if (request.method !== 'GET') return 'method'
  if (status === 206) return 'partial'
  if (status < 200 || status > 599 || status === 304) return 'status'
  // RFC 9111 section 5.2.2.3: who understands the status and obeys its rules ignores the no-store beside it.
  if (directives.mustUnderstand && !UNDERSTOOD.has(status)) return 'status'
  if (directives.noStore && !directives.mustUnderstand) return 'no-store'
  if (directives.isPrivate === true) return 'private'
  if (has(request.fields, 'authorization') && !isForAuthorized(directives)) return 'authorization'
  // RFC 9111 section 7.3 would replay the cookie to everyone; stored, the response loses it.
  const isCookieOfOne = policy.cookies !== 'share' && has(fields, 'set-cookie')
  if (isCookieOfOne && !targeted && !isForShared(directives)) return 'set-cookie'
  // Whether there is a lifetime does not depend on the time, so any instant will do.
  const isExplicit = explicitLifetimeMs(response, directives, targeted, 0) !== undefined
  if (policy.cookies === 'forward' && has(request.fields, 'cookie') && !isExplicit && !directives.isPublic) {
    return 'cookie'
  }
  if (varyNamesAny(fields)) return 'vary-any'
  if (!isExplicit && !directives.isPublic && !HEURISTICALLY_CACHEABLE.has(status)) return 'status'
  const hasValidator = has(fields, 'etag') || has(fields, 'last-modified')
  const mayBeFresh = directives.noCache !== true && (isExplicit || policy.silentFreshMs > 0)
  return mayBeFresh || hasValidator ? undefined : 'no-lifetime'
}

/** The fields a cache keeps (RFC 9111 section 3.1); Content-Length comes back with the body's own length. */
export function storedFields(response: ResponseHead, cookies: CookiePolicy = 'forward'): Fields {
  const omitted = new Set([...NEVER_STORED, ...hopByHopNames(response.fields)])
  for (const name of namesOfOneUse(response.fields)) omitted.add(name)
  if (cookies === 'share') omitted.delete('set-cookie')
  return omitFields(response.fields, omitted)
}

/** What is not kept and yet was meant for the viewer who asked: its cookie, and what may be used once only. */
export function unsharedFields({ fields }: ResponseHead, cookies: CookiePolicy): Fields | undefined {
  const names = namesOfOneUse(fields)
  if (cookies === 'forward') names.push('set-cookie')
  const ends = hopByHopNames(fields)
  let unshared: Record<string, string | readonly string[]> | undefined
  for (const name of names) {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (value === undefined || ends.has(name) || (name !== 'set-cookie' && NEVER_STORED.has(name))) continue
    unshared ??= {}
    unshared[name] = value
  }
  return unshared
}

/** RFC 9111 sections 5.2.2.4 and 5.2.2.7: the qualified forms speak of the listed fields only. */
function namesOfOneUse(fields: Fields): string[] {
  const { noCache, isPrivate } = responseDirectives(fields).directives
  return [noCache, isPrivate].flatMap((names) => (typeof names === 'object' ? names : []))
}

/** RFC 9111 section 5.2.2.9: then any final status may be stored. */
export function isSaidToBePublic(fields: Fields): boolean {
  return responseDirectives(fields).directives.isPublic
}

/** Whether the origin forbids storing it, or means it for one viewer. */
export function isKeptFromSharing(fields: Fields): boolean {
  const { noStore, isPrivate } = responseDirectives(fields).directives
  return noStore || isPrivate === true
}

/** RFC 9111 section 3.5. */
function isForAuthorized(directives: CacheControl): boolean {
  return directives.mustRevalidate || isForShared(directives)
}

function isForShared(directives: CacheControl): boolean {
  return directives.isPublic || directives.sMaxageSeconds !== undefined
}

function has(fields: Fields, name: string): boolean {
  return fields[name] !== undefined
}

function varyNamesAny(fields: Fields): boolean {
  return simpleList(fieldValue(fields, 'vary')).includes('*')
}
