/** How answers leave: which status and which fields, and which bytes follow. */
import type { ServerResponse } from 'node:http'
import type { PassedAnswer, StoredAnswer } from '../cache/cache.ts'
import { chooseRange, type RangeChoice } from '../cache/range-choice.ts'
import type { RelaisError } from '../errors.ts'
import { formatCmsdDynamic } from '../media/cmsd.ts'
import type { CacheStatus } from '../rfc/cache-status.ts'
import { omitFields } from '../rfc/connection.ts'
import { fieldLines, type Instant, type RequestHead } from '../rfc/heads.ts'
import { formatContentRange, unsatisfiedContentRange, VERY_LARGE } from '../rfc/range.ts'
import { notModifiedFields, precondition } from '../rfc/validation.ts'
import { AT_ONCE_BYTES } from '../store/chunks.ts'
import type { StoredHead } from '../store/store.ts'
import { deliver, deliverChunks, deliverFlowing } from './delivery.ts'
import { errorAnswer } from './error-answer.ts'
import { type HeadLines, type PreparedLines, withLength } from './head-lines.ts'
import { MultipartBody } from './multipart.ts'
import type { Visit } from './visit.ts'

const NEVER = new AbortController().signal
/** Describes the bytes of the whole, and a part has others (RFC 9530 section 2; RFC 1864). */
const OF_WHOLE_CONTENT: ReadonlySet<string> = new Set(['content-digest', 'content-md5'])
/** Parts carry their type themselves. */
const NOT_BEFORE_PARTS: ReadonlySet<string> = new Set([...OF_WHOLE_CONTENT, 'content-type'])
/** A 416 is about the request: it has no content, and no cache may keep it for those who ask otherwise. */
const NOT_IN_416: ReadonlySet<string> = new Set([
  ...NOT_BEFORE_PARTS,
  'cache-control',
  'cdn-cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
  'pragma',
  'surrogate-control',
])

export interface Cmsd {
  /** Whether players had better go elsewhere. */
  isUnderDuress(): boolean
}

export class Sender {
  readonly #lines: HeadLines
  readonly #node: string
  readonly #cmsd: Cmsd | undefined

  /** Without `cmsd` players are told nothing by CMSD-Dynamic. */
  constructor(lines: HeadLines, node: string, cmsd?: Cmsd) {
    this.#lines = lines
    this.#node = node
    this.#cmsd = cmsd
  }

