/** The origins of one route, in the order of preference: the next one is asked when one fails. */
import { RelaisError } from '../errors.ts'
import type { Clock, Instant, RequestHead } from '../rfc/heads.ts'
import type { Origin, OriginStats } from './origin.ts'
import type { Source, UpstreamResponse } from './source.ts'

/** Answers that say "not me, not now" rather than something about the resource (RFC 9110 sections 15.6.3 to 15.6.5). */
const SENDS_ON: ReadonlySet<number> = new Set([502, 503, 504])

export interface OriginState extends OriginStats {
  /** Asked last until then, because it failed; undefined when it is in good standing. */
  readonly penalisedUntil: Instant | undefined
}

/**
 * An origin that cannot be reached, refuses, or answers 502, 503 or 504 is penalised: for a while it is asked last,
 * never not at all. Only the last failure is passed on, so a viewer sees one only when every origin failed.
 */
export class OriginGroup implements Source {
  readonly name: string
  readonly #origins: readonly Origin[]
  readonly #penalisedUntil = new Map<Origin, Instant>()
  readonly #penaltyMs: number
  readonly #clock: Clock

  constructor(origins: readonly Origin[], penaltyMs: number, clock: Clock) {
    this.name = origins.map((origin) => origin.name).join(',')
    this.#origins = origins
    this.#penaltyMs = penaltyMs
    this.#clock = clock
  }

  /** Who is asked first now. */
  get preferred(): Origin {
    const [first] = this.#inOrder()
    if (first === undefined) throw new RelaisError('INTERNAL', { details: 'a route without origins' })
    return first
  }

  async fetch(request: RequestHead, signal: AbortSignal): Promise<UpstreamResponse> {
    const order = this.#inOrder()
    let failure: unknown = new RelaisError('INTERNAL', { details: 'a route without origins' })
    for (const [index, origin] of order.entries()) {
      const isLast = index === order.length - 1
      try {
        const response = await origin.fetch(request, signal)
        if (!SENDS_ON.has(response.head.status)) {
          this.#penalisedUntil.delete(origin)
          return response
        }
        this.#penalise(origin)
        if (isLast) return response
        response.cancel()
      } catch (error) {
        if (signal.aborted) throw error
        this.#penalise(origin)
        failure = error
      }
    }
    throw failure
  }

  states(): readonly OriginState[] {
    const now = this.#clock()
    return this.#origins.map((origin) => {
      const until = this.#penalisedUntil.get(origin) ?? 0
      return { ...origin.stats(), penalisedUntil: until > now ? until : undefined }
    })
  }

  #penalise(origin: Origin): void {
    this.#penalisedUntil.set(origin, this.#clock() + this.#penaltyMs)
  }

  /** Those in good standing as configured, then the penalised ones as configured. */
  #inOrder(): readonly Origin[] {
    if (this.#origins.length === 1) return this.#origins
    const now = this.#clock()
    const isPenalised = (origin: Origin): boolean => (this.#penalisedUntil.get(origin) ?? 0) > now
    return [
      ...this.#origins.filter((origin) => !isPenalised(origin)),
      ...this.#origins.filter((origin) => isPenalised(origin)),
    ]
  }
}
