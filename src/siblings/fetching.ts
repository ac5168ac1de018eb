/** An answer that is heard as it comes, for one who waits for it and reads its body when he likes. */
import type { RelaisError } from '../errors.ts'
import { ArrivingBody } from '../upstream/arriving-body.ts'
import type { Call, Hearer } from './hearer.ts'
import { HERE, type HeardObject, type NoObject, type PeerAnswer } from './peer-answer.ts'
import type { PeerAsk } from './peer-ask.ts'

/** To be joined with its call before anything is heard. */
export class Fetching implements Hearer {
  readonly #ask: PeerAsk
  readonly #from: string
  readonly #answer = Promise.withResolvers<PeerAnswer>()
  readonly #body: ArrivingBody
  #isHeard = false

  constructor(ask: PeerAsk, from: string, call: Call) {
    this.#ask = ask
    this.#from = from
    // Whoever waits for it is told; nobody may be waiting yet.
    this.#answer.promise.catch(() => undefined)
    this.#body = new ArrivingBody({
      pause: () => call.pause(),
      resume: () => call.resume(),
      abort: (reason) => call.leave(reason),
    })
  }

  get answer(): Promise<PeerAnswer> {
    return this.#answer.promise
  }

  /** The one who waits has left: rejects with his reason what he would still read. */
  left(reason: Error): void {
    if (this.#isHeard) this.#body.fail(reason)
    else this.#answer.reject(reason)
  }

  heard(answer: HeardObject | NoObject): void {
    this.#isHeard = true
    if (answer.kind !== 'object') {
      this.#answer.resolve(answer)
      return
    }
    const body = this.#body
    const url = HERE + this.#ask.prefix + this.#ask.request.target
    const cancel = (): void => body.cancel()
    this.#answer.resolve({
      ...answer,
      response: { head: answer.head, from: this.#from, url, body, cancel },
    })
  }

  piece(bytes: Buffer, giveBack: () => void): void {
    // Who reads it may keep it for ever.
    this.#body.push(Buffer.from(bytes))
    giveBack()
  }

  ended(): void {
    this.#body.end()
  }

  failed(error: RelaisError): void {
    if (this.#isHeard) this.#body.fail(error)
    else this.#answer.reject(error)
  }
}
