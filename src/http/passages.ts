/** What a sibling has for one viewer, handed to his connection as it comes: no routing, no fill, no copy. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Audience } from '../cache/audience/audience.ts'
import type { Cache, CutThrough, PassingAnswer, Taker } from '../cache/cache.ts'
import type { Route } from '../cache/routes.ts'
import type { Clock, RequestHead } from '../rfc/heads.ts'
import { attributed } from './attribution.ts'
import { breakOff, deliverFlowing, leaving, letGoWhenStalled } from './delivery.ts'
import { isSoundRequest } from './request-head.ts'
import type { Sender } from './send.ts'
import type { Traffic } from './traffic.ts'
import { type Account, Visit } from './visit.ts'

export interface PassagesContext {
  readonly cache: Cache
  readonly sender: Sender
  readonly traffic: Traffic
  readonly audience: Audience
  readonly clock: Clock
  readonly nextRequestId: () => string
  /** One line a request; undefined: no access log is kept. */
  readonly onAccount: ((account: Account) => void) | undefined
  /** An answer that broke off, an upstream that failed, or a fault of ours; never one of the viewer. */
  readonly onTrouble: (error: unknown, requestId: string) => void
}

/** What a request that was handed over had come to. */
export interface Begun {
  readonly cutThrough: CutThrough
  readonly visit: Visit
}

export class Passages {
  readonly #context: PassagesContext
  readonly #handedOver = new WeakMap<IncomingMessage, Begun>()

  constructor(context: PassagesContext) {
    this.#context = context
  }

  /** False: nothing was done. `otherwise` is called, once and later, when it is to be answered like every other request. */
  begin(
    message: IncomingMessage,
    response: ServerResponse,
    route: Route,
    request: RequestHead,
    otherwise: () => void,
  ): boolean {
    // An answer that waits for another one of its connection would be held in memory until its turn.
    if (response.socket === null || !isSoundRequest(message, request)) return false
    const visit = new Visit(this.#context.nextRequestId(), request, 'miss')
    const passage = new Passage(this.#context, response, route, request, visit, () => {
      if (cutThrough !== undefined) this.#handedOver.set(message, { cutThrough, visit })
      otherwise()
    })
    const cutThrough = this.#context.cache.cutThrough(route, request, passage)
    if (cutThrough === undefined) return false
    letGoWhenStalled(response)
    response.once('close', () => {
      passage.closed()
      cutThrough.over(LEFT)
    })
    return true
  }

  /** Undefined: it was not. */
  before(message: IncomingMessage): Begun | undefined {
    return this.#handedOver.get(message)
  }
}

const LEFT = new Error('the viewer left')

/** One viewer's. */
class Passage implements Taker {
  readonly #context: PassagesContext
  readonly #response: ServerResponse
  readonly #route: Route
  readonly #request: RequestHead
  readonly #visit: Visit
  readonly #otherwise: () => void
  #left = 0
  #state: 'waiting' | 'begun' | 'handed-over' = 'waiting'

  constructor(
    context: PassagesContext,
    response: ServerResponse,
    route: Route,
    request: RequestHead,
    visit: Visit,
    otherwise: () => void,
  ) {
    this.#context = context
    this.#response = response
    this.#route = route
    this.#request = request
    this.#visit = visit
    this.#otherwise = otherwise
  }

  handedOver(): void {
    this.#state = 'handed-over'
    this.#otherwise()
  }

  begins({ head, size, status }: PassingAnswer): void {
    const { sender, traffic, audience, clock, onAccount, onTrouble } = this.#context
    const [response, visit, now] = [this.#response, this.#visit, clock()]
    this.#left = size
    this.#state = 'begun'
    try {
      sender.beginPassing(response, head, size, status, now, visit)
    } catch (error) {
      onTrouble(error, visit.requestId)
      breakOff(response)
    }
    const told = { outcome: 'miss', fwd: status.fwd, head } as const
    traffic.count(this.#route, 'miss')
    visit.spot = audience.answered(response.socket, this.#request, told, now)
    if (onAccount !== undefined) response.once('close', () => onAccount(visit.account(response)))
  }

  piece(bytes: Uint8Array, giveBack: () => void): void {
    const response = this.#response
    if (response.destroyed) {
      giveBack()
      return
    }
    this.#visit.bytes += bytes.byteLength
    this.#left -= bytes.byteLength
    if (this.#left > 0) response.write(bytes, giveBack)
    else response.end(bytes, giveBack)
  }

  goesOn(rest: AsyncIterable<Uint8Array>): void {
    const [response, visit] = [this.#response, this.#visit]
    if (response.destroyed) return
    deliverFlowing(response, rest, visit, leaving(response)).catch((error: unknown) => {
      if (response.destroyed) return
      this.#context.traffic.cut(this.#route)
      this.#context.onTrouble(error, visit.requestId)
      breakOff(response)
    })
  }

  /** The last byte has left, or nobody is there to take it. */
  closed(): void {
    const [visit, response] = [this.#visit, this.#response]
    // Then it is counted by who answers it.
    if (this.#state === 'handed-over') return
    const { traffic, audience, clock, onAccount } = this.#context
    if (this.#state === 'waiting') {
      traffic.count(this.#route, visit.outcome)
      visit.spot = attributed(audience, response, this.#request, { outcome: visit.outcome }, clock())
      onAccount?.(visit.account(response))
    }
    traffic.bytes(this.#route, visit.bytes)
    if (visit.spot !== undefined) audience.took(visit.spot, visit.bytes)
  }
}
