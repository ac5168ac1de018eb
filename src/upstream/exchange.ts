/** One request to one server and the head of its response, over the pool of connections. */
import type { Dispatcher } from 'undici'
import type { Fields, RequestHead } from '../rfc/heads.ts'
import { ArrivingBody } from './arriving-body.ts'

export interface Address {
  /** Scheme, host and port. */
  readonly origin: string
  readonly host: string
}

/** A head that has come, and the body behind it. */
export interface Arrived {
  readonly status: number
  readonly fields: Fields
  readonly body: ArrivingBody
}

/** Asks. Rejects with what undici says, and with the signal's reason. `headTimeoutMs` bounds interim responses too. */
export async function exchange(
  dispatcher: Dispatcher,
  { origin, host }: Address,
  request: RequestHead,
  headTimeoutMs: number,
  signal: AbortSignal,
): Promise<Arrived> {
  const options = {
    origin,
    path: request.target,
    method: request.method === 'HEAD' ? 'HEAD' : 'GET',
    // Undici asks for values that may be changed, and changes none.
    headers: { ...request.fields, host } as Record<string, string | string[]>,
    headersTimeout: headTimeoutMs,
  } as const
  signal.throwIfAborted()
  try {
    return await new Exchange(request, headTimeoutMs, signal).over(dispatcher, options)
  } catch (error) {
    if (signal.aborted || !isClosed(error)) throw error
    // An origin may close a kept connection just when we use it again; a GET is then sent once more (RFC 9112 section
    // 9.3.1), on a connection of its own, so that it cannot happen twice.
    return await new Exchange(request, headTimeoutMs, signal).over(dispatcher, { ...options, reset: true })
  }
}

/** What undici's parser says is heard here without a stream and its events in between. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: RequestHead
  readonly #headTimeoutMs: number
  readonly #signal: AbortSignal
  readonly #head = Promise.withResolvers<Arrived>()
  readonly #leave = (): void => this.#abort(this.#signal.reason)
  #controller: Dispatcher.DispatchController | undefined
  #body: ArrivingBody | undefined
  /** Why it is not wanted any more, until undici can be told. */
  #unwanted: Error | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(request: RequestHead, headTimeoutMs: number, signal: AbortSignal) {
    this.#request = request
    this.#headTimeoutMs = headTimeoutMs
    this.#signal = signal
  }

  over(dispatcher: Dispatcher, options: Dispatcher.DispatchOptions): Promise<Arrived> {
    this.#signal.addEventListener('abort', this.#leave, { once: true })
    dispatcher.dispatch(options, this)
    return this.#head.promise
  }

  /** It has a connection. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#unwanted !== undefined) controller.abort(this.#unwanted)
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, told: object): void {
    // As undici has them.
    const fields = told as Fields
    if (status < 200) {
      this.#request.asker?.onInterim(status, fields)
      // Undici waits for a head anew after each of them, so that an origin could send them for ever.
      this.#timer ??= setTimeout(() => this.#abort(new EndlessInterim()), this.#headTimeoutMs)
      return
    }
    clearTimeout(this.#timer)
    this.#body = new ArrivingBody(controller)
    this.#head.resolve({ status, fields, body: this.#body })
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#body?.push(chunk)
  }

  onResponseEnd(): void {
    this.#over()
    this.#body?.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#over()
    if (this.#body === undefined) this.#head.reject(error)
    else this.#body.fail(error)
  }

  #abort(reason: Error): void {
    this.#over()
    // What waits for a connection hears of it when its turn comes, and who asked at once.
    this.#unwanted = reason
    if (this.#body === undefined) this.#head.reject(reason)
    else this.#body.fail(reason)
    this.#controller?.abort(reason)
  }

  #over(): void {
    clearTimeout(this.#timer)
    this.#signal.removeEventListener('abort', this.#leave)
  }
}

/** Interim responses came, and no final one. */
class EndlessInterim extends Error {
  readonly code = 'UND_ERR_HEADERS_TIMEOUT'

  constructor() {
    super('only interim responses came')
  }
}

/** The connection ended before a head came. */
function isClosed(error: unknown): boolean {
  // Undici's word for a protocol that nobody asked to change to; it would do so again.
  if (!(error instanceof Error) || error.message === 'bad upgrade') return false
  const code: unknown = 'code' in error ? error.code : undefined
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE'
}
