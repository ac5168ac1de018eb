/** One request to one server and the head of its response, over the pool of connections. */
import type { Dispatcher } from 'undici'
import type { Fields, RequestHead } from '../rfc/heads.ts'

export interface Address {
  /** Scheme, host and port. */
  readonly origin: string
  readonly host: string
}

/** Asks. Rejects with what undici says, and with the signal's reason. `headTimeoutMs` bounds interim responses too. */
export async function exchange(
  dispatcher: Dispatcher,
  { origin, host }: Address,
  request: RequestHead,
  headTimeoutMs: number,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  const options = {
    origin,
    path: request.target,
    method: request.method === 'HEAD' ? 'HEAD' : 'GET',
    // Undici asks for values that may be changed, and changes none.
    headers: { ...request.fields, host } as Record<string, string | string[]>,
    headersTimeout: headTimeoutMs,
  } as const
  try {
    return await withinBound(dispatcher, options, request, headTimeoutMs, signal)
  } catch (error) {
    if (signal.aborted || !isClosed(error)) throw error
    // An origin may close a kept connection just when we use it again; a GET is then sent once more (RFC 9112 section
    // 9.3.1), on a connection of its own, so that it cannot happen twice.
    return await withinBound(dispatcher, { ...options, reset: true }, request, headTimeoutMs, signal)
  }
}

/** Undici waits for a head anew after each interim response (1xx), so that an origin could send them for ever. */
async function withinBound(
  dispatcher: Dispatcher,
  options: Dispatcher.RequestOptions,
  { asker }: RequestHead,
  headTimeoutMs: number,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  const late = new AbortController()
  const leave = (): void => late.abort(signal.reason)
  let timer: NodeJS.Timeout | undefined
  const onInfo: Dispatcher.RequestOptions['onInfo'] = ({ statusCode, headers }) => {
    asker?.onInterim(statusCode, headers as Fields)
    timer ??= setTimeout(() => late.abort(new EndlessInterim()), headTimeoutMs)
  }
  signal.throwIfAborted()
  signal.addEventListener('abort', leave, { once: true })
  try {
    const response = await dispatcher.request({ ...options, onInfo, signal: late.signal })
    response.body.once('close', () => signal.removeEventListener('abort', leave))
    return response
  } catch (error) {
    signal.removeEventListener('abort', leave)
    throw error
  } finally {
    clearTimeout(timer)
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
