/** How the demo origin speaks HTTP: open to pages of other origins, its clock in Date, its refusals in a sentence. */
import type { ServerResponse } from 'node:http'
import type { Instant } from '../rfc/heads.ts'
import type { Answer } from './answer.ts'

export const ALLOWED_METHODS = 'GET, HEAD, OPTIONS'

export const CORS: Readonly<Record<string, string>> = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Age, Date, Content-Length, Content-Range, ETag, Cache-Status',
}

const PREFLIGHT: Readonly<Record<string, string>> = {
  'access-control-allow-methods': ALLOWED_METHODS,
  'access-control-allow-headers':
    'Range, If-Range, If-None-Match, If-Modified-Since, CMCD-Request, CMCD-Object, CMCD-Status, CMCD-Session',
  'access-control-max-age': '86400',
}

/**
 * The clock handed in is the only one: UTCTiming, Date and the live edge must agree. Called when the answer is made,
 * which for a held one is long after it was asked for: a Date from then would make it look aged (RFC 9111 section 4.2.3).
 */
export function setDate(response: ServerResponse, now: Instant): void {
  response.sendDate = false
  response.setHeader('date', new Date(now).toUTCString())
}

export function sendAnswer(response: ServerResponse, method: string, { status, fields, body }: Answer): void {
  response.writeHead(status, { ...CORS, ...fields }).end(method === 'HEAD' ? undefined : body)
}

export function sendPreflight(response: ServerResponse): void {
  response.writeHead(204, { ...CORS, ...PREFLIGHT }).end()
}

export function refuse(
  response: ServerResponse,
  method: string,
  status: number,
  message: string,
  fields: Readonly<Record<string, string>> = {},
): void {
  const body = `${message}\n`
  response
    .writeHead(status, {
      ...CORS,
      ...fields,
      'content-type': 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(body),
    })
    .end(method === 'HEAD' ? undefined : body)
}
