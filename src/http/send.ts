/** How answers leave: heads, bodies from memory in one write, bodies that still grow as they come. */
import type { ServerResponse } from 'node:http'
import type { PassedAnswer, StoredAnswer } from '../cache/cache.ts'
import { chooseRange, type RangeChoice } from '../cache/range-choice.ts'
import { ERRORS, type RelaisError } from '../errors.ts'
import type { Instant, RequestHead } from '../rfc/heads.ts'
import { formatProxyStatus } from '../rfc/proxy-status.ts'
import { type ByteRange, formatContentRange, unsatisfiedContentRange } from '../rfc/range.ts'
import { notModifiedFields, precondition } from '../rfc/validation.ts'
import { cut } from '../store/chunks.ts'
import type { Body } from '../store/store.ts'
import type { HeadLines, PreparedLines } from './head-lines.ts'
import type { Visit } from './visit.ts'

/** Ends a response that will not be whole so that nobody can take it for whole: the connection is reset. */
export function breakOff(response: ServerResponse): void {
  const { socket } = response
  if (socket === null) response.destroy()
  else socket.resetAndDestroy()
}

const NO_BYTES = new Uint8Array(0)

export class Sender {
  readonly #lines: HeadLines
  readonly #node: string

  constructor(lines: HeadLines, node: string) {
    this.#lines = lines
    this.#node = node
  }

  /**
   * The whole answer at once, when it lies in memory and the request has no condition and no range; answers the bytes
   * of body sent. Undefined: nothing was sent. This is the path that a city takes: what can be prepared is prepared.
   */
  sendHit(
    response: ServerResponse,
    request: RequestHead,
    answer: StoredAnswer,
    now: Instant,
    visit: Visit | undefined,
  ): number | undefined {
    const { stored, status } = answer
    const { chunks, size } = stored.body
    if (chunks === undefined || size === undefined || !isPlain(request)) return undefined
    const { lines, cacheStatus } = this.#lines.ofHit(stored.head, status, size, now)
    response.writeHead(stored.head.status, lines)
    if (visit !== undefined) {
      visit.cacheStatus = cacheStatus
      visit.kind = stored.head.kind
      visit.begins()
    }
    if (request.method === 'HEAD') {
      response.end()
      return 0
    }
    writeAll(response, chunks)
    return size
  }

  /** Done at once when all of it lies in memory, else settles when it was handed over. Rejects when it cannot be whole. */
  sendStored(
    response: ServerResponse,
    request: RequestHead,
    answer: StoredAnswer,
    now: Instant,
    visit: Visit,
    signal: AbortSignal,
  ): void | Promise<void> {
    const { stored, status } = answer
    const { head } = stored
    visit.kind = head.kind
    if (precondition(request, head) === 'not-modified') {
      this.#begin(
        response,
        304,
        this.#lines.ofStored(head, { ...notModifiedFields(head.fields), ...answer.unshared }, status, now),
        [],
        visit,
      )
      response.end()
      return
    }
    const choice = chooseRange(stored, request, signal)
    const send = (chosen: RangeChoice): void | Promise<void> =>
      this.#sendChosen(response, request, answer, chosen, now, visit, signal)
    return choice instanceof Promise ? choice.then(send) : send(choice)
  }

  #sendChosen(
    response: ServerResponse,
    request: RequestHead,
    answer: StoredAnswer,
    choice: RangeChoice,
    now: Instant,
    visit: Visit,
    signal: AbortSignal,
  ): void | Promise<void> {
    const { status, unshared } = answer
    const { head, body } = answer.stored
    const fields = unshared === undefined ? head.fields : { ...head.fields, ...unshared }
    const prepared = this.#lines.ofStored(head, fields, status, now)
    switch (choice.kind) {
      case 'unsatisfiable':
        this.#begin(
          response,
          416,
          prepared,
          ['content-range', unsatisfiedContentRange(choice.size), 'content-length', '0'],
          visit,
        )
        response.end()
        return
      case 'part': {
        const { range } = choice
        const length = String(range.last - range.first + 1)
        const extra = ['content-range', formatContentRange(range, choice.size), 'content-length', length]
        this.#begin(response, 206, prepared, extra, visit)
        return sendBody(response, request, body, range, visit, signal)
      }
      case 'whole':
        this.#begin(response, head.status, prepared, lengthLines(head.status, body), visit)
        return sendBody(response, request, body, undefined, visit, signal)
    }
  }

  /** Passes a response on at the viewer's pace. */
  async sendPassed(
    response: ServerResponse,
    request: RequestHead,
    answer: PassedAnswer,
    visit: Visit,
    signal: AbortSignal,
  ): Promise<void> {
    const { head, body, cancel } = answer.response
    this.#begin(response, head.status, this.#lines.ofPassed(head.fields, answer.status), [], visit)
    if (request.method === 'HEAD' || head.status === 204 || head.status === 304) {
      cancel()
      response.end()
      return
    }
    await sendFlowing(response, body, visit, signal)
  }

  /** An error that Relais itself has to report; the caller has made sure that no head was sent. Answers the bytes of body sent. */
  sendError(response: ServerResponse, method: string, error: RelaisError, requestId: string): number {
    const { message, proxyStatus } = ERRORS[error.code]
    const body = Buffer.from(JSON.stringify({ error: error.code, message, requestId }))
    response.writeHead(error.status, [
      'content-type',
      'application/json; charset=utf-8',
      'content-length',
      String(body.byteLength),
      'cache-control',
      'no-store',
      'proxy-status',
      formatProxyStatus(this.#node, { error: proxyStatus, nextHop: error.nextHop }),
    ])
    if (method === 'HEAD') {
      response.end()
      return 0
    }
    response.end(body)
    return body.byteLength
  }

  #begin(
    response: ServerResponse,
    status: number,
    prepared: PreparedLines,
    extra: readonly string[],
    visit: Visit,
  ): void {
    visit.cacheStatus = prepared.cacheStatus
    response.writeHead(status, [...prepared.lines, ...extra])
    visit.begins()
  }
}

