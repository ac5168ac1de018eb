/** The door: what comes in is answered from memory at once, or through the judge; what the judge declines is not ours. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Answer, StoredAnswer } from '../cache/cache.ts'
import type { Route, RouteTable } from '../cache/routes.ts'
import { RelaisError } from '../errors.ts'
import type { RequestHead } from '../rfc/heads.ts'
import { Viewer } from './asker.ts'
import { attributed } from './attribution.ts'
import { breakOff, leaving } from './delivery.ts'
import { isDoubtful, isOfViewer } from './error-answer.ts'
import type { Forwarder, Send } from './forwarder.ts'
import { Passages, type PassagesContext } from './passages.ts'
import { ERROR_FOR_ALL_PAGES } from './preflight.ts'
import { checkRequest, countHosts, hasSoundHost, isUnread, requestHead } from './request-head.ts'
import { Visit } from './visit.ts'

/** Paths of the office: they never lead to an origin. */
export const OFFICE = /^\/(?:-\/|(?:stats|metrics)(?:$|[?/]))/

export interface DoorContext extends PassagesContext {
  readonly routes: RouteTable
  /** Takes what is not for a cache, and everything when the cache is broken. */
  readonly forwarder: Forwarder
}

/** One request while it is attended to. */
interface Attendance {
  readonly message: IncomingMessage
  readonly response: ServerResponse
  readonly request: RequestHead
  readonly visit: Visit
  /** Aborted when the viewer leaves. */
  readonly signal: AbortSignal
}

export class Door {
  readonly #context: DoorContext
  readonly #passages: Passages
  readonly #attendances = new WeakMap<IncomingMessage, Attendance>()
  readonly #closing = new WeakSet<Socket>()
  #isDraining = false
  #soundHost: string | undefined

  constructor(context: DoorContext) {
    this.#context = context
    this.#passages = new Passages(context)
  }

