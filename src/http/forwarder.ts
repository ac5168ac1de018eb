/** The plain proxy: one request passed on as it is, to the origin and back, byte for byte. */
import type { IncomingMessage } from 'node:http'
import type { PassedAnswer } from '../cache/cache.ts'
import type { Route } from '../cache/routes.ts'
import { passedOn } from '../cache/upstream-request.ts'
import { RelaisError } from '../errors.ts'
import type { Forwarded } from '../rfc/cache-status.ts'
import { endToEnd, loops } from '../rfc/connection.ts'
import type { Clock, Fields, RequestHead } from '../rfc/heads.ts'
import { hasBody } from './request-head.ts'

/** Where a request of a route goes. */
export interface Destination {
  /** Scheme, host and port. */
  readonly address: string
  readonly host: string
  /** Stands for the route's prefix. */
  readonly path: string
}

/** What is used of the pool of connections to origins. */
export interface Pool {
  request(options: {
    readonly origin: string
    readonly path: string
    readonly method: string
    readonly headers: Record<string, string | string[]>
    readonly body: IncomingMessage | null
    readonly signal: AbortSignal
  }): Promise<{
    readonly statusCode: number
    readonly headers: Fields
    readonly body: AsyncIterable<Uint8Array> & {
      on(event: 'error', listener: () => void): unknown
      destroy(): unknown
    }
  }>
}

export interface ForwarderContext {
  readonly node: string
  readonly clock: Clock
  readonly pool: Pool
  readonly destinationOf: (route: Route) => Destination
  /** A write went through: what is stored of its target is no longer true. */
  readonly onWritten: (route: Route, target: string) => void
  readonly failure: (error: unknown, nextHop: string, during: 'head' | 'body') => RelaisError
}

/** RFC 9110 section 9.2.1; all others may change something at the origin. */
const SAFE: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'REPORT',
  'SEARCH',
  'QUERY',
])

export class Forwarder {
  readonly #context: ForwarderContext

  constructor(context: ForwarderContext) {
    this.#context = context
  }

  /**
   * Answers when the origin's head has come; a body streams while it comes. Never asks twice, for what is passed may
   * be more than a question. Rejects with a RelaisError, or with the signal's reason.
   */
  async forward(
    route: Route,
    message: IncomingMessage,
    request: RequestHead,
    fwd: Forwarded,
    signal: AbortSignal,
  ): Promise<PassedAnswer> {
    const { node, clock, pool, destinationOf, failure } = this.#context
    if (loops(request.fields, node)) throw new RelaisError('LOOP')
    const { address, host, path } = destinationOf(route)
    const { target, fields } = passedOn(route, request, node)
    const requestedAt = clock()
    let response: Awaited<ReturnType<Pool['request']>>
    try {
      response = await pool.request({
        origin: address,
        path: path + target,
        method: request.method,
        headers: { ...fields, ...lengthOf(message), host } as Record<string, string | string[]>,
        body: hasBody(message) ? message : null,
        signal,
      })
    } catch (error) {
      if (signal.aborted) throw signal.reason
      throw failure(error, host, 'head')
    }
    const { statusCode, headers, body } = response
    // RFC 9111 section 4.4.
    if (!SAFE.has(request.method) && statusCode >= 200 && statusCode < 400) {
      this.#context.onWritten(route, request.target)
    }
    return {
      kind: 'passed',
      outcome: 'pass',
      status: { hit: false, fwd, fwdStatus: statusCode },
      response: {
        head: {
          status: statusCode,
          fields: relocated(endToEnd(headers), path, route.prefix),
          requestedAt,
          receivedAt: clock(),
        },
        from: host,
        body: this.#read(body, host, signal),
        cancel: () => {
          body.on('error', () => undefined) // whoever cancels a transfer knows that it did not end
          body.destroy()
        },
      },
    }
  }

  async *#read(
    body: AsyncIterable<Uint8Array>,
    host: string,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    try {
      yield* body
    } catch (error) {
      if (signal.aborted) throw signal.reason
      throw this.#context.failure(error, host, 'body')
    }
  }
}

/** A body of known length stays one; the rest is chunked anew. */
function lengthOf(message: IncomingMessage): Fields {
  const length = message.headers['content-length']
  return length === undefined ? {} : { 'content-length': length }
}

/** The origin knows its own paths only; viewers see them under the route's prefix. */
function relocated(fields: Fields, path: string, prefix: string): Fields {
  const { location } = fields
  if (typeof location !== 'string' || path === prefix || !location.startsWith(path)) return fields
  return { ...fields, location: prefix + location.slice(path.length) }
}
