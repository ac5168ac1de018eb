/** Every error a client can see: one table of name, code, status and Proxy-Status word (RFC 9209 section 2.3). */

interface ErrorEntry {
  readonly status: number
  /** The error type of Proxy-Status; undefined where the proxy itself answers for a fault of the request's form. */
  readonly proxyStatus: string
  readonly message: string
}

/** One entry an error; docs/errors.md says of each what it means and what to do (and a test that it does). */
export const ERRORS = {
  BAD_REQUEST: { status: 400, proxyStatus: 'http_request_error', message: 'The request is not valid HTTP.' },
  BAD_TARGET: {
    status: 400,
    proxyStatus: 'http_request_error',
    message: 'The request target is not an absolute path without dot segments and NUL.',
  },
  BAD_DIRECTIVES: {
    status: 400,
    proxyStatus: 'http_request_error',
    message:
      'The playlist has no such segment or part, and none that is about to come (_HLS_msn, _HLS_part, _HLS_skip).',
  },
  UNEXPECTED_BODY: {
    status: 400,
    proxyStatus: 'http_request_error',
    message: 'A GET or HEAD request carries no body here.',
  },
  HEAD_TOO_LARGE: {
    status: 431,
    proxyStatus: 'http_request_error',
    message: 'The request head is larger than 16 KiB.',
  },
  REQUEST_TIMEOUT: {
    status: 408,
    proxyStatus: 'http_request_error',
    message: 'The request head did not arrive in time.',
  },
  BAD_EVENTS: {
    status: 400,
    proxyStatus: 'http_request_error',
    message: 'The body holds no event of CMCD, of which each line is to be one.',
  },
  EVENTS_TOO_LARGE: {
    status: 413,
    proxyStatus: 'http_request_error',
    message: 'The body holds more than 256 KiB or 500 events.',
  },
  TOO_MANY_EVENTS: {
    status: 429,
    proxyStatus: 'http_request_denied',
    message: 'More events came than are taken in a second.',
  },
  BAD_ORDER: {
    status: 400,
    proxyStatus: 'http_request_error',
    message: 'The order cannot be followed.',
  },
  ORDER_TYPE: {
    status: 415,
    proxyStatus: 'http_request_error',
    message: 'An order is JSON (Content-Type: application/json).',
  },
  ORDER_TOO_LARGE: {
    status: 413,
    proxyStatus: 'http_request_error',
    message: 'An order has at most 256 KiB.',
  },
  TOO_MANY_JOBS: {
    status: 429,
    proxyStatus: 'http_request_denied',
    message: 'Too many jobs are under way already.',
  },
  NOT_FOUND: { status: 404, proxyStatus: 'http_request_denied', message: 'There is nothing here.' },
  NO_ROUTE: { status: 404, proxyStatus: 'destination_not_found', message: 'No route leads there.' },
  ONLY_IF_CACHED: {
    status: 504,
    proxyStatus: 'http_request_denied',
    message: 'Not stored here, and the request asked for nothing else (only-if-cached).',
  },
  DESTINATION_UNAVAILABLE: {
    status: 503,
    proxyStatus: 'destination_unavailable',
    message: 'The origin failed repeatedly and is asked again in a moment.',
  },
  CONNECTION_LIMIT: {
    status: 503,
    proxyStatus: 'connection_limit_reached',
    message: 'Too many requests wait for the origin already.',
  },
  DNS_ERROR: { status: 502, proxyStatus: 'dns_error', message: "The origin's name could not be resolved." },
  DNS_TIMEOUT: {
    status: 504,
    proxyStatus: 'dns_timeout',
    message: "The origin's name was not resolved in time.",
  },
  CONNECTION_REFUSED: {
    status: 502,
    proxyStatus: 'connection_refused',
    message: 'The origin refused the connection.',
  },
  CONNECTION_TERMINATED: {
    status: 502,
    proxyStatus: 'connection_terminated',
    message: 'The origin closed the connection before its response.',
  },
  CONNECTION_TIMEOUT: {
    status: 504,
    proxyStatus: 'connection_timeout',
    message: 'The origin could not be connected to in time.',
  },
  UNREACHABLE: {
    status: 502,
    proxyStatus: 'destination_ip_unroutable',
    message: 'No network path leads to the origin.',
  },
  TLS_ERROR: { status: 502, proxyStatus: 'tls_protocol_error', message: 'No TLS session with the origin.' },
  TLS_CERTIFICATE: {
    status: 502,
    proxyStatus: 'tls_certificate_error',
    message: "The origin's certificate is not valid.",
  },
  RESPONSE_TIMEOUT: {
    status: 504,
    proxyStatus: 'http_response_timeout',
    message: "The origin's response did not begin in time.",
  },
  READ_TIMEOUT: {
    status: 504,
    proxyStatus: 'connection_read_timeout',
    message: 'The origin fell silent in the middle of its response.',
  },
  RESPONSE_INCOMPLETE: {
    status: 502,
    proxyStatus: 'http_response_incomplete',
    message: "The origin's response ended before it was complete.",
  },
  RESPONSE_HEAD_TOO_LARGE: {
    status: 502,
    proxyStatus: 'http_response_header_section_size',
    message: "The origin's response head is too large.",
  },
  RESPONSE_PROTOCOL: {
    status: 502,
    proxyStatus: 'http_protocol_error',
    message: "The origin's response is not valid HTTP.",
  },
  RESPONSE_RANGE: {
    status: 502,
    proxyStatus: 'http_protocol_error',
    message: "The origin's partial response is not the part that was asked for.",
  },
  BAD_MANIFEST: {
    status: 502,
    proxyStatus: 'http_response_body_size',
    message: 'The origin sent something that is not a manifest, or a manifest without end.',
  },
  MANIFEST_UNREAD: {
    status: 503,
    proxyStatus: 'proxy_internal_error',
    message: 'The manifest is long, and could not be read in time.',
  },
  LOOP: {
    status: 508,
    proxyStatus: 'proxy_loop_detected',
    message: 'The request has been here before: two proxies send it to each other.',
  },
  INTERNAL: {
    status: 500,
    proxyStatus: 'proxy_internal_error',
    message: 'Relais failed; the log says more.',
  },
} as const satisfies Record<string, ErrorEntry>

