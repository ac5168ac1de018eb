/**
 * The origin of the benches: bodies of any size, at once or in paced chunks, and a count of who asked for what.
 *
 *     node bench/origin.ts PORT
 *
 * `/size=2097152/chunks=20/over=2000/a.m4s` is two megabytes in twenty chunks over two seconds. What is asked for stands
 * in the path and not in a query, because caches treat a query differently, and segments rarely have one.
 * `/film=1073741824/a.mp4` is a film of that length, of which ranges may be asked. `/asked/<path>` tells how often a path
 * was asked for, `/film-asked/<path>` which bytes of a film.
 */
import { createServer, type ServerResponse } from 'node:http'
import { filmAsked, showFilm } from './lib/film-service.ts'
import { pattern, stampNow } from './lib/pattern.ts'

interface Order {
  readonly size: number
  /** The length of a film; undefined: it is none. */
  readonly film: number | undefined
  /** In how many pieces; they leave at even distances over `overMs`, the first at once. */
  readonly chunks: number
  readonly overMs: number
  /** Whether each chunk begins with the instant it was sent at, and the length is not told beforehand (LL-DASH). */
  readonly isStamped: boolean
}

const asked = new Map<string, number>()

const server = createServer((request, response) => {
  const path = request.url ?? '/'
  if (path.startsWith('/asked/')) {
    response.end(String(asked.get(path.slice('/asked'.length)) ?? 0))
    return
  }
  if (path.startsWith('/film-asked/')) {
    response.end(JSON.stringify(filmAsked(path.slice('/film-asked'.length))))
    return
  }
  asked.set(path, (asked.get(path) ?? 0) + 1)
  const order = orderOf(path)
  response.setHeader('content-type', 'video/mp4')
  response.setHeader('cache-control', 'public, max-age=86400')
  response.setHeader('etag', `"${order.film ?? order.size}"`)
  response.setHeader('last-modified', 'Mon, 02 Nov 2026 08:00:00 GMT')
  if (order.film !== undefined) {
    void showFilm(path, order.film, request, response)
    return
  }
  const { size, isStamped } = order
  if (!isStamped) response.setHeader('content-length', size)
  if (order.chunks === 1) response.end(isStamped ? stampNow(Buffer.from(pattern(size))) : pattern(size))
  else pace(response, order)
})
server.keepAliveTimeout = 60_000
server.listen(Number(process.argv[2]), '127.0.0.1')

function pace(response: ServerResponse, order: Order): void {
  const { size, chunks, overMs, isStamped } = order
  const whole = pattern(size)
  const startedAt = performance.now()
  const send = (index: number): void => {
    const chunk = whole.subarray(
      Math.floor((index * size) / chunks),
      Math.floor(((index + 1) * size) / chunks),
    )
    response.write(isStamped ? stampNow(Buffer.from(chunk)) : chunk)
    if (index + 1 === chunks) response.end()
    // Each chunk has its place on the time line, so that no lateness adds up.
    else
      setTimeout(
        send,
        Math.max(0, startedAt + ((index + 1) * overMs) / chunks - performance.now()),
        index + 1,
      )
  }
  send(0)
}

function orderOf(path: string): Order {
  const told = new Map(path.split('/').map((segment) => segment.split('=', 2) as [string, string]))
  const number = (name: string, otherwise: number): number => Number(told.get(name) ?? otherwise)
  return {
    size: number('size', 4096),
    film: told.has('film') ? number('film', 0) : undefined,
    chunks: number('chunks', 1),
    overMs: number('over', 0),
    isStamped: told.has('stamped'),
  }
}
