/** One request from its head to the last byte of its answer: what the access log and the counters tell of it. */
import type { ServerResponse } from 'node:http'
import type { Spot } from '../cache/audience/spot.ts'
import type { Outcome } from '../cache/cache.ts'
import { sidOf } from '../media/cmcd.ts'
import type { RequestHead } from '../rfc/heads.ts'

/** What came of a visit, when it is over. */
export interface Account {
  readonly requestId: string
  readonly method: string
  readonly path: string
  /** 0: no answer was begun. */
  readonly status: number
  readonly outcome: Outcome
  /** Bytes of the body handed to the connection. */
  readonly bytes: number
  readonly durationMs: number
  /** From the request to the first byte of the answer; undefined when there was none. */
  readonly firstByteMs: number | undefined
  /** What was said in Cache-Status; undefined for errors made here. */
  readonly cacheStatus: string | undefined
  /** What kind of thing was answered. */
  readonly kind: string | undefined
  /** The player's session (CMCD `sid`); undefined: it says none. */
  readonly sid: string | undefined
  /** The answer did not reach its end: the viewer left, or what was answered with broke off. */
  readonly isCut: boolean
}

export class Visit {
  readonly requestId: string
  readonly #request: RequestHead
  readonly #startedAt = performance.now()
  #firstByteAt: number | undefined
  outcome: Outcome
  bytes = 0
  cacheStatus: string | undefined
  kind: string | undefined
  /** Lines that an error says besides: who asks on behalf of a page is to learn of it. */
  errorLines: readonly string[] = []
  /** Where in a stream its answer belongs; undefined as long as nothing was answered. */
  spot: Spot | undefined

  constructor(requestId: string, request: RequestHead, outcome: Outcome) {
    this.requestId = requestId
    this.#request = request
    this.outcome = outcome
  }

  get method(): string {
    return this.#request.method
  }

  /** Milliseconds since the request came. */
  get waitedMs(): number {
    return performance.now() - this.#startedAt
  }

  /** The head of the answer leaves. */
  begins(): void {
    this.#firstByteAt ??= performance.now()
  }

  account(response: ServerResponse): Account {
    const { requestId, outcome, bytes, cacheStatus, kind } = this
    const { method, target, fields } = this.#request
    return {
      requestId,
      method,
      path: target,
      status: response.headersSent ? response.statusCode : 0,
      outcome,
      bytes,
      durationMs: rounded(performance.now() - this.#startedAt),
      firstByteMs: this.#firstByteAt === undefined ? undefined : rounded(this.#firstByteAt - this.#startedAt),
      cacheStatus,
      kind,
      sid: sidOf(target, fields),
      isCut: !response.writableFinished,
    }
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10
}
