/** A request to a sibling on behalf of one viewer, to whom what comes is handed on; or, as soon as it is more than that, a fetch like any other. */
import type { RelaisError } from '../errors.ts'
import type { ReceivedHead } from '../rfc/heads.ts'
import type { Ride, Rider } from '../upstream/source.ts'
import { Fetching } from './fetching.ts'
import type { Call, Hearer } from './hearer.ts'
import type { HeardObject, NoObject, PeerAnswer } from './peer-answer.ts'
import type { PeerAsk } from './peer-ask.ts'
import type { Sibling } from './sibling.ts'

/** What the one who sets out knows of it. */
export interface RideContext {
  /** Whether it is asked for so often that it is to be kept here. */
  isHot(answer: HeardObject): boolean
  /** It is handed on, and counts as seen here. */
  onPassing(): void
  /** The body broke off behind so many bytes: what is missing of it, from whoever has it. */
  rest(
    head: ReceivedHead,
    taken: number,
    failure: RelaisError,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>
}

export class PeerRide implements Ride, Hearer {
  readonly #sibling: Sibling
  readonly #ask: PeerAsk
  readonly #rider: Rider
  readonly #context: RideContext
  readonly #left = new AbortController()
  readonly #setOutAt = performance.now()
  #call: Call | undefined
  #fetching: Fetching | undefined
  #isTaken = false
  #head: ReceivedHead | undefined
  #taken = 0

  constructor(sibling: Sibling, ask: PeerAsk, rider: Rider, context: RideContext) {
    this.#sibling = sibling
    this.#ask = ask
    this.#rider = rider
    this.#context = context
  }

  /** Undefined: the sibling cannot be asked. */
  setOut(): this | undefined {
    this.#call = this.#sibling.call(this.#ask, this)
    return this.#call === undefined ? undefined : this
  }

  get lateInMs(): number {
    return this.#sibling.usual.ms - (performance.now() - this.#setOutAt)
  }

  /** For who fetches the same of this sibling: what comes of it. Undefined: it was another one, or was taken over already. */
  takenOver(siblingId: string, signal: AbortSignal): Promise<PeerAnswer> | undefined {
    if (siblingId !== this.#sibling.name || this.#isTaken || this.#left.signal.aborted || signal.aborted)
      return undefined
    this.#isTaken = true
    const fetching = this.#asFetching()
    signal.addEventListener(
      'abort',
      () => {
        this.#call?.leave(signal.reason)
        fetching?.left(signal.reason)
      },
      { once: true },
    )
    return fetching?.answer
  }

  leave(reason: unknown): void {
    // From then on it is for who fetches to leave.
    if (this.#isTaken) return
    this.#left.abort(reason)
    this.#call?.leave(reason)
  }

  heard(answer: HeardObject | NoObject): void {
    if (this.#fetching === undefined && answer.kind === 'object' && this.#isTakenByRider(answer)) return
    this.#asFetching()?.heard(answer)
    if (!this.#isTaken) this.#rider.declined()
  }

  piece(bytes: Buffer, giveBack: () => void): void {
    if (this.#fetching !== undefined) {
      this.#fetching.piece(bytes, giveBack)
      return
    }
    this.#taken += bytes.byteLength
    this.#rider.piece(bytes, giveBack)
  }

  ended(): void {
    if (this.#fetching === undefined) this.#rider.ended()
    else this.#fetching.ended()
  }

  failed(error: RelaisError): void {
    if (this.#fetching === undefined && this.#head !== undefined) {
      this.#rider.goesOn(this.#context.rest(this.#head, this.#taken, error, this.#left.signal))
      return
    }
    this.#asFetching()?.failed(error)
    if (!this.#isTaken) this.#rider.declined()
  }

  #isTakenByRider(answer: HeardObject): boolean {
    // What lies there whole as viewers are to have it is a manifest.
    if (answer.isWhole || this.#context.isHot(answer)) return false
    this.#head = answer.head
    if (this.#rider.heard(answer.head)) {
      this.#context.onPassing()
      return true
    }
    this.#head = undefined
    return false
  }

  #asFetching(): Fetching | undefined {
    if (this.#call === undefined) return undefined
    this.#fetching ??= new Fetching(this.#ask, this.#sibling.name, this.#call)
    return this.#fetching
  }
}
