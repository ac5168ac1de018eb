/** An answer of a sibling as a promise of its head and a body to be read, for those who take their time with it. */
import { RelaisError } from '../errors.ts'
import { ArrivingBody } from '../upstream/arriving-body.ts'
import { upstreamError } from '../upstream/upstream-error.ts'
import type { Call, Hearer } from './hearer.ts'
import { HERE, type HeardObject, type NoObject, type PeerAnswer } from './peer-answer.ts'
import type { PeerAsk } from './peer-ask.ts'

export class ObjectAnswer implements Hearer {
  readonly #from: string
  readonly #url: string
  readonly #signal: AbortSignal
  readonly #head = Promise.withResolvers<PeerAnswer>()
  readonly #leave = (): void => this.#left()
  #call: Call | undefined
  #body: ArrivingBody | undefined

  constructor(from: string, { prefix, request }: PeerAsk, signal: AbortSignal) {
    this.#from = from
    this.#url = HERE + prefix + request.target
    this.#signal = signal
  }

  /** Rejects with a RelaisError when no head came that can be believed, and with the signal's reason. */
  of(call: Call): Promise<PeerAnswer> {
    this.#call = call
    this.#signal.addEventListener('abort', this.#leave, { once: true })
    return this.#head.promise
  }

  heard(answer: HeardObject | NoObject): void {
    const call = this.#call
    if (answer.kind !== 'object' || call === undefined) {
      this.#over()
      if (answer.kind !== 'object') this.#head.resolve(answer)
      return
    }
    const body = new ArrivingBody({
      pause: () => call.pause(),
      resume: () => call.resume(),
      abort: () => {
        this.#over()
        call.leave()
      },
    }).telling({
      took: () => undefined,
      explain: (cause) => {
        if (this.#signal.aborted) return this.#signal.reason
        return cause instanceof RelaisError ? cause : upstreamError(cause, this.#from, 'body')
      },
    })
    this.#body = body
    const { head } = answer
    const cancel = (): void => body.cancel()
    this.#head.resolve({ ...answer, response: { head, from: this.#from, url: this.#url, body, cancel } })
  }

  piece(bytes: Buffer, giveBack: () => void): void {
    // Who reads it may keep it for as long as it likes.
    this.#body?.push(Buffer.from(bytes))
    giveBack()
  }

  ended(): void {
    this.#over()
    this.#body?.end()
  }

  failed(error: RelaisError): void {
    this.#over()
    if (this.#body === undefined) this.#head.reject(error)
    else this.#body.fail(error)
  }

  #left(): void {
    const { reason } = this.#signal
    this.#call?.leave()
    if (this.#body === undefined) this.#head.reject(reason)
    else this.#body.fail(reason)
  }

  #over(): void {
    this.#signal.removeEventListener('abort', this.#leave)
  }
}