export type ErrorName = keyof typeof ERRORS

export interface RelaisErrorOptions {
  /** What those who run the node are told of it, beside the message: where, what was expected, and what came. */
  readonly told?: string
  readonly details?: string
  readonly cause?: unknown
  readonly nextHop?: string | undefined
  readonly receivedStatus?: number | undefined
  readonly retryAfterSeconds?: number
}

/** Whether an origin answered with another part than it was asked for: then the whole may still be right. */
export function isRangeLie(error: unknown): error is RelaisError {
  return error instanceof RelaisError && error.code === 'RESPONSE_RANGE'
}

/** An error that a client may see. `details` and `cause` are for the log, not for the client. */
export class RelaisError extends Error {
  override readonly name = 'RelaisError'
  readonly code: ErrorName
  /** The upstream that was asked, for Proxy-Status `next-hop`. */
  readonly nextHop: string | undefined
  /** The status that the upstream answered with, for Proxy-Status `received-status`. */
  readonly receivedStatus: number | undefined
  /** For those who run the node, beside the message. */
  readonly told: string | undefined
  /** When it is worth another try, for Retry-After; undefined where nobody can tell. */
  readonly retryAfterSeconds: number | undefined

  constructor(code: ErrorName, options: RelaisErrorOptions = {}) {
    const { details, told, cause, nextHop, receivedStatus, retryAfterSeconds } = options
    super(details === undefined ? ERRORS[code].message : `${ERRORS[code].message} (${details})`, { cause })
    this.code = code
    this.told = told
    this.nextHop = nextHop
    this.receivedStatus = receivedStatus
    this.retryAfterSeconds = retryAfterSeconds
  }

  get status(): number {
    return ERRORS[this.code].status
  }
}