/** Without conditions and range: most requests of most players. */
function isPlain(request: RequestHead): boolean {
  const { fields } = request
  return (
    fields['range'] === undefined &&
    fields['if-none-match'] === undefined &&
    fields['if-modified-since'] === undefined
  )
}

function lengthLines(status: number, body: Body): readonly string[] {
  // RFC 9110 section 8.6: not in a 204.
  return body.size === undefined || status === 204 ? [] : ['content-length', String(body.size)]
}

function sendBody(
  response: ServerResponse,
  request: RequestHead,
  body: Body,
  range: ByteRange | undefined,
  visit: Visit,
  signal: AbortSignal,
): void | Promise<void> {
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  const chunks = body.chunks === undefined ? body.held?.(range) : cut(body.chunks, range)
  if (chunks !== undefined) {
    for (const chunk of chunks) visit.bytes += chunk.byteLength
    writeAll(response, chunks)
    return
  }
  return sendFlowing(response, body.read(range, signal), visit, signal)
}

async function sendFlowing(
  response: ServerResponse,
  chunks: AsyncIterable<Uint8Array>,
  visit: Visit,
  signal: AbortSignal,
): Promise<void> {
  // The first byte may be long in coming; that there will be one is told now.
  // (Not flushHeaders, which would write the head as UTF-8 and not as the bytes that came.)
  response.write(NO_BYTES)
  for await (const chunk of chunks) await write(response, chunk, visit, signal)
  response.end()
}

/** One system call for the head and all chunks. */
function writeAll(response: ServerResponse, chunks: readonly Uint8Array[]): void {
  if (chunks.length > 1) {
    response.cork()
    for (let index = 0; index < chunks.length - 1; index++) response.write(chunks[index])
  }
  response.end(chunks.at(-1))
}

/** Settles when the connection takes more; a viewer who takes nothing is let go by the door's stall timeout. */
async function write(
  response: ServerResponse,
  chunk: Uint8Array,
  visit: Visit,
  signal: AbortSignal,
): Promise<void> {
  visit.bytes += chunk.byteLength
  if (response.write(chunk)) return
  await new Promise<void>((resolve, reject) => {
    const leave = (): void => reject(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    response.once('drain', () => {
      signal.removeEventListener('abort', leave)
      resolve()
    })
    if (signal.aborted) leave()
  })
}