  /** From now on every answer is the last of its connection. */
  drain(): void {
    this.#isDraining = true
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  /**
   * Whether the connection ends with an answer to an earlier request: what comes behind it is not acted upon (RFC 9112
   * section 9.6). What was handed over came before whatever has ended the connection meanwhile.
   */
  isClosing(message: IncomingMessage): boolean {
    return this.#closing.has(message.socket) && this.#passages.before(message) === undefined
  }

  isOffice(target: string): boolean {
    return OFFICE.test(target)
  }

  /**
   * Answers what memory has, awaiting nothing, or what a sibling is about to hand on. False: nothing was done. `long`: the
   * way of all others, which it may turn out to have to go.
   */
  answerAtOnce(message: IncomingMessage, response: ServerResponse, long: RequestListener): boolean {
    if ((message.method !== 'GET' && message.method !== 'HEAD') || !this.#hasSoundHost(message)) return false
    const request = requestHead(message)
    const route = this.#context.routes.match(request.target)
    if (route === undefined || OFFICE.test(request.target)) return false
    const answer = this.#context.cache.immediate(route, request)
    if (answer === undefined) {
      if (this.#isDraining || this.#closing.has(message.socket)) return false
      return this.#passages.begin(message, response, route, request, () => long(message, response))
    }
    const { traffic, audience, sender, onAccount, clock } = this.#context
    const now = clock()
    if (this.#isDraining) response.shouldKeepAlive = false
    const { outcome } = answer
    const visit =
      onAccount === undefined ? undefined : new Visit(this.#context.nextRequestId(), request, outcome)
    const bytes = sender.sendHit(response, request, answer, now, visit)
    // Counted only now: what throws before is answered, and counted, the long way.
    if (bytes !== undefined) {
      traffic.count(route, outcome)
      traffic.bytes(route, bytes)
      audience.hit(message.socket, request, answer.stored.head, outcome, bytes, now)
      if (visit !== undefined) {
        visit.bytes = bytes
        this.#report(visit, response)
      }
      return true
    }
    const part = visit ?? new Visit(this.#context.nextRequestId(), request, outcome)
    this.#sendAtOnce(response, request, route, answer, part)
    return true
  }

  /** Nearly all viewers name the same host, which has not to be looked into each time. */
  #hasSoundHost(message: IncomingMessage): boolean {
    const { host } = message.headers
    if (host === this.#soundHost && countHosts(message) === 1) return true
    if (!hasSoundHost(message)) return false
    this.#soundHost = host
    return true
  }

  /** What is no plain hit: a part, a 304, or a body that leaves at the viewer's pace: a long one, or one in slices. */
  #sendAtOnce(
    response: ServerResponse,
    request: RequestHead,
    route: Route,
    answer: StoredAnswer,
    visit: Visit,
  ): void {
    const { sender, traffic, audience, clock } = this.#context
    const signal = answer.stored.body.chunks === undefined ? leaving(response) : undefined
    const sent = sender.sendStored(response, request, answer, clock(), visit, signal)
    traffic.count(route, answer.outcome)
    visit.spot = attributed(audience, response, request, answer, clock())
    this.#report(visit, response)
    if (sent === undefined) {
      this.#took(route, visit)
      return
    }
    const failed = (error: unknown): void => {
      if (response.headersSent) traffic.cut(route)
      this.#failed(response, error, visit)
    }
    void sent.catch(failed).finally(() => this.#took(route, visit))
  }

  /** `answerAtOnce` threw. False: nothing was begun, and the long way is still open. */
  failedAtOnce(response: ServerResponse, error: unknown): boolean {
    const { onTrouble, nextRequestId, traffic } = this.#context
    onTrouble(error, nextRequestId())
    if (!response.headersSent) return false
    traffic.count(undefined, 'error')
    breakOff(response)
    return true
  }

  /**
   * Answers GET and HEAD through the judge; `accept` is called before anything is written. False: the cache failed
   * before that, and the request is to be passed on. Never rejects.
   */
  async answer(message: IncomingMessage, response: ServerResponse, accept: () => unknown): Promise<boolean> {
    const { cache, onTrouble } = this.#context
    const attendance = this.#attend(message, response)
    let isBroken = false
    await this.#serve(attendance, accept, async ({ route, request, visit, signal }) => {
      try {
        const before = this.#passages.before(message)?.cutThrough
        return await cache.answer(route, request, signal, undefined, before)
      } catch (error) {
        if (error instanceof RelaisError || signal.aborted) throw error
        // A broken cache is still a working proxy.
        onTrouble(error, visit.requestId)
        isBroken = true
        return undefined
      }
    })
    return !isBroken
  }

  /** Passes a request on as it is, and its answer back. Never rejects. */
  async pass(
    message: IncomingMessage,
    response: ServerResponse,
    accept: () => unknown,
    send: Send,
  ): Promise<void> {
    const { forwarder } = this.#context
    await this.#serve(this.#attend(message, response), accept, ({ route, request, signal }) =>
      forwarder.forward(route, message, request, isForCache(request) ? 'bypass' : 'method', send, signal),
    )
  }

  /** An error of what is not a route: the office, or nothing at all. */
  refuse(message: IncomingMessage, response: ServerResponse, error: RelaisError): void {
    const visit = new Visit(this.#context.nextRequestId(), requestHead(message), 'error')
    this.#report(visit, response)
    if (isUnread(message)) this.#close(message, response)
    this.#context.traffic.count(undefined, 'error')
    this.#failed(response, error, visit)
    this.#context.traffic.bytes(undefined, visit.bytes)
  }

  /** The same for a request that was declined by the cache and comes back to be passed on. */
  #attend(message: IncomingMessage, response: ServerResponse): Attendance {
    const before = this.#attendances.get(message)
    if (before !== undefined) return before
    const request = { ...requestHead(message), asker: new Viewer(message, response) }
    // What a viewer who leaves early had asked for.
    const visit =
      this.#passages.before(message)?.visit ??
      new Visit(this.#context.nextRequestId(), request, isForCache(request) ? 'miss' : 'pass')
    this.#report(visit, response)
    const attendance = { message, response, request, visit, signal: leaving(response) }
    this.#attendances.set(message, attendance)
    return attendance
  }

  /** `ask` answers undefined when somebody else is to be asked; then nothing was done. */
  async #serve(
    attendance: Attendance,
    accept: () => unknown,
    ask: (routed: Attendance & { readonly route: Route }) => Promise<Answer | undefined>,
  ): Promise<void> {
    const { routes, traffic, audience, clock } = this.#context
    const { message, response, request, visit, signal } = attendance
    const route = routes.match(request.target)
    if (route?.cors === 'edge') visit.errorLines = ERROR_FOR_ALL_PAGES
    let isCounted = false
    try {
      checkRequest(message, request)
      if (OFFICE.test(request.target)) throw new RelaisError('NOT_FOUND')
      if (route === undefined) throw new RelaisError('NO_ROUTE')
      const answer = await ask({ ...attendance, route })
      if (answer === undefined) return
      visit.outcome = answer.outcome
      traffic.count(route, answer.outcome)
      visit.spot = attributed(audience, response, request, answer, clock())
      isCounted = true
      accept()
      // What is left of the request's body would be read as the next request.
      if (isUnread(message)) this.#close(message, response)
      await this.#send(attendance, answer)
    } catch (error) {
      if (!isCounted) {
        const outcome = signal.aborted ? visit.outcome : 'error'
        traffic.count(route, outcome)
        if (route !== undefined) visit.spot = attributed(audience, response, request, { outcome }, clock())
        accept()
        if (isUnread(message) || isDoubtful(error)) this.#close(message, response)
      } else if (response.headersSent) {
        traffic.cut(route)
      }
      this.#failed(response, error, visit)
    } finally {
      this.#took(route, visit)
    }
  }

  #took(route: Route | undefined, visit: Visit): void {
    this.#context.traffic.bytes(route, visit.bytes)
    if (visit.spot !== undefined) this.#context.audience.took(visit.spot, visit.bytes)
  }

  #send({ response, request, visit, signal }: Attendance, answer: Answer): void | Promise<void> {
    const { sender, clock } = this.#context
    return answer.kind === 'passed'
      ? sender.sendPassed(response, request, answer, visit, signal)
      : sender.sendStored(response, request, answer, clock(), visit, signal)
  }

  #close(message: IncomingMessage, response: ServerResponse): void {
    response.shouldKeepAlive = false
    // A request whose sending on was broken off knows its connection no more, an answer that waits for another not yet.
    const socket: Socket | null = response.socket ?? message.socket
    if (socket !== null) this.#closing.add(socket)
  }

  /** One line when it is over. */
  #report(visit: Visit, response: ServerResponse): void {
    const { onAccount } = this.#context
    if (onAccount === undefined) return
    const tell = (): void => onAccount(visit.account(response))
    // Who waited for his turn may have left meanwhile.
    if (response.destroyed) tell()
    else response.once('close', tell)
  }

  /** Says what went wrong, or, when the head is gone already, cuts the answer so that nobody takes it for whole. */
  #failed(response: ServerResponse, error: unknown, visit: Visit): void {
    if (response.destroyed) return // there is nobody left to tell
    const known = error instanceof RelaisError ? error : new RelaisError('INTERNAL', { cause: error })
    if (!isOfViewer(known)) this.#context.onTrouble(error, visit.requestId)
    if (response.headersSent) {
      breakOff(response)
      return
    }
    visit.outcome = 'error'
    visit.begins()
    visit.bytes += this.#context.sender.sendError(response, visit, known)
  }
}

function isForCache({ method }: RequestHead): boolean {
  return method === 'GET' || method === 'HEAD'
}
