/** The door: what comes in is answered from memory at once, or through the judge; what the judge declines is not ours. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Cache, Outcome } from '../cache/cache.ts'
import type { Route, RouteTable } from '../cache/routes.ts'
import { RelaisError } from '../errors.ts'
import type { Clock, RequestHead } from '../rfc/heads.ts'
import { checkRequest, requestHead } from './request-head.ts'
import { breakOff, type Sender } from './send.ts'
import type { Traffic } from './traffic.ts'
import { type Account, Visit } from './visit.ts'

/** Paths of the office: they never lead to an origin. */
const OFFICE = /^\/(?:-\/|(?:stats|metrics)(?:$|[?/]))/

export interface DoorContext {
  readonly cache: Cache
  readonly routes: RouteTable
  readonly sender: Sender
  readonly traffic: Traffic
  readonly clock: Clock
  readonly nextRequestId: () => string
  /** One line a request; undefined: no access log is kept. */
  readonly onAccount: ((account: Account) => void) | undefined
  /** An answer that broke off, or a fault of ours. */
  readonly onTrouble: (error: unknown, requestId: string) => void
}

const NEVER = new AbortController().signal

export class Door {
  readonly #context: DoorContext
  #isDraining = false

  constructor(context: DoorContext) {
    this.#context = context
  }

  /** From now on every answer is the last of its connection. */
  drain(): void {
    this.#isDraining = true
  }

  isOffice(target: string): boolean {
    return OFFICE.test(target)
  }

  /** Answers what memory has, awaiting nothing. False: nothing was done. */
  answerAtOnce(message: IncomingMessage, response: ServerResponse): boolean {
    if (message.method !== 'GET' && message.method !== 'HEAD') return false
    const request = requestHead(message)
    const route = this.#context.routes.match(request.target)
    if (route === undefined || OFFICE.test(request.target)) return false
    const answer = this.#context.cache.immediate(route, request)
    if (answer === undefined) return false
    const { traffic, sender, onAccount, clock } = this.#context
    if (this.#isDraining) response.shouldKeepAlive = false
    traffic.count(route, answer.outcome)
    const visit = onAccount === undefined ? undefined : this.#visit(request, response, answer.outcome)
    const bytes = sender.sendHit(response, request, answer, clock(), visit)
    if (bytes !== undefined) {
      traffic.bytes(route, bytes)
      if (visit !== undefined) visit.bytes = bytes
      return true
    }
    const part = visit ?? this.#visit(request, response, answer.outcome)
    const sent = sender.sendStored(response, request, answer, clock(), part, NEVER)
    traffic.bytes(route, part.bytes)
    // Whatever `immediate` hands out lies in memory, so there is nothing left to wait for but a fault of ours.
    if (sent !== undefined) sent.catch((error) => this.#failed(response, error, part))
    return true
  }

  /** `answerAtOnce` threw; what was begun can never be whole. */
  failedAtOnce(response: ServerResponse, error: unknown): void {
    this.#context.onTrouble(error, this.#context.nextRequestId())
    if (response.headersSent) breakOff(response)
  }

  /**
   * Answers through the judge. `accept` is called before anything is written. False: the plain proxy should try, for it
   * is not for a cache, or the cache failed.
   */
  async answer(message: IncomingMessage, response: ServerResponse, accept: () => void): Promise<boolean> {
    const request = requestHead(message)
    const { routes, traffic } = this.#context
    const route = routes.match(request.target)
    const visit = this.#visit(request, response, 'error')
    if (this.#isDraining) response.shouldKeepAlive = false
    let isAccepted = false
    const accepted = (): void => {
      isAccepted = true
      accept()
    }
    try {
      checkRequest(message, request)
      if (route === undefined) throw new RelaisError('NO_ROUTE')
      if (request.method !== 'GET' && request.method !== 'HEAD') return this.#declined(route, visit)
      await this.#serve(route, request, response, visit, accepted)
    } catch (error) {
      if (isAccepted) {
        traffic.cut(route)
      } else if (error instanceof RelaisError) {
        traffic.count(route, 'error')
        accept()
      } else if (response.destroyed) {
        // The viewer left before there was an answer; it had been asked for on its behalf.
        traffic.count(route, 'miss')
        accept()
      } else {
        // A broken cache is still a working proxy.
        this.#context.onTrouble(error, visit.requestId)
        return this.#declined(route, visit)
      }
      this.#failed(response, error, visit)
    } finally {
      traffic.bytes(route, visit.bytes)
    }
    return true
  }

  #declined(route: Route | undefined, visit: Visit): false {
    visit.outcome = 'pass'
    this.#context.traffic.count(route, 'pass')
    return false
  }

  /** An error before any route was taken, or in the plain proxy. */
  refuse(response: ServerResponse, error: RelaisError): void {
    this.#failed(
      response,
      error,
      new Visit(this.#context.nextRequestId(), { method: '', target: '', fields: {} }),
    )
  }

  async #serve(
    route: Route,
    request: RequestHead,
    response: ServerResponse,
    visit: Visit,
    accepted: () => void,
  ): Promise<void> {
    const { cache, sender, clock, traffic } = this.#context
    const leaving = new AbortController()
    response.once('close', () => leaving.abort(new Error('the viewer left')))
    const answer = await cache.answer(route, request, leaving.signal)
    visit.outcome = answer.outcome
    traffic.count(route, answer.outcome)
    accepted()
    if (answer.kind === 'passed') await sender.sendPassed(response, request, answer, visit, leaving.signal)
    else await sender.sendStored(response, request, answer, clock(), visit, leaving.signal)
  }

  #visit(request: RequestHead, response: ServerResponse, outcome: Outcome): Visit {
    const visit = new Visit(this.#context.nextRequestId(), request)
    visit.outcome = outcome
    const { onAccount } = this.#context
    if (onAccount !== undefined) response.once('close', () => onAccount(visit.account(response)))
    return visit
  }

  /** Says what went wrong, or, when the head is gone already, cuts the answer so that nobody takes it for whole. */
  #failed(response: ServerResponse, error: unknown, visit: Visit): void {
    if (response.destroyed) return // there is nobody left to tell
    const known = error instanceof RelaisError ? error : new RelaisError('INTERNAL', { cause: error })
    this.#context.onTrouble(error, visit.requestId)
    if (response.headersSent) {
      breakOff(response)
      return
    }
    visit.outcome = 'error'
    visit.begins()
    this.#context.sender.sendError(response, known, visit.requestId)
  }
}
