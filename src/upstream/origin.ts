/** One origin server of one route: asked over HTTP with the viewer's request line byte for byte, as often as it can bear. */
import type { Dispatcher } from 'undici'
import { RelaisError } from '../errors.ts'
import type { Clock, Instant, RequestHead } from '../rfc/heads.ts'
import type { Budget, Permit } from './budget.ts'
import { Circuit } from './circuit.ts'
import { isDeclined, retryAfterSeconds, retryAtOf } from './declined.ts'
import { type Arrived, exchange } from './exchange.ts'
import { Passage } from './passage.ts'
import { faultOf } from './response-fault.ts'
import type { Held, Manner, Source, UpstreamResponse } from './source.ts'
import { upstreamError } from './upstream-error.ts'

/** What one origin was asked and gave. */
export interface OriginStats {
  readonly name: string
  /** Requests sent, the plain proxy's not among them. */
  readonly requests: number
  /** Requests without a whole response: no head came, or the body broke off. */
  readonly errors: number
  /** Bytes of bodies received. */
  readonly bytes: number
  /** Requests under way to this host and port, those of other routes among them. */
  readonly underWay: number
  /** Requests that wait for one of these to end. */
  readonly waiting: number
  /** Requests that were not sent: too many waited, or waited too long, or the circuit was open. */
  readonly refused: number
  /** `open`: it failed repeatedly and is asked once a second. */
  readonly circuit: 'closed' | 'open'
  readonly resumptions: {
    /** Requests for the rest of a body that had broken off, here or at another origin. */
    readonly tried: number
    /** Those whose answer was the rest. */
    readonly succeeded: number
  }
}

export interface OriginContext {
  readonly dispatcher: Dispatcher
  /** Of its host and port: routes that lead to the same one share it. */
  readonly budget: Budget
  /** The same for what the origin holds until there is something to say. */
  readonly held: { readonly dispatcher: Dispatcher; readonly budget: Budget }
  /** The same for the plain proxy, which has connections of its own. */
  readonly floorBudget: Budget
  readonly headTimeoutMs: number
  readonly clock: Clock
}

export class Origin implements Source {
  readonly name: string
  /** Counted by the bodies that are resumed. */
  readonly resumptions = { tried: 0, succeeded: 0 }
  readonly #url: URL
  readonly #context: OriginContext
  readonly #circuit: Circuit
  #requests = 0
  #errors = 0
  #bytes = 0
  #refused = 0
  /** What it did last that was no answer. */
  #lastFailure: RelaisError | { readonly status: number; readonly retryAt: Instant | undefined } | undefined

  constructor(url: string, context: OriginContext) {
    this.#url = new URL(url)
    this.name = this.#url.host
    this.#context = context
    this.#circuit = new Circuit(context.clock)
  }

  /** Scheme, host and port, for the plain proxy. */
  get address(): string {
    return this.#url.origin
  }

  /** The path that stands for the route's prefix; ends in a slash. */
  get path(): string {
    return this.#url.pathname
  }

  /** Whether it failed so often that it is asked once a second only. */
  get isOpen(): boolean {
    return this.#circuit.isOpen
  }

