/** One origin server: asked over HTTP with the viewer's request line byte for byte. */
import type { Dispatcher } from 'undici'
import type { Clock, Fields, RequestHead } from '../rfc/heads.ts'
import type { Source, UpstreamResponse } from './source.ts'
import { upstreamError } from './upstream-error.ts'

/** What one origin was asked and gave. */
export interface OriginStats {
  readonly name: string
  /** Requests sent, the plain proxy's not among them. */
  readonly requests: number
  /** Requests without a whole response: no head came, or the body broke off. */
  readonly errors: number
  /** Bytes of bodies received. */
  readonly bytes: number
}

export class Origin implements Source {
  readonly name: string
  readonly #url: URL
  readonly #dispatcher: Dispatcher
  readonly #clock: Clock
  #requests = 0
  #errors = 0
  #bytes = 0

  constructor(url: string, dispatcher: Dispatcher, clock: Clock) {
    this.#url = new URL(url)
    this.name = this.#url.host
    this.#dispatcher = dispatcher
    this.#clock = clock
  }

  /** Scheme, host and port, for the plain proxy. */
  get address(): string {
    return this.#url.origin
  }

  /** The path that stands for the route's prefix; ends in a slash. */
  get path(): string {
    return this.#url.pathname
  }

  /** `request.target` is relative to the route: what follows its prefix, query included. */
  async fetch(request: RequestHead, signal: AbortSignal): Promise<UpstreamResponse> {
    const requestedAt = this.#clock()
    this.#requests++
    let response: Dispatcher.ResponseData
    try {
      response = await this.#ask(request, signal)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      this.#errors++
      throw upstreamError(error, this.name, 'head')
    }
    const head = {
      status: response.statusCode,
      fields: response.headers as Fields,
      requestedAt,
      receivedAt: this.#clock(),
    }
    return {
      head,
      from: this.name,
      body: this.#read(response.body, signal),
      cancel: () => {
        response.body.on('error', ignoreCancelled)
        response.body.destroy()
      },
    }
  }

  /**
   * An origin may close a kept connection just when we use it again; a GET is then sent once more (RFC 9112 section
   * 9.3.1), on a connection of its own, so that it cannot happen twice.
   */
  async #ask(request: RequestHead, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const options = {
      origin: this.#url.origin,
      path: this.path + request.target,
      method: request.method === 'HEAD' ? 'HEAD' : 'GET',
      headers: { ...request.fields, host: this.#url.host } as Record<string, string | string[]>,
      signal,
      onInfo: ({ statusCode, headers }: { statusCode: number; headers: object }) =>
        request.asker?.onInterim(statusCode, headers as Fields),
    } as const
    try {
      return await this.#dispatcher.request(options)
    } catch (error) {
      if (signal.aborted || !isClosed(error)) throw error
      return this.#dispatcher.request({ ...options, reset: true })
    }
  }

  stats(): OriginStats {
    return { name: this.name, requests: this.#requests, errors: this.#errors, bytes: this.#bytes }
  }

  async *#read(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of body) {
        this.#bytes += chunk.byteLength
        yield chunk
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      this.#errors++
      throw upstreamError(error, this.name, 'body')
    }
  }
}

/** Whoever cancels a transfer knows that it did not end; the stream's own complaint tells nobody anything. */
const ignoreCancelled = (): undefined => undefined

/** The connection ended before a head came. */
function isClosed(error: unknown): boolean {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE'
}
