/** A request as the judge sees it, made of what Node parsed; and the targets that are refused. */
import type { IncomingMessage } from 'node:http'
import { type ErrorName, RelaisError } from '../errors.ts'
import type { RequestHead } from '../rfc/heads.ts'

/** A dot segment in any spelling, or NUL: the origin would see another path than the route was chosen by. */
const UNSAFE = /(?:\/|\\|%2f|%5c)(?:\.|%2e){1,2}(?:\/|\\|%2f|%5c|\?|#|$)|%00/i
const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i
/** RFC 3986 section 3.2.2 with an optional port (RFC 9110 section 7.2). */
const HOST = /^(?:\[[\w.:~!$&'()*+,;=-]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/

/** The request's head. Its target may be in absolute form, which every server accepts (RFC 9112 section 3.2.2). */
export function requestHead(message: IncomingMessage): RequestHead {
  const { method = 'GET', url = '/', headers, socket } = message
  return { method, target: originForm(url), fields: headers, connection: socket }
}

/** Rejects what no part of Relais may act on; called once for each request that memory does not answer. */
export function checkRequest(message: IncomingMessage, request: RequestHead): void {
  const fault = faultOf(message, request)
  if (fault !== undefined) throw new RelaisError(fault)
}

/** Whether `checkRequest` would let it pass. */
export function isSoundRequest(message: IncomingMessage, request: RequestHead): boolean {
  return faultOf(message, request) === undefined
}

function faultOf(message: IncomingMessage, request: RequestHead): ErrorName | undefined {
  const { method, target } = request
  if (!hasSoundHost(message) || !hasSoundCoding(message)) return 'BAD_REQUEST'
  // OPTIONS * is about the server as a whole (RFC 9110 section 9.3.7).
  if (target === '*' && method === 'OPTIONS') return undefined
  if (!isSafeTarget(target)) return 'BAD_TARGET'
  // RFC 9110 section 9.3.1: such content has no meaning, and a proxy that reads it differently smuggles requests.
  if ((method === 'GET' || method === 'HEAD') && hasBody(message)) return 'UNEXPECTED_BODY'
  return undefined
}

/** Whether a target is a path that means the same to everyone on its way. */
export function isSafeTarget(target: string): boolean {
  return target.startsWith('/') && !UNSAFE.test(target.split('?', 1)[0] ?? '')
}

/** RFC 9112 section 3.2: one Host that can be one; HTTP/1.0 did not know it yet. */
export function hasSoundHost(message: IncomingMessage): boolean {
  const { headers, httpVersionMinor } = message
  const count = countHosts(message)
  return count === 0 ? httpVersionMinor === 0 : count === 1 && HOST.test(headers.host ?? '')
}

/** How often the request names its host. Node hands over the first only. */
export function countHosts({ rawHeaders }: IncomingMessage): number {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length !== 4) continue
    if (name === 'Host' || name === 'host' || name.toLowerCase() === 'host') count++
  }
  return count
}

/**
 * Whether the content is framed in a way that leaves nothing to interpretation. Node's parser has refused a length
 * beside a coding, and codings after chunked; what it lets through would be lost on the way (a coding before chunked),
 * or is read differently by others (any coding from HTTP/1.0, RFC 9112 section 6.1).
 */
function hasSoundCoding({ headers, httpVersionMinor }: IncomingMessage): boolean {
  const coding = headers['transfer-encoding']
  return coding === undefined || (httpVersionMinor > 0 && coding.toLowerCase() === 'chunked')
}

/** Whether content follows the head, however little. */
function hasBody(message: IncomingMessage): boolean {
  const length = message.headers['content-length']
  return message.headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0)
}

/** Whether content is still to come, which nobody will read. */
export function isUnread(message: IncomingMessage): boolean {
  return !message.complete && hasBody(message)
}

function originForm(target: string): string {
  if (target.startsWith('/')) return target
  const authority = ABSOLUTE_FORM.exec(target)?.[0]
  if (authority === undefined) return target
  const rest = target.slice(authority.length)
  return rest.startsWith('/') ? rest : `/${rest}`
}
