/** A viewer whose answer can be watched while it comes: it may stop reading, read on, or leave. */
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import type { Response } from './client.ts'

export interface ViewerOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  /** Takes nothing until `resume`. */
  readonly paused?: boolean
  /** False: bytes are counted and let go, for bodies larger than a test should hold. */
  readonly keep?: boolean
}

export interface Viewer {
  /** Rejects when no head comes. */
  readonly head: Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders }>
  /** Bytes of the body that have come. */
  readonly received: number
  /** Settles when so many bytes have come; rejects when the answer ends before. */
  reached(bytes: number): Promise<void>
  resume(): void
  /** Closes the connection, whatever has come. */
  leave(): void
  /** Settles when the answer is over, whole or not; rejects when no head came. */
  readonly answer: Promise<Response>
}

/** Asks at once, on a connection of its own. */
export function openViewer(url: string, options: ViewerOptions = {}): Viewer {
  const { method = 'GET', headers = {}, paused = false, keep = true } = options
  const { origin } = new URL(url)
  const head = Promise.withResolvers<{ status: number; headers: IncomingHttpHeaders }>()
  const answer = Promise.withResolvers<Response>()
  const waiting: { bytes: number; resolve: () => void; reject: (error: Error) => void }[] = []
  const chunks: Buffer[] = []
  let received = 0
  let isOver = false
  let message: IncomingMessage | undefined
  const path = url.slice(origin.length) || '/'
  const outgoing = request(origin, { path, method, headers, agent: false, maxHeaderSize: 128 * 1024 })
  // All of them, where Node would keep the first thousand.
  outgoing.maxHeadersCount = 0
  const take = (chunk: Buffer): void => {
    received += chunk.byteLength
    if (keep) chunks.push(chunk)
    for (const wait of waiting) if (received >= wait.bytes) wait.resolve()
  }
  outgoing.on('response', (response) => {
    message = response
    head.resolve({ status: response.statusCode ?? 0, headers: response.headers })
    if (!paused) response.on('data', take)
    response.on('error', () => undefined) // `close` follows, and tells of it as an answer that is not whole
    response.on('close', () => {
      isOver = true
      for (const wait of waiting) wait.reject(new Error(`the answer ended after ${received} bytes`))
      answer.resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: Buffer.concat(chunks),
        isWhole: response.complete,
      })
    })
  })
  outgoing.on('error', (error) => {
    // A connection that is reset in the middle of the answer is told of by the answer's end.
    if (message !== undefined) return
    head.reject(error)
    answer.reject(error)
  })
  // A test that makes a viewer leave does not ask for what that viewer did not get.
  head.promise.catch(() => undefined)
  answer.promise.catch(() => undefined)
  outgoing.end()
  return {
    head: head.promise,
    answer: answer.promise,
    get received() {
      return received
    },
    reached: (bytes) =>
      new Promise((resolve, reject) => {
        if (received >= bytes) resolve()
        else if (isOver) reject(new Error(`the answer ended after ${received} bytes`))
        else waiting.push({ bytes, resolve, reject })
      }),
    resume: () => message?.on('data', take),
    leave: () => outgoing.destroy(),
  }
}