  /**
   * `request.target` is relative to the route: what follows its prefix, query included. Beyond what the contract says,
   * rejects with CONNECTION_LIMIT and DESTINATION_UNAVAILABLE when it is not asked at all.
   */
  async fetch(request: RequestHead, signal: AbortSignal, manner: Manner = {}): Promise<UpstreamResponse> {
    const path = request.target.split('?', 1)[0] ?? ''
    if (!this.#circuit.isPassable(path)) throw this.#unavailable()
    const { budget } = manner.held === undefined ? this.#context : this.#context.held
    const permit = await this.#placed(budget, signal, manner)
    try {
      // The circuit may have opened while this request waited for its place.
      if (!this.#circuit.enter(path)) throw this.#unavailable()
      return await this.#ask(request, path, signal, permit, manner.held)
    } catch (error) {
      permit.release()
      throw error
    }
  }

  /** Lets the plain proxy send a request for `target`, once; rejects as `fetch` does when it is not to be sent. */
  async admit(target: string, signal: AbortSignal): Promise<Passage> {
    const path = target.split('?', 1)[0] ?? ''
    if (!this.#circuit.isPassable(path)) throw this.#unavailable()
    const permit = await this.#placed(this.#context.floorBudget, signal, {})
    if (!this.#circuit.enter(path)) {
      permit.release()
      throw this.#unavailable()
    }
    return new Passage(permit, this.#circuit, (error) => {
      this.#lastFailure = error
    })
  }

  /** As in the contract. */
  spare(share: number): number {
    return this.isOpen ? 0 : this.#context.budget.spare(share)
  }

  stats(): OriginStats {
    const { budget, held } = this.#context
    return {
      name: this.name,
      requests: this.#requests,
      errors: this.#errors,
      bytes: this.#bytes,
      underWay: budget.used + held.budget.used,
      waiting: budget.waiting + held.budget.waiting,
      refused: this.#refused,
      circuit: this.#circuit.isOpen ? 'open' : 'closed',
      resumptions: { ...this.resumptions },
    }
  }

  async #placed(budget: Budget, signal: AbortSignal, manner: Manner): Promise<Permit> {
    const { readers = 'all', urgency, urged } = manner
    try {
      return await budget.acquire(readers, this.name, signal, urgency, urged)
    } catch (error) {
      if (!signal.aborted) this.#refused++
      throw error
    }
  }

  async #ask(
    request: RequestHead,
    path: string,
    signal: AbortSignal,
    permit: Permit,
    held: Held | undefined,
  ): Promise<UpstreamResponse> {
    const { clock } = this.#context
    const { dispatcher } = held === undefined ? this.#context : this.#context.held
    const { headTimeoutMs } = held ?? this.#context
    const requestedAt = clock()
    this.#requests++
    let response: Arrived
    try {
      const address = { origin: this.#url.origin, host: this.#url.host }
      const target = this.path + request.target
      response = await exchange(dispatcher, address, { ...request, target }, headTimeoutMs, signal)
    } catch (error) {
      if (signal.aborted) {
        if (held === undefined) this.#abandoned(clock() - requestedAt)
        throw signal.reason
      }
      throw this.#failed(upstreamError(error, this.name, 'head'), held)
    }
    const { body } = response
    let isCancelled = false
    const cancel = (): void => {
      isCancelled = true
      body.cancel()
    }
    const { status, fields } = response
    const head = { status, fields, requestedAt, receivedAt: clock() }
    const fault = faultOf(request, head)
    if (fault !== undefined) {
      cancel()
      throw this.#failed(new RelaisError(fault.code, { details: fault.details, nextHop: this.name }))
    }
    body.whenOver(() => permit.release())
    if (!isDeclined(head)) this.#circuit.answered()
    else if (held === undefined) this.#declined(path, head.status, retryAtOf(fields, head.receivedAt))
    return {
      head,
      from: this.name,
      url: this.#url.origin + this.path + request.target,
      body: body.telling({
        took: (bytes) => {
          this.#bytes += bytes
        },
        explain: (cause) => {
          if (signal.aborted) return signal.reason
          if (!isCancelled) this.#errors++
          return upstreamError(cause, this.name, 'body')
        },
      }),
      cancel,
      toOne: () => permit.toOne(),
    }
  }

  #failed(error: RelaisError, held?: Held): RelaisError {
    this.#errors++
    // Where the encoder stands still the origin has nothing to say, and all else it has may be had.
    if (held !== undefined && error.code === 'RESPONSE_TIMEOUT') return error
    this.#lastFailure = error
    this.#circuit.failed(error.code)
    return error
  }

  /**
   * Players give up before Relais does, and then nobody would ever learn that the origin is silent. Who left earlier
   * than half-way may have had reasons of his own.
   */
  #abandoned(waitedMs: number): void {
    if (waitedMs < this.#context.headTimeoutMs / 2) return
    const details = `its viewers gave up after ${waitedMs} ms`
    this.#lastFailure = new RelaisError('RESPONSE_TIMEOUT', { details, nextHop: this.name })
    this.#circuit.failed('RESPONSE_TIMEOUT')
  }

  #declined(path: string, status: number, retryAt: Instant | undefined): void {
    this.#lastFailure = { status, retryAt }
    this.#circuit.declined(path)
  }

  /** Nobody waits for what is known: the circuit is open, and another request is its probe. */
  #unavailable(): RelaisError {
    this.#refused++
    const failure = this.#lastFailure
    const isError = failure instanceof RelaisError
    const now = this.#context.clock()
    const retryAt = isError ? undefined : failure?.retryAt
    const waitAt = Math.max(retryAt ?? now, now + this.#circuit.waitMs)
    return new RelaisError('DESTINATION_UNAVAILABLE', {
      details: isError
        ? `it failed repeatedly, at last with ${failure.code}`
        : `it answered ${failure?.status}`,
      cause: isError ? failure : undefined,
      receivedStatus: isError ? undefined : failure?.status,
      nextHop: this.name,
      retryAfterSeconds: retryAfterSeconds(waitAt, now) ?? 1,
    })
  }
}
