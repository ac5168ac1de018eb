/** The request as it goes upstream: a viewer's own, or one that stands for all who wait for the same. */
import { CMCD_HEADERS, readCmcd } from '../media/cmcd.ts'
import { appendCdnLoop, appended, appendVia, endToEnd, omitFields } from '../rfc/connection.ts'
import { FOR_MANY } from '../rfc/forwarded.ts'
import { type Fields, fieldValue, type RequestHead, type ResponseHead } from '../rfc/heads.ts'
import { type CookiePolicy, storability } from '../rfc/storability.ts'
import { normalisedEncoding } from '../rfc/vary.ts'
import type { Urgency } from '../upstream/source.ts'
import type { Route } from './routes.ts'

/** What players say of themselves in fields: no answer to all can depend on it, for no request on behalf of all says it. */
export const ABOUT_THE_PLAYER: readonly string[] = [...CMCD_HEADERS, 'x-playback-session-id']

/** What only speaks for one viewer: its position, its copy, its session, its address. A shared fill sends none of it. */
const OF_ONE_VIEWER: ReadonlySet<string> = new Set([
  'range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  ...ABOUT_THE_PLAYER,
  'forwarded',
  'x-forwarded-for',
  'x-real-ip',
  'priority',
])

/** The length and the host belong to the message that came, not to the one that goes. */
const OF_THE_MESSAGE: ReadonlySet<string> = new Set(['host', 'content-length', 'expect'])
const CACHE_DIRECTIVES: ReadonlySet<string> = new Set(['cache-control', 'pragma'])
const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'cookie'])
const COOKIE: ReadonlySet<string> = new Set(['cookie'])
const OF_A_PART: ReadonlySet<string> = new Set(['range', 'if-range'])

/** With less in the buffer the picture stops before a slow origin has answered. */
const SHORT_BUFFER_MS = 2_000

/** One viewer's request, passed on as it is. */
export function passedOn(route: Route, request: RequestHead, node: string): RequestHead {
  const all = common(route, request, node)
  // RFC 9110 section 14.2: ranges are for GET alone. Origins that do not know it answer a HEAD with a 206.
  const fields = request.method === 'HEAD' ? omitFields(all, OF_A_PART) : all
  const { asker } = request
  if (asker === undefined) return toRoute(route, request, fields)
  const forwarded = appended(fieldValue(request.fields, 'forwarded'), asker.forwarded)
  const before = fieldValue(request.fields, 'x-forwarded-for')
  // Who believes the older field must not take for this viewer's address what the viewer wrote there himself.
  const older = before === undefined ? {} : { 'x-forwarded-for': appended(before, asker.address) }
  return toRoute(route, request, { ...fields, forwarded, ...older })
}

/** The request of a fill: its response is for everyone. */
export function shared(route: Route, request: RequestHead, node: string): RequestHead {
  let fields = omitFields(common(route, request, node), OF_ONE_VIEWER)
  if (route.requestDirectives === 'ignore') fields = omitFields(fields, CACHE_DIRECTIVES)
  // Few encodings, so that few variants arise.
  const encoding = normalisedEncoding(fieldValue(request.fields, 'accept-encoding'))
  const target = withoutCmcd(request.target)
  return toRoute(
    route,
    { ...request, target },
    { ...fields, forwarded: FOR_MANY, 'accept-encoding': encoding },
  )
}

/** Whether the viewer is in a hurry. CMCD `su` and `bs` say so; `bl` and `dl` below two seconds come to the same. A player's word: good for a place in a queue. */
export function urgencyOf(request: RequestHead): Urgency {
  const cmcd = readCmcd(request.target, request.fields)
  if (cmcd === undefined) return 'soon'
  const { su, bs, bl = SHORT_BUFFER_MS, dl = SHORT_BUFFER_MS } = cmcd
  return su || bs || bl < SHORT_BUFFER_MS || dl < SHORT_BUFFER_MS ? 'now' : 'soon'
}

/** What a player says of itself is not about all who wait (CTA-5004); every other byte stays, for signatures hold them. */
export function withoutCmcd(target: string): string {
  const question = target.indexOf('?')
  if (question < 0 || !target.includes('CMCD=', question)) return target
  const parameters = target.slice(question + 1).split('&')
  const others = parameters.filter((parameter) => !parameter.startsWith('CMCD='))
  if (others.length === parameters.length) return target
  const path = target.slice(0, question)
  return others.length === 0 ? path : `${path}?${others.join('&')}`
}

/**
 * The same without the viewer's credentials, where the answer to a request with them could not be kept beside what is
 * stored (RFC 9111 section 3.5): that was had without them as well.
 */
export function asForAll(stored: ResponseHead, request: RequestHead, cookies: CookiePolicy): RequestHead {
  const reason = storability(request, stored, { cookies, silentFreshMs: 1 })
  const isOfOne = reason === 'authorization' || reason === 'cookie'
  return isOfOne ? { ...request, fields: omitFields(request.fields, CREDENTIALS) } : request
}

/** The same with the validators of what is stored (RFC 9111 section 4.3.1). */
export function conditional(request: RequestHead, validators: Fields): RequestHead {
  return { ...request, fields: { ...request.fields, ...validators } }
}

function common(route: Route, request: RequestHead, node: string): Fields {
  let fields = withoutOurs(omitFields(endToEnd(request.fields), OF_THE_MESSAGE))
  if (route.cookies === 'drop') fields = omitFields(fields, COOKIE)
  return {
    ...fields,
    via: appendVia(request.fields, '1.1', node),
    'cdn-loop': appendCdnLoop(request.fields, node),
  }
}

/** What siblings tell each other: a viewer has no say in it, and no origin has to know. */
function withoutOurs(fields: Fields): Fields {
  const ours = Object.keys(fields).filter((name) => name.startsWith('relais-'))
  return ours.length === 0 ? fields : omitFields(fields, new Set(ours))
}

function toRoute(route: Route, { method, target, asker }: RequestHead, fields: Fields): RequestHead {
  return { method, target: target.slice(route.prefix.length), fields, asker }
}
