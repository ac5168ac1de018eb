/** A viewer for tests that sees what came over the wire, cut bodies included. */
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'

export interface Response {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** The body ended as its framing said; false: the connection broke off before. */
  readonly isWhole: boolean
}

export interface GetOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly signal?: AbortSignal
  /** Called with each piece as it comes. */
  readonly onData?: (chunk: Buffer) => void
}

/** Each request has a connection of its own. Rejects when no head comes. */
export function get(url: string, options: GetOptions = {}): Promise<Response> {
  return new Promise((resolve, reject) => {
    const { origin } = new URL(url)
    const outgoing = request(
      origin,
      {
        // The path as written: URL would fold dot segments and encode what the test wants to send raw.
        path: url.slice(origin.length) || '/',
        method: options.method ?? 'GET',
        headers: options.headers ?? {},
        agent: false,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      (response) => {
        const chunks: Buffer[] = []
        let isWhole = false
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          options.onData?.(chunk)
        })
        response.on('end', () => {
          isWhole = response.complete
        })
        response.on('error', () => {
          isWhole = false
        })
        response.on('close', () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
            isWhole,
          })
        })
      },
    )
    let isBegun = false
    outgoing.on('response', () => {
      isBegun = true
    })
    // A connection that is reset in the middle of the answer is told of by the answer's end.
    outgoing.on('error', (error) => {
      if (!isBegun) reject(error)
    })
    outgoing.end(options.body)
  })
}

/** Writes bytes as they are and answers everything that comes back until the server closes. */
export function raw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    let answer = ''
    socket.setEncoding('latin1')
    socket.on('data', (text) => {
      answer += String(text)
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}
