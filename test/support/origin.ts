/** An origin for tests: it counts what it is asked, waits at barriers, and breaks off on cue. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export interface Asked {
  readonly method: string
  /** The request line's target, byte for byte. */
  readonly target: string
  readonly headers: IncomingMessage['headers']
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown

export interface TestOrigin {
  readonly url: string
  readonly server: Server
  /** Every request so far, in the order of arrival. */
  readonly asked: readonly Asked[]
  /** How often a target was asked for; all targets together without one. */
  count(target?: string): number
  /** Settles when so many requests have come in all. */
  reached(count: number): Promise<void>
  /** From now on answers in this way. */
  answer(handler: Handler): void
  close(): Promise<void>
}

/** Starts on a free port, of loopback where it is not told of another address; stopped, connections and all, when the test ends. */
export async function openOrigin(t: TestContext, handler: Handler, host = '127.0.0.1'): Promise<TestOrigin> {
  const asked: Asked[] = []
  const waiting: { count: number; resolve: () => void }[] = []
  let current = handler
  const server = createServer((request, response) => {
    asked.push({ method: request.method ?? '', target: request.url ?? '', headers: request.headers })
    for (const wait of waiting) if (asked.length >= wait.count) wait.resolve()
    current(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const { port } = server.address() as AddressInfo
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  t.after(close)
  return {
    url: `http://${host}:${port}`,
    server,
    asked,
    count: (target) => asked.filter((one) => target === undefined || one.target === target).length,
    reached: (count) =>
      asked.length >= count
        ? Promise.resolve()
        : new Promise((resolve) => {
            waiting.push({ count, resolve })
          }),
    answer: (next) => {
      current = next
    },
    close,
  }
}

/** A whole answer in one call. */
export function reply(
  response: ServerResponse,
  body: string | Uint8Array,
  headers: Record<string, string | string[]> = {},
  status = 200,
): void {
  response.writeHead(status, { 'content-length': String(Buffer.byteLength(body)), ...headers })
  response.end(body)
}
