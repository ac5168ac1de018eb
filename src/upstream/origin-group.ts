/** The origins of one route, in the order of preference: the next one is asked when one fails. */
import { type ErrorName, RelaisError } from '../errors.ts'
import type { Clock, Instant, RequestHead } from '../rfc/heads.ts'
import { planOf, type ResumePolicy } from './continuation.ts'
import { isDeclined, retryAtOf } from './declined.ts'
import type { Origin, OriginStats } from './origin.ts'
import { type Begun, type Road, resumed } from './resumed-body.ts'
import type { Held, Manner, Source, UpstreamResponse } from './source.ts'

export interface OriginState extends OriginStats {
  /** Asked last until then, because it failed; undefined when it is in good standing. */
  readonly penalisedUntil: Instant | undefined
}

export interface OriginGroupOptions {
  /** How long an origin that failed is asked last; 0 never penalises. */
  readonly penaltyMs: number
  readonly resume: ResumePolicy
  /** How long a body that broke off may stand still before it is given up; 0 never resumes. */
  readonly resumeTimeoutMs: number
}

/** An origin that asks for more with Retry-After is not asked last for any longer than this. */
const MAX_PENALTY_MS = 60_000

/** Failures that are no fault of the origin: it was not asked. */
const NOT_ASKED: ReadonlySet<ErrorName> = new Set(['CONNECTION_LIMIT', 'DESTINATION_UNAVAILABLE'])

/** It was not asked, or it had nothing to say yet: an encoder that stands still is none of the server's faults. */
function isExcused(code: ErrorName, held: Held | undefined): boolean {
  return NOT_ASKED.has(code) || (held !== undefined && code === 'RESPONSE_TIMEOUT')
}

/**
 * An origin that cannot be reached, refuses, or answers 502, 503 or 504 is penalised: for a while it is asked last,
 * never not at all. Only the last failure is passed on, so a viewer sees one only when every origin failed.
 */
export class OriginGroup implements Source {
  readonly name: string
  readonly #origins: readonly Origin[]
  readonly #options: OriginGroupOptions
  readonly #penalisedUntil = new Map<Origin, Instant>()
  /** Those who answer, but lag behind what others said. */
  readonly #demotedUntil = new Map<Origin, Instant>()
  readonly #clock: Clock
  readonly #road: Road<Origin> = {
    ask: (origin, request, signal, readers) => this.#ask(origin, request, signal, { readers }),
    candidates: (broken, failure) => this.#candidates(broken, failure),
  }

  constructor(origins: readonly Origin[], options: OriginGroupOptions, clock: Clock) {
    this.name = origins.map((origin) => origin.name).join(',')
    this.#origins = origins
    this.#options = options
    this.#clock = clock
  }

  /** Who is asked first now. */
  get preferred(): Origin {
    const [first] = this.#inOrder()
    if (first === undefined) throw new RelaisError('INTERNAL', { details: 'a route without origins' })
    return first
  }

  async fetch(request: RequestHead, signal: AbortSignal, manner: Manner = {}): Promise<UpstreamResponse> {
    const begun = await this.#begin(request, signal, manner)
    const plan = planOf(request, begun.response.head, this.#options.resume)
    if (plan === undefined) return begun.response
    return resumed(begun, plan, this.#road, this.#options.resumeTimeoutMs, signal)
  }

  demote(from: string, forMs: number): boolean {
    const now = this.#clock()
    const demoted = this.#origins.find((origin) => origin.name === from)
    if (demoted === undefined) return false
    const isNews = this.#rank(demoted, now) === 0
    this.#demotedUntil.set(demoted, now + Math.min(forMs, MAX_PENALTY_MS))
    return isNews && this.#origins.some((origin) => this.#rank(origin, now) === 0 && !origin.isOpen)
  }

  spare(share: number): number {
    return this.preferred.spare(share)
  }

  states(): readonly OriginState[] {
    const now = this.#clock()
    return this.#origins.map((origin) => {
      const until = this.#penalisedUntil.get(origin) ?? 0
      return { ...origin.stats(), penalisedUntil: until > now ? until : undefined }
    })
  }

  async #begin(request: RequestHead, signal: AbortSignal, manner: Manner): Promise<Begun<Origin>> {
    const order = this.#inOrder()
    let failure: unknown = new RelaisError('INTERNAL', { details: 'a route without origins' })
    for (const [index, origin] of order.entries()) {
      const isLast = index === order.length - 1
      // Whoever probes a dead origin may wait for it in vain; the others need not, for they have another one.
      if (!isLast && origin.isOpen) this.#penalise(origin)
      try {
        const response = await this.#ask(origin, request, signal, manner)
        if (isLast || !isDeclined(response.head))
          return { origin, request, response, readers: manner.readers ?? 'all' }
        response.cancel()
      } catch (error) {
        if (signal.aborted) throw error
        failure = error
      }
    }
    throw failure
  }

  /** Asks one origin, and keeps in mind what it made of it. */
  async #ask(
    origin: Origin,
    request: RequestHead,
    signal: AbortSignal,
    manner: Manner,
  ): Promise<UpstreamResponse> {
    try {
      const response = await origin.fetch(request, signal, manner)
      const { fields, receivedAt } = response.head
      if (!isDeclined(response.head)) this.#penalisedUntil.delete(origin)
      else if (manner.held === undefined) this.#penalise(origin, retryAtOf(fields, receivedAt))
      return response
    } catch (error) {
      const isFault = !(error instanceof RelaisError) || !isExcused(error.code, manner.held)
      if (!signal.aborted && isFault) this.#penalise(origin)
      throw error
    }
  }

  /**
   * Who broke off has the same bytes for certain and is asked first, unless it fell silent: it may do so again, and
   * costs more patience each time.
   */
  #candidates(broken: Origin, failure: RelaisError): readonly Origin[] {
    const isSilent = failure.code === 'READ_TIMEOUT'
    if (isSilent) this.#penalise(broken)
    const others = this.#inOrder().filter((origin) => origin !== broken)
    return isSilent ? [...others, broken] : [broken, ...others]
  }

  /** Until the default is over, or until the origin said that it will answer again. */
  #penalise(origin: Origin, retryAt?: Instant): void {
    const { penaltyMs } = this.#options
    const now = this.#clock()
    const asksForMs = retryAt === undefined ? penaltyMs : Math.min(Math.max(0, retryAt - now), MAX_PENALTY_MS)
    this.#penalisedUntil.set(origin, now + (penaltyMs === 0 ? 0 : asksForMs))
  }

  /** Those in good standing, then those who lag behind, then the penalised ones, each as configured. */
  #inOrder(): readonly Origin[] {
    if (this.#origins.length === 1) return this.#origins
    const now = this.#clock()
    return this.#origins.toSorted((one, other) => this.#rank(one, now) - this.#rank(other, now))
  }

  /** 0: in good standing. */
  #rank(origin: Origin, now: Instant): number {
    if ((this.#penalisedUntil.get(origin) ?? 0) > now) return 2
    return (this.#demotedUntil.get(origin) ?? 0) > now ? 1 : 0
  }
}
