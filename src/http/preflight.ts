/** Answers browsers that ask whether a page may ask (CORS preflight), where the route settles that here. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { FOR_ALL_PAGES, PREFLIGHT_ANSWER } from '../cache/cross-origin.ts'
import type { RouteTable } from '../cache/routes.ts'
import type { Fields } from '../rfc/heads.ts'
import { checkRequest, isUnread, requestHead } from './request-head.ts'

/** So that a page may read why there is no answer. */
export const ERROR_FOR_ALL_PAGES: readonly string[] = linesOf(FOR_ALL_PAGES)

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD'])

/**
 * Of an OPTIONS that is not for the office. False: it is no preflight, it asks for more than reading, or its route leaves that to the origin; nothing was done. Throws
 * a RelaisError for a request that no part of Relais may act on. `accept` is called before anything is written.
 */
export function answeredPreflight(
  routes: RouteTable,
  message: IncomingMessage,
  response: ServerResponse,
  accept: () => unknown,
): boolean {
  const method = message.headers['access-control-request-method']
  if (method === undefined || !READING.has(method)) return false
  if (message.headers.origin === undefined || isUnread(message)) return false
  const request = requestHead(message)
  checkRequest(message, request)
  if (routes.match(request.target)?.cors !== 'edge') return false
  accept()
  response.writeHead(204, linesOf(PREFLIGHT_ANSWER)).end()
  return true
}

/** Names and values in turn; none of these comes on several lines. */
function linesOf(fields: Fields): string[] {
  return Object.entries(fields).flatMap(([name, value]) => (typeof value === 'string' ? [name, value] : []))
}
