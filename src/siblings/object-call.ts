/** One request for an object to a sibling, as the sibling that is asked keeps account of it. */
import { RelaisError } from '../errors.ts'
import type { Clock, Fields } from '../rfc/heads.ts'
import type { Call, Hearer } from './hearer.ts'
import { type HeardObject, heardOf, type NoObject } from './peer-answer.ts'
import type { PeerAsk } from './peer-ask.ts'
import type { Exchange, Listener } from './wire/exchange.ts'

/** Keeps account of what a sibling was asked. */
export interface Ledger {
  readonly name: string
  /** Its head took so long to come. */
  took(ms: number): void
  answered(answer: HeardObject | NoObject): void
  /** No head that can be believed came. */
  failed(ask: PeerAsk, isProbing: boolean, error: RelaisError): void
  /** Who asked did not wait for the head. */
  left(isProbing: boolean): void
  brought(bytes: number): void
  brokeOff(): void
}

export class ObjectCall implements Listener, Call {
  readonly #ledger: Ledger
  readonly #ask: PeerAsk
  readonly #hearer: Hearer
  readonly #clock: Clock
  /** It finds out whether the sibling can be asked again. */
  readonly #isProbing: boolean
  readonly #requestedAt: number
  readonly #startedAt = performance.now()
  #exchange: Exchange | undefined
  #state: 'asked' | 'coming' | 'over' = 'asked'

  constructor(ledger: Ledger, ask: PeerAsk, hearer: Hearer, clock: Clock, isProbing: boolean) {
    this.#ledger = ledger
    this.#ask = ask
    this.#hearer = hearer
    this.#clock = clock
    this.#isProbing = isProbing
    this.#requestedAt = clock()
  }

  /** It is on its way. */
  sent(exchange: Exchange): void {
    this.#exchange = exchange
  }

  pause(): void {
    this.#exchange?.pause()
  }

  resume(): void {
    this.#exchange?.resume()
  }

  leave(): void {
    if (this.#state === 'over') return
    if (this.#state === 'asked') this.#ledger.left(this.#isProbing)
    this.#over()
  }

  head(status: number, fields: Fields): void {
    this.#ledger.took(performance.now() - this.#startedAt)
    const told = { status, fields, requestedAt: this.#requestedAt, receivedAt: this.#clock() }
    const heard = this.#believed(told)
    if (heard === undefined) return
    this.#state = 'coming'
    this.#ledger.answered(heard)
    if (heard.kind !== 'object') this.#over()
    this.#hearer.heard(heard)
  }

  piece(bytes: Buffer, giveBack: () => void): void {
    this.#ledger.brought(bytes.byteLength)
    this.#hearer.piece(bytes, giveBack)
  }

  ended(): void {
    this.#state = 'over'
    this.#hearer.ended()
  }

  failed(error: RelaisError): void {
    if (this.#state === 'asked') this.#ledger.failed(this.#ask, this.#isProbing, error)
    else this.#ledger.brokeOff()
    this.#state = 'over'
    this.#hearer.failed(error)
  }

  #believed(told: Parameters<typeof heardOf>[1]): HeardObject | NoObject | undefined {
    const { name } = this.#ledger
    try {
      return heardOf(this.#ask, told, name)
    } catch (error) {
      const fault = error instanceof RelaisError ? error : new RelaisError('INTERNAL', { cause: error })
      this.failed(fault)
      this.#exchange?.leave()
      return undefined
    }
  }

  #over(): void {
    this.#state = 'over'
    this.#exchange?.leave()
  }
}