  /**
   * The whole answer at once, when it lies in memory, is not long, and the request has no condition and no range; answers the bytes
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
    if (chunks === undefined || size === undefined || size > AT_ONCE_BYTES || !isPlain(request))
      return undefined
    const { lines, cacheStatus } = this.#lines.ofWhole(stored.head, status, size, now)
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
    deliverChunks(response, chunks, stored.body)
    return size
  }

  /**
   * Done at once when all of it lies in memory and is not long, else settles when it was handed over. Rejects when it
   * cannot be whole. Nobody waits for what lies in memory, so that there is no `signal` for it.
   */
  sendStored(
    response: ServerResponse,
    request: RequestHead,
    answer: StoredAnswer,
    now: Instant,
    visit: Visit,
    signal: AbortSignal | undefined,
  ): void | Promise<void> {
    const { stored, status } = answer
    const { head } = stored
    visit.kind = head.kind
    if (precondition(request, head) === 'not-modified') {
      this.#begin(
        response,
        304,
        this.#lines.ofStored(head, { ...notModifiedFields(head.fields), ...answer.unshared }, status, now),
        this.#told(status, visit),
        visit,
      )
      response.end()
      return
    }
    const choice = chooseRange(stored, request, signal ?? NEVER)
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
    signal: AbortSignal | undefined,
  ): void | Promise<void> {
    const { status, unshared } = answer
    const { head, body } = answer.stored
    const told = this.#told(status, visit)
    const fields = unshared === undefined ? head.fields : { ...head.fields, ...unshared }
    const prepare = (omitted: ReadonlySet<string>): PreparedLines =>
      this.#lines.ofStored(head, omitFields(fields, omitted), status, now)
    switch (choice.kind) {
      case 'unsatisfiable': {
        const extra = ['content-range', unsatisfiedContentRange(choice.size), 'content-length', '0']
        this.#begin(
          response,
          416,
          prepare(NOT_IN_416),
          [...extra, ...told, 'cache-control', 'no-store'],
          visit,
        )
        response.end()
        return
      }
      case 'part': {
        const { range, size } = choice
        const length = String(range.last - range.first + 1)
        const extra = ['content-range', formatContentRange(range, size), 'content-length', length]
        this.#begin(response, 206, prepare(OF_WHOLE_CONTENT), [...extra, ...told], visit)
        return deliver(response, body, range, visit, signal)
      }
      case 'parts': {
        const { ranges, size } = choice
        const parts = new MultipartBody({
          body,
          ranges,
          size,
          types: fieldLines(head.fields, 'content-type'),
        })
        const extra = ['content-type', parts.type, 'content-length', String(parts.size)]
        this.#begin(response, 206, prepare(NOT_BEFORE_PARTS), [...extra, ...told], visit)
        return deliver(response, parts, undefined, visit, signal)
      }
      case 'rest': {
        const range = { first: choice.first, last: VERY_LARGE }
        const extra = ['content-range', formatContentRange(range, undefined)]
        this.#begin(response, 206, prepare(OF_WHOLE_CONTENT), [...extra, ...told], visit)
        return deliver(response, body, range, visit, signal)
      }
      case 'whole':
        this.#begin(response, head.status, this.#ofWhole(answer, now), told, visit)
        if (request.method !== 'HEAD') return deliver(response, body, undefined, visit, signal)
        response.end()
    }
  }

  /** What is the same for all is made once. */
  #ofWhole({ stored, status, unshared }: StoredAnswer, now: Instant): PreparedLines {
    const { head, body } = stored
    if (unshared === undefined) return this.#lines.ofWhole(head, status, body.size, now)
    const { lines, cacheStatus } = this.#lines.ofStored(head, { ...head.fields, ...unshared }, status, now)
    return { lines: withLength(lines, head.status, body.size), cacheStatus }
  }

  /** The head of what passes on its way from a sibling; its body is the caller's to send. */
  beginPassing(
    response: ServerResponse,
    head: StoredHead,
    size: number,
    status: CacheStatus,
    now: Instant,
    visit: Visit,
  ): void {
    visit.kind = head.kind
    const { lines, cacheStatus } = this.#lines.ofStored(head, head.fields, status, now)
    const prepared = { lines: withLength(lines, head.status, size), cacheStatus }
    this.#begin(response, head.status, prepared, this.#told(status, visit), visit)
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
    // Behind the hops before this one, as one more line of the same list.
    const told = this.#told(answer.status, visit)
    this.#begin(response, head.status, this.#lines.ofPassed(answer.response, answer.status), told, visit)
    if (request.method === 'HEAD' || head.status === 204 || head.status === 304) {
      cancel()
      response.end()
      return
    }
    await deliverFlowing(response, body, visit, signal)
  }

  /** An error that Relais itself has to report; the caller has made sure that no head was sent. Answers the bytes of body sent. */
  sendError(response: ServerResponse, visit: Visit, error: RelaisError): number {
    const { lines, body } = errorAnswer(this.#node, error, visit.requestId)
    response.writeHead(error.status, [...lines, ...visit.errorLines])
    if (visit.method === 'HEAD') {
      response.end()
      return 0
    }
    response.end(body)
    return body.byteLength
  }

  /**
   * CMSD-Dynamic, where the origin was asked: how long that took, which players leave out of their measure. A hit takes
   * no time, and what could be said of its connection Node does not know.
   */
  #told({ hit }: CacheStatus, visit: Visit): readonly string[] {
    if (hit || this.#cmsd === undefined) return []
    const du = this.#cmsd.isUnderDuress()
    return ['cmsd-dynamic', formatCmsdDynamic({ name: this.#node, rd: visit.waitedMs, du })]
  }

  #begin(
    response: ServerResponse,
    status: number,
    prepared: PreparedLines,
    extra: readonly string[],
    visit: Visit,
  ): void {
    visit.cacheStatus = prepared.cacheStatus
    response.writeHead(status, extra.length === 0 ? prepared.lines : [...prepared.lines, ...extra])
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
