/** One request passed on as it is, to the origin and back: what is sent through the plain proxy, and what is made of its answer. */
import type { IncomingMessage } from 'node:http'
import type { PassedAnswer } from '../cache/cache.ts'
import type { Route } from '../cache/routes.ts'
import { passedOn } from '../cache/upstream-request.ts'
import { RelaisError } from '../errors.ts'
import type { Forwarded } from '../rfc/cache-status.ts'
import { endToEnd, loops } from '../rfc/connection.ts'
import type { Asker, Clock, Fields, RequestHead, ResponseHead } from '../rfc/heads.ts'
import type { Passage } from '../upstream/passage.ts'

/** Where a request of a route goes. */
export interface Destination {
  /** Scheme, host and port. */
  readonly address: string
  readonly host: string
  /** Stands for the route's prefix. */
  readonly path: string
  /** Settles when a request may be sent there; rejects with a RelaisError when it may not, or with the signal's reason. */
  admit(target: string, signal: AbortSignal): Promise<Passage>
}

/** What leaves through the plain proxy. */
export interface Onward {
  readonly address: string
  /** Path and query, byte for byte as they are to be sent. */
  readonly target: string
  readonly fields: Fields
  readonly signal: AbortSignal
  readonly onInterim: Asker['onInterim'] | undefined
}

/** What the plain proxy got for it. */
export interface Returned {
  readonly status: number
  readonly fields: Fields
  readonly body: AsyncIterable<Uint8Array> & {
    on(event: 'error' | 'close', listener: () => void): unknown
    destroy(): unknown
  }
}

/** Sends one request, with its body, through the plain proxy (floor.ts). Rejects with whatever went wrong. */
export type Send = (onward: Onward) => Promise<Returned>

export interface ForwarderContext {
  readonly node: string
  readonly clock: Clock
  readonly destinationOf: (route: Route) => Destination
  /** A request that may have changed something was answered, be it with a refusal: what is stored may be no longer true. */
  readonly onWritten: (route: Route, target: string, answer: ResponseHead) => void
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
    send: Send,
    signal: AbortSignal,
  ): Promise<PassedAnswer> {
    const { node, clock, destinationOf, failure } = this.#context
    if (loops(request.fields, node)) throw new RelaisError('LOOP')
    const destination = destinationOf(route)
    const { address, host, path } = destination
    const { target, fields } = passedOn(route, request, node)
    const passage = await destination.admit(target, signal)
    signal.addEventListener('abort', () => passage.release(), { once: true })
    const requestedAt = clock()
    let returned: Returned
    try {
      returned = await send({
        address,
        target: path + target,
        fields: { ...fields, ...lengthOf(message), host },
        signal,
        onInterim: (status, fields) => request.asker?.onInterim(status, fields),
      })
    } catch (error) {
      passage.release()
      if (signal.aborted) throw signal.reason
      const failed = failure(error, host, 'head')
      passage.failed(failed)
      throw failed
    }
    const { status, body } = returned
    // The connection is free when all of it has come, or nobody wants it any more.
    body.on('close', () => passage.release())
    const head = { status, fields: returned.fields, requestedAt, receivedAt: clock() }
    passage.answered(head)
    // RFC 9111 section 4.4.
    if (!SAFE.has(request.method)) {
      this.#context.onWritten(route, request.target, { status, fields: returned.fields })
    }
    return {
      kind: 'passed',
      outcome: 'pass',
      status: { hit: false, fwd, fwdStatus: status },
      response: {
        head: { ...head, fields: relocated(endToEnd(returned.fields), path, route.prefix) },
        from: host,
        url: address + path + target,
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
