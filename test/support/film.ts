/** A large film for tests: bytes that follow from their position, served with ranges, and counted. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TestContext } from 'node:test'
import { openOrigin, type TestOrigin } from './origin.ts'

export const MIB = 1024 * 1024

const BLOCK_BYTES = 64 * 1024
const BLOCK = Buffer.alloc(BLOCK_BYTES)
for (let at = 0; at < BLOCK_BYTES; at++) BLOCK[at] = (at * 31 + (at >> 7) * 17) & 0xff

/** The bytes from `first` to `last`, both inclusive. `take` makes another film of the same length. */
export function filmBytes(first: number, last: number, take = 0): Buffer {
  const from = Math.floor(first / BLOCK_BYTES)
  const blocks: Buffer[] = []
  for (let block = from; block * BLOCK_BYTES <= last; block++) {
    const bytes = Buffer.from(BLOCK)
    // Each block is marked, so that none can stand in another's place.
    bytes.writeUInt32BE(block, 0)
    bytes.writeUInt32BE(take, 4)
    blocks.push(bytes)
  }
  return Buffer.concat(blocks).subarray(first - from * BLOCK_BYTES, last - from * BLOCK_BYTES + 1)
}

export interface Film {
  size: number
  take: number
  etag: string | undefined
  fields: Record<string, string>
  /** False: ranges are ignored. */
  ranges: boolean
}

export interface FilmOrigin extends TestOrigin {
  /** What it serves; a test may change it. */
  readonly film: Film
  /** Answers with the film, for a test that answers otherwise now and then. */
  show(request: IncomingMessage, response: ServerResponse): Promise<void>
  /** Bytes of bodies it was asked for. */
  readonly bytesAsked: number
  /** The Range fields of the requests, '' where there was none. */
  readonly ranges: readonly string[]
}

/** Answers every path with the film, as a good origin does: conditions, ranges, If-Range. */
export async function openFilmOrigin(t: TestContext, film: Partial<Film> = {}): Promise<FilmOrigin> {
  const shown: Film = {
    size: 8 * MIB,
    take: 0,
    etag: '"one"',
    fields: { 'cache-control': 'max-age=60' },
    ranges: true,
    ...film,
  }
  let bytesAsked = 0
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    bytesAsked += await show(shown, request, response)
  }
  const origin = await openOrigin(t, answer)
  return Object.defineProperties(origin, {
    film: { value: shown },
    show: { value: answer },
    bytesAsked: { get: () => bytesAsked },
    ranges: { get: () => origin.asked.map(({ headers }) => headers.range ?? '') },
  }) as FilmOrigin // those are what it lacks
}

/** Answers the length of the body it sets out to send. */
async function show(film: Film, request: IncomingMessage, response: ServerResponse): Promise<number> {
  const { size, take, etag } = film
  const fields: Record<string, string> = { 'content-type': 'video/mp4', ...film.fields }
  if (etag !== undefined) fields['etag'] = etag
  if (film.ranges) fields['accept-ranges'] = 'bytes'
  if (etag !== undefined && request.headers['if-none-match'] === etag) {
    response.writeHead(304, fields)
    response.end()
    return 0
  }
  const wanted = film.ranges ? /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') : null
  const isSame =
    request.headers['if-range'] === undefined ||
    request.headers['if-range'] === (etag ?? film.fields['last-modified'])
  let [first, last, status] = [0, size - 1, 200]
  if (wanted !== null && isSame) {
    first = Number(wanted[1])
    last = Math.min(wanted[2] ? Number(wanted[2]) : size - 1, size - 1)
    status = 206
    if (first >= size) {
      response.writeHead(416, { ...fields, 'content-range': `bytes */${size}`, 'content-length': '0' })
      response.end()
      return 0
    }
    fields['content-range'] = `bytes ${first}-${last}/${size}`
  }
  response.writeHead(status, { ...fields, 'content-length': String(last - first + 1) })
  if (request.method === 'HEAD') {
    response.end()
    return 0
  }
  for (let at = first; at <= last && !response.destroyed; at += MIB) {
    const isFull = !response.write(filmBytes(at, Math.min(at + MIB - 1, last), take))
    if (isFull) await moved(response)
  }
  response.end()
  return last - first + 1
}

/** Settles when the connection takes more, or is gone. */
function moved(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}
