/** The answer that an error of ours becomes: its fields, and a body that programs can read. */
import { ERRORS, RelaisError } from '../errors.ts'
import { formatProxyStatus } from '../rfc/proxy-status.ts'
import type { Lines } from './head-lines.ts'

export interface ErrorAnswer {
  readonly lines: Lines
  readonly body: Uint8Array
}

/**
 * Nothing of what went on inside is told, only the name of the error, and to those who run the node what is wrong with
 * their order: `details` tells in Proxy-Status what several errors
 * of one type have no words for. There is no Cache-Status, for this is no answer of a cache (RFC 9211 section 2).
 * `requestId` is null where no request came about.
 */
export function errorAnswer(node: string, error: RelaisError, requestId: string | null): ErrorAnswer {
  const { code, told, nextHop, receivedStatus, retryAfterSeconds } = error
  const { message, proxyStatus } = ERRORS[code]
  const body = Buffer.from(
    JSON.stringify({ error: code, message: told === undefined ? message : `${message} ${told}`, requestId }),
  )
  const lines = [
    'content-type',
    'application/json; charset=utf-8',
    'content-length',
    String(body.byteLength),
    'cache-control',
    'no-store',
    'proxy-status',
    formatProxyStatus(node, { error: proxyStatus, nextHop, receivedStatus, details: code }),
    ...(retryAfterSeconds === undefined ? [] : ['retry-after', String(retryAfterSeconds)]),
  ]
  return { lines, body }
}

/** Who sends such a request may mean something else by what follows it. */
export function isDoubtful(error: unknown): boolean {
  return error instanceof RelaisError && error.code === 'BAD_REQUEST'
}

/** Such errors are told to whoever caused them, and are no news to whoever runs the node. */
export function isOfViewer(error: RelaisError): boolean {
  return error.status < 500 || error.code === 'ONLY_IF_CACHED'
}
