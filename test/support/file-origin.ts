/** An origin of one file for tests, with ranges and validators as they should be, that breaks off where a test says. */
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { openRawOrigin } from './raw-origin.ts'

export interface ServedFile {
  readonly body: Buffer
  readonly etag?: string
  readonly lastModified?: string
  /** Further fields of each answer, whole lines. */
  readonly fields?: string
  /** Without a length. */
  readonly isChunked?: boolean
  /** Ranges are ignored. */
  readonly isWholeOnly?: boolean
}

export interface Fault {
  /** Bytes of this answer's body that are sent. */
  readonly after: number
  readonly how: 'close' | 'reset' | 'silence'
}

export interface FileRequest {
  readonly target: string
  readonly range: string | undefined
  readonly ifRange: string | undefined
}

export interface FileOrigin {
  readonly url: string
  /** Every request so far, in the order of arrival. */
  readonly asked: readonly FileRequest[]
}

/** `faultOf` is asked at each request; undefined: it is answered whole. `fileOf` may answer another file each time. */
export async function openFileOrigin(
  t: Pick<TestContext, 'after'>,
  fileOf: (request: FileRequest, nth: number) => ServedFile,
  faultOf: (request: FileRequest, nth: number, bytes: number) => Fault | undefined = () => undefined,
): Promise<FileOrigin> {
  const asked: FileRequest[] = []
  const origin = await openRawOrigin(t, (socket, head, nth) => {
    const request = {
      target: head.split(' ', 2)[1] ?? '',
      range: fieldOf(head, 'range'),
      ifRange: fieldOf(head, 'if-range'),
    }
    asked.push(request)
    const { lines, body, isChunked } = answerTo(request, fileOf(request, nth))
    send(socket, lines, body, isChunked, faultOf(request, nth, body.byteLength))
  })
  return { url: origin.url, asked }
}

function fieldOf(head: string, name: string): string | undefined {
  return new RegExp(`^${name}: *(.*?)\\r?$`, 'im').exec(head)?.[1]
}

function answerTo(
  { range, ifRange }: FileRequest,
  file: ServedFile,
): { lines: string; body: Buffer; isChunked: boolean } {
  const { body, etag, lastModified, fields = '', isChunked = false, isWholeOnly = false } = file
  const size = body.byteLength
  const common = [
    'cache-control: max-age=86400',
    'date: Thu, 01 Jan 2026 00:00:00 GMT',
    ...(etag === undefined ? [] : [`etag: ${etag}`]),
    ...(lastModified === undefined ? [] : [`last-modified: ${lastModified}`]),
  ]
  const isHeld = ifRange === undefined || ifRange === etag || ifRange === lastModified
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
  if (from === undefined || isWholeOnly || !isHeld) {
    const framing = isChunked ? 'transfer-encoding: chunked' : `content-length: ${size}`
    return { lines: `HTTP/1.1 200 OK\r\n${joined([...common, framing])}${fields}`, body, isChunked }
  }
  const first = Number(from)
  if (first >= size) {
    const lines = `HTTP/1.1 416 Range Not Satisfiable\r\ncontent-range: bytes */${size}\r\ncontent-length: 0\r\n`
    return { lines, body: Buffer.alloc(0), isChunked: false }
  }
  const last = Math.min(to === '' ? size - 1 : Number(to), size - 1)
  const part = [`content-range: bytes ${first}-${last}/${size}`, `content-length: ${last - first + 1}`]
  const lines = `HTTP/1.1 206 Partial Content\r\n${joined([...common, ...part])}${fields}`
  return { lines, body: body.subarray(first, last + 1), isChunked: false }
}

function joined(lines: readonly string[]): string {
  return lines.map((line) => `${line}\r\n`).join('')
}

function send(
  socket: Socket,
  lines: string,
  body: Buffer,
  isChunked: boolean,
  fault: Fault | undefined,
): void {
  socket.write(`${lines}\r\n`)
  const bytes = fault === undefined ? body : body.subarray(0, fault.after)
  const end = (): void => {
    if (fault?.how === 'close') socket.end()
    if (fault?.how === 'reset') socket.resetAndDestroy()
  }
  // A chunk without bytes would be the last one.
  if (!isChunked || (fault !== undefined && bytes.byteLength === 0)) {
    socket.write(bytes, end)
    return
  }
  socket.write(`${bytes.byteLength.toString(16)}\r\n`)
  socket.write(bytes)
  socket.write(fault === undefined ? '\r\n0\r\n\r\n' : '\r\n', end)
}
