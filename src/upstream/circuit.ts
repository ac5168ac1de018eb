/** Whether an origin is asked at all: after repeated failure only once a second, until it answers again. */
import type { ErrorName } from '../errors.ts'
import type { Clock, Instant } from '../rfc/heads.ts'

/** So many points of failure in a row open the circuit: five refusals, or two silences. */
const POINTS_TO_OPEN = 10
/** It said no, and at once. */
const REFUSAL_POINTS = 2
/** It let a viewer wait to the end of all patience: each more of them costs another viewer as much. */
const SILENCE_POINTS = 5
/** Failures further apart than this have nothing to do with each other. */
const WINDOW_MS = 30_000
/**
 * Who has answered something a moment ago is not dead: else whoever knows one address that always fails could have
 * the circuit opened for everyone by asking for it often.
 */
const ALIVE_MS = 1_000
/** Who answers 503 is there, and perhaps for all things but one: what else it says may be rare. */
const ALIVE_FOR_OTHERS_MS = WINDOW_MS
/** So many paths declined in a row, and nothing answered meanwhile, speak of the origin and not of a thing. */
const PATHS_OF_AN_ORIGIN = 3
/** How often a dead origin is asked. */
const PROBE_EVERY_MS = 1_000
/** Who was sent away comes back within this time, or not at all. */
const COME_BACK_MS = 10_000

/** What speaks of the origin rather than of the one thing it was asked for. */
const POINTS: Readonly<Partial<Record<ErrorName, number>>> = {
  DNS_ERROR: REFUSAL_POINTS,
  DNS_TIMEOUT: SILENCE_POINTS,
  CONNECTION_REFUSED: REFUSAL_POINTS,
  CONNECTION_TERMINATED: REFUSAL_POINTS,
  CONNECTION_TIMEOUT: SILENCE_POINTS,
  UNREACHABLE: REFUSAL_POINTS,
  TLS_ERROR: REFUSAL_POINTS,
  TLS_CERTIFICATE: REFUSAL_POINTS,
  RESPONSE_TIMEOUT: SILENCE_POINTS,
}

/**
 * Closed, everybody goes through. Open, one request a second does (half-open, in other words), and the first answer
 * closes it. The probe is not waited for: a silent origin is asked anew each second, so that one that comes back is
 * found within a second and not within the patience of the last probe. Who was sent before it opened waits on, each to
 * the bound of his own: what he waits for may be slow by nature, such as a blocking reload.
 *
 * A path that was probed in vain is not probed again while those who wanted another are awaited: it may be the only one
 * that fails, and who asks for it most often would keep everyone else from ever finding that out.
 */
export class Circuit {
  readonly #clock: Clock
  #points = 0
  /** Paths declined since it last answered, as many as matter. */
  readonly #declined = new Set<string>()
  #failedAt: Instant = Number.NEGATIVE_INFINITY
  #answeredAt: Instant = Number.NEGATIVE_INFINITY
  /** Undefined: closed. */
  #probeAt: Instant | undefined
  /** The path of the last probe; undefined: there was none since it opened. */
  #probed: string | undefined
  /** Until then somebody may come back who was sent away with another path. */
  #othersUntil: Instant = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isOpen(): boolean {
    return this.#probeAt !== undefined
  }

  /** Milliseconds until somebody may go through, 0 to PROBE_EVERY_MS. */
  get waitMs(): number {
    if (this.#probeAt === undefined) return 0
    // A clock that was set back must not keep an origin out for longer than the rule says.
    const wait = this.#probeAt - this.#clock()
    return wait > PROBE_EVERY_MS ? 0 : Math.max(0, wait)
  }

  /** Whether a request for this path might go through now. */
  isPassable(path: string): boolean {
    if (!this.isOpen) return true
    const now = this.#clock()
    if (this.waitMs > 0) {
      if (path !== this.#probed) this.#othersUntil = now + COME_BACK_MS
      return false
    }
    const othersMs = this.#othersUntil - now
    return path !== this.#probed || othersMs <= 0 || othersMs > COME_BACK_MS
  }

  /** Whether this request goes through; when the circuit is open it then is the probe of this second. */
  enter(path: string): boolean {
    if (!this.isPassable(path)) return false
    if (!this.isOpen) return true
    this.#probeAt = this.#clock() + PROBE_EVERY_MS
    this.#probed = path
    this.#othersUntil = Number.NEGATIVE_INFINITY
    return true
  }

  /** It answered, and not with "not now". */
  answered(): void {
    this.#points = 0
    this.#declined.clear()
    this.#answeredAt = this.#clock()
    this.#probeAt = undefined
  }

  /** It answered 502, 503 or 504 to a request for this path. */
  declined(path: string): void {
    if (this.#declined.size < PATHS_OF_AN_ORIGIN) this.#declined.add(path)
    this.#add(REFUSAL_POINTS, this.#declined.size < PATHS_OF_AN_ORIGIN ? ALIVE_FOR_OTHERS_MS : ALIVE_MS)
  }

  /** No head came. What speaks of one response only changes nothing. */
  failed(code: ErrorName): void {
    const points = POINTS[code]
    if (points !== undefined) this.#add(points, ALIVE_MS)
  }

  #add(points: number, aliveMs: number): void {
    if (this.isOpen) return
    const now = this.#clock()
    this.#points = (now - this.#failedAt > WINDOW_MS ? 0 : this.#points) + points
    this.#failedAt = now
    if (this.#points >= POINTS_TO_OPEN && now - this.#answeredAt >= aliveMs) {
      this.#points = 0
      this.#probed = undefined
      this.#probeAt = now + PROBE_EVERY_MS
    }
  }
}
