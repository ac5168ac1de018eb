/** One request to a sibling on the wire, from the queue to the last byte. */
import { RelaisError } from '../../errors.ts'
import type { Fields } from '../../rfc/heads.ts'
import { type Patience, Waiter } from './patience.ts'

/** Hears what comes on the wire. None of it may throw, and none is called before `Wire.send` has returned. */
export interface Listener {
  head(status: number, fields: Fields): void
  /** The bytes stay as they are until `giveBack` is called. */
  piece(bytes: Buffer, giveBack: () => void): void
  ended(): void
  /** Nothing is called after it, nor after `ended`. */
  failed(error: RelaisError): void
}

/** What is to be sent, and how long it is waited for. */
export interface Order {
  /** The whole request as latin1. */
  readonly text: string
  /** It has method HEAD. */
  readonly isHead: boolean
  /** How long not a word may come, the time in the queue included. */
  readonly silenceMs: number
  /** How long the head may take of one that has said that it is on the way. */
  readonly headMs: number
}

/** The connection that carries it. */
export interface Road {
  pause(): void
  resume(): void
  /** It is wanted no more. */
  drop(): void
  end(): void
}

/** The wire that it goes over. */
export interface Carrier {
  readonly name: string
  /** How long nothing may come in the middle of a body that is read. */
  readonly bodyMs: number
  readonly patience: Patience
  /** It is wanted no more before it had a connection. */
  forget(exchange: Exchange): void
}

export class Exchange extends Waiter {
  readonly order: Order
  /** A connection that was kept was closed just then: it is sent once more, and once only. */
  isRepeated = false
  connection: Road | undefined
  readonly #carrier: Carrier
  readonly #listener: Listener
  #state: 'sent' | 'on-the-way' | 'body' | 'over' = 'sent'
  #isPaused = false

  constructor(carrier: Carrier, order: Order, listener: Listener) {
    super()
    this.#carrier = carrier
    this.order = order
    this.#listener = listener
    carrier.patience.wait(this, Math.min(order.silenceMs, order.headMs))
  }

  /** Nobody hears of it any more. */
  get isOver(): boolean {
    return this.#state === 'over'
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** What has been read already is still heard. Time in which it pauses is no silence of the other one. */
  pause(): void {
    if (this.#isPaused || this.isOver) return
    this.#isPaused = true
    this.connection?.pause()
    if (this.#state === 'body') this.#carrier.patience.end(this)
  }

  resume(): void {
    if (!this.#isPaused || this.isOver) return
    this.#isPaused = false
    this.connection?.resume()
    this.#waitForBody()
  }

  /** Nothing more is heard. The connection ends, unless hardly anything is still to come on it. */
  leave(): void {
    if (this.isOver) return
    this.#over()
    if (this.connection === undefined) this.#carrier.forget(this)
    else this.connection.drop()
  }

  /**
   * A response before the response (RFC 9110 section 15.2) says that it is on the way. Further ones say no more: the head has
   * to come within its time nevertheless.
   */
  interim(): void {
    if (this.#state !== 'sent') return
    this.#state = 'on-the-way'
    this.#carrier.patience.wait(this, this.order.headMs)
  }

  head(status: number, fields: Fields): void {
    if (this.isOver) return
    this.#state = 'body'
    if (this.#isPaused) this.#carrier.patience.end(this)
    else this.#waitForBody()
    this.#listener.head(status, fields)
  }

  piece(bytes: Buffer, giveBack: () => void): void {
    if (!this.#isPaused) this.#carrier.patience.again(this)
    this.#listener.piece(bytes, giveBack)
  }

  ended(): void {
    if (this.isOver) return
    this.#over()
    this.#listener.ended()
  }

  failed(error: RelaisError): void {
    if (this.isOver) return
    this.#over()
    this.#listener.failed(error)
  }

  override late(): void {
    const { name: nextHop } = this.#carrier
    const error =
      this.#state === 'body'
        ? new RelaisError('READ_TIMEOUT', { details: `silent for ${this.waitsMs} ms`, nextHop })
        : new RelaisError('RESPONSE_TIMEOUT', { details: this.#lateHead(), nextHop })
    const { connection } = this
    if (connection === undefined) this.#carrier.forget(this)
    this.failed(error)
    connection?.end()
  }

  #lateHead(): string {
    if (this.#state === 'sent') return `not a word within ${this.waitsMs} ms`
    return `only interim responses came within ${this.waitsMs} ms`
  }

  #waitForBody(): void {
    if (this.#state === 'body' && !this.#isPaused) this.#carrier.patience.wait(this, this.#carrier.bodyMs)
  }

  #over(): void {
    this.#state = 'over'
    this.#carrier.patience.end(this)
  }
}
