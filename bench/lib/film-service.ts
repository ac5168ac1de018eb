/** The origin's films: conditions, one range, If-Range; and for each path a record of what was asked for and what was sent. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { coveredBytes, filmPiece, type Span } from './film.ts'

/** What an origin was asked for of one path. */
export interface FilmAsked {
  readonly requests: number
  /** What the ranges asked for cover together; bytes asked for twice count twice. */
  readonly askedBytes: number
  /** Bytes asked for that had been asked for before. */
  readonly repeatedBytes: number
  /** Bytes of bodies handed to the connection: less than was asked for where a cache left in the middle. */
  readonly writtenBytes: number
  /** Answers still being sent. */
  readonly running: number
}

interface Record {
  readonly spans: Span[]
  writtenBytes: number
  running: number
}

const records = new Map<string, Record>()

export function filmAsked(path: string): FilmAsked {
  const { spans, writtenBytes, running } = records.get(path) ?? { spans: [], writtenBytes: 0, running: 0 }
  const askedBytes = spans.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  return {
    ...{ requests: spans.length, askedBytes, writtenBytes, running },
    repeatedBytes: askedBytes - coveredBytes(spans),
  }
}

export async function showFilm(
  path: string,
  size: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const etag = `"${size}"`
  response.setHeader('accept-ranges', 'bytes')
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304)
    response.end()
    return
  }
  const { range, 'if-range': condition } = request.headers
  const span = condition === undefined || condition === etag ? spanOf(range, size) : undefined
  if (span === 'unsatisfiable') {
    response.writeHead(416, { 'content-range': `bytes */${size}`, 'content-length': 0 })
    response.end()
    return
  }
  const { first, last } = span ?? { first: 0, last: size - 1 }
  if (span !== undefined) response.setHeader('content-range', `bytes ${first}-${last}/${size}`)
  response.writeHead(span === undefined ? 200 : 206, { 'content-length': last - first + 1 })
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  const record = records.get(path) ?? { spans: [], writtenBytes: 0, running: 0 }
  records.set(path, record)
  record.spans.push({ first, last })
  record.running++
  let wake = (): void => undefined
  response.on('drain', () => wake())
  response.once('close', () => {
    record.running--
    wake()
  })
  for (let at = first; at <= last && !response.destroyed; ) {
    const piece = filmPiece(at, last)
    at += piece.byteLength
    record.writtenBytes += piece.byteLength
    if (response.write(piece)) continue
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
  response.end()
}

/** Undefined: the whole, which an origin may send for what it does not understand. */
function spanOf(range: string | undefined, size: number): Span | 'unsatisfiable' | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? []
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined
  if (from === '') return { first: Math.max(0, size - Number(to)), last: size - 1 }
  if (Number(from) >= size) return 'unsatisfiable'
  return { first: Number(from), last: to === '' ? size - 1 : Math.min(Number(to), size - 1) }
}
