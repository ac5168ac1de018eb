/** What siblings say to each other over NATS between the entries of the log: signed, and believed once. */
import { isRecord } from '../purge/purge-rule.ts'
import { faultOf, type PeerAuth } from './peer-auth.ts'
import { parsed } from './wire-values.ts'

export interface NatsLettersContext {
  readonly auth: PeerAuth
  readonly node: string
  /** Somebody was not believed. */
  onRefused(line: string): void
}

export interface NatsLetter {
  /** Who says it, as signed. */
  readonly peer: string
  /** Undefined: no JSON. */
  readonly body: unknown
}

export class NatsLetters {
  readonly #context: NatsLettersContext
  #garbage = 0

  constructor(context: NatsLettersContext) {
    this.#context = context
  }

  /** Messages that were none, or that nobody of ours signed. */
  get garbage(): number {
    return this.#garbage
  }

  /** As it is published under this subject. */
  write(subject: string, said: unknown): string {
    const { auth, node } = this.#context
    const body = JSON.stringify(said)
    const { value } = auth.sign({ method: 'NATS', target: subject, peer: node, body })
    return JSON.stringify({ peer: node, auth: value, body })
  }

  /** Undefined: it is not believed, which is counted. */
  read(subject: string, text: string): NatsLetter | undefined {
    const message = parsed(text)
    const { peer, auth: value, body }: Readonly<Record<string, unknown>> = isRecord(message) ? message : {}
    if (typeof peer !== 'string' || typeof value !== 'string' || typeof body !== 'string') {
      this.#garbage++
      return undefined
    }
    const { auth, onRefused } = this.#context
    const verdict = auth.verify(value, { method: 'NATS', target: subject, peer, body })
    if (verdict.kind === 'genuine') return { peer, body: parsed(body) }
    this.#garbage++
    const who = peer.slice(0, 64)
    onRefused(`a message that says it is from ${who} is refused: it is ${faultOf(verdict.reason)}`)
    return undefined
  }
}
