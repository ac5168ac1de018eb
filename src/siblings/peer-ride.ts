/** A request to a sibling on behalf of one viewer, to whom what comes is handed on; or, as soon as it is more than that, a fetch like any other. */
import type { RelaisError } from '../errors.ts'
import type { ReceivedHead } from '../rfc/heads.ts'
import type { Ride, Rider } from '../upstream/source.ts'
import type { Call, Hearer } from './hearer.ts'
import { ObjectAnswer } from './object-answer.ts'
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
  readonly #setOutAt = performance.now()
  #call: Call | undefined
  /** Of who took it over. */
  #answer: ObjectAnswer | undefined
  /** It is the rider's. */
  #head: ReceivedHead | undefined
  #taken = 0
  /** Ends the search for the rest of a body that broke off. */
  #search: AbortController | undefined
  #isLeft = false

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
    const call = this.#call
    const isFree = this.#answer === undefined && this.#head === undefined && !this.#isLeft
    if (siblingId !== this.#sibling.name || call === undefined || !isFree || signal.aborted) return undefined
    this.#answer = new ObjectAnswer(this.#sibling.name, this.#ask, signal)
    return this.#answer.of(call)
  }

  /** Does nothing when it was taken over: then it is for who did to leave. */
  leave(reason: unknown): void {
    if (this.#answer !== undefined) return
    this.#isLeft = true
    this.#search?.abort(reason)
    this.#call?.leave()
  }

  heard(answer: HeardObject | NoObject): void {
    if (this.#answer === undefined) {
      if (answer.kind === 'object' && this.#isTakenByRider(answer)) return
      this.#rider.declined()
    }
    if (this.#answer === undefined) this.#call?.leave()
    this.#answer?.heard(answer)
  }

  piece(bytes: Buffer, giveBack: () => void): void {
    if (this.#head === undefined) {
      this.#answer?.piece(bytes, giveBack)
      return
    }
    this.#taken += bytes.byteLength
    this.#rider.piece(bytes, giveBack)
  }

  ended(): void {
    // The rider knows from the head how many bytes are all; fewer are a failure.
    if (this.#head === undefined) this.#answer?.ended()
  }

  failed(error: RelaisError): void {
    if (this.#head !== undefined) {
      this.#search = new AbortController()
      this.#rider.goesOn(this.#context.rest(this.#head, this.#taken, error, this.#search.signal))
      return
    }
    if (this.#answer === undefined) this.#rider.declined()
    this.#answer?.failed(error)
  }

  #isTakenByRider(answer: HeardObject): boolean {
    // What lies there whole as viewers are to have it is a manifest.
    if (answer.isWhole || this.#context.isHot(answer) || !this.#rider.heard(answer.head)) return false
    this.#head = answer.head
    this.#context.onPassing()
    return true
  }
}
