/** The right of the plain proxy to send one request, and what its outcome says of the origin. */
import type { ErrorName, RelaisError } from '../errors.ts'
import type { ResponseHead } from '../rfc/heads.ts'
import type { Permit } from './budget.ts'
import type { Circuit } from './circuit.ts'
import { isDeclined } from './declined.ts'

/** What was not even connected says nothing of the request. */
const WITHOUT_CONNECTION: ReadonlySet<ErrorName> = new Set<ErrorName>([
  'DNS_ERROR',
  'DNS_TIMEOUT',
  'CONNECTION_REFUSED',
  'CONNECTION_TIMEOUT',
  'UNREACHABLE',
  'TLS_ERROR',
  'TLS_CERTIFICATE',
])

/**
 * An answer closes the circuit. What is declined, or takes long, speaks against one kind of request alone, which anybody
 * may send as often as he likes; only where there is no connection it speaks against the origin.
 */
export class Passage {
  readonly #permit: Permit
  readonly #circuit: Circuit
  readonly #onFailed: (error: RelaisError) => void

  /** `onFailed` hears of what speaks against the origin. */
  constructor(permit: Permit, circuit: Circuit, onFailed: (error: RelaisError) => void) {
    this.#permit = permit
    this.#circuit = circuit
    this.#onFailed = onFailed
  }

  answered(head: ResponseHead): void {
    if (!isDeclined(head)) this.#circuit.answered()
  }

  /** No head came. */
  failed(error: RelaisError): void {
    if (!WITHOUT_CONNECTION.has(error.code)) return
    this.#onFailed(error)
    this.#circuit.failed(error.code)
  }

  /** Its answer is over, or will not come; may be called again. */
  release(): void {
    this.#permit.release()
  }
}
