/** What went wrong on the road, in the words of RFC 9209. */
import { errors } from 'undici'
import { type ErrorName, RelaisError } from '../errors.ts'

const BY_CODE: Readonly<Record<string, ErrorName>> = {
  ENOTFOUND: 'DNS_ERROR',
  ESERVFAIL: 'DNS_ERROR',
  EAI_FAIL: 'DNS_ERROR',
  EAI_NODATA: 'DNS_ERROR',
  EAI_AGAIN: 'DNS_TIMEOUT',
  ETIMEOUT: 'DNS_TIMEOUT',
  ECONNREFUSED: 'CONNECTION_REFUSED',
  ECONNRESET: 'CONNECTION_TERMINATED',
  EPIPE: 'CONNECTION_TERMINATED',
  UND_ERR_SOCKET: 'CONNECTION_TERMINATED',
  ETIMEDOUT: 'CONNECTION_TIMEOUT',
  UND_ERR_CONNECT_TIMEOUT: 'CONNECTION_TIMEOUT',
  EHOSTUNREACH: 'UNREACHABLE',
  ENETUNREACH: 'UNREACHABLE',
  EADDRNOTAVAIL: 'UNREACHABLE',
  UND_ERR_HEADERS_TIMEOUT: 'RESPONSE_TIMEOUT',
  UND_ERR_BODY_TIMEOUT: 'READ_TIMEOUT',
  UND_ERR_HEADERS_OVERFLOW: 'RESPONSE_HEAD_TOO_LARGE',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'RESPONSE_INCOMPLETE',
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: 'INTERNAL',
  CERT_HAS_EXPIRED: 'TLS_CERTIFICATE',
  CERT_NOT_YET_VALID: 'TLS_CERTIFICATE',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'TLS_CERTIFICATE',
  SELF_SIGNED_CERT_IN_CHAIN: 'TLS_CERTIFICATE',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'TLS_CERTIFICATE',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'TLS_CERTIFICATE',
  ERR_TLS_CERT_ALTNAME_INVALID: 'TLS_CERTIFICATE',
  // Undici asserts what a status may be.
  ERR_ASSERTION: 'RESPONSE_PROTOCOL',
}

/** What `error` means before the head has come (`head`), or in the middle of a body. */
export function upstreamError(error: unknown, nextHop: string, during: 'head' | 'body'): RelaisError {
  if (error instanceof RelaisError) return error
  const code = codeOf(error)
  let name = BY_CODE[code]
  // The parser's own code (HPE_…) does not always get through.
  if (error instanceof errors.HTTPParserError) name = 'RESPONSE_PROTOCOL'
  if (name === undefined && (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS'))) name = 'TLS_ERROR'
  if (during === 'head') {
    // Before there is a body its length cannot be wrong: the head has several, or one beside a transfer coding.
    if (name === 'RESPONSE_INCOMPLETE') name = 'RESPONSE_PROTOCOL'
    if (error instanceof errors.SocketError && error.message === 'bad upgrade') name = 'RESPONSE_PROTOCOL'
  }
  // Half a body has its own word, whatever took the connection away.
  if (during === 'body' && name === 'CONNECTION_TERMINATED') name = 'RESPONSE_INCOMPLETE'
  const details = error instanceof Error ? error.message : String(error)
  return new RelaisError(name ?? 'CONNECTION_TERMINATED', { details, cause: error, nextHop })
}

/** Happy Eyeballs reports all its attempts at once; the first one speaks for them. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0])
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : ''
}
