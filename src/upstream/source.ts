/** The contract of the road: those who can answer what we cannot. */
import type { ReceivedHead, RequestHead } from '../rfc/heads.ts'

/** Anyone who can answer what we cannot: an origin, or the sibling that owns the key. */
export interface Source {
  /** Its name in logs, /stats and Proxy-Status. */
  readonly name: string
  /**
   * Asks for `request.target`, here what follows the route's prefix, and answers when the head has come. Rejects with a RelaisError when none came, and with the signal's
   * reason when that is aborted first.
   */
  fetch(request: RequestHead, signal: AbortSignal): Promise<UpstreamResponse>
}

/** A response whose head is here and whose body is on its way. */
export interface UpstreamResponse {
  readonly head: ReceivedHead
  /** The source that gave it. */
  readonly from: string
  /**
   * The bytes as they arrive, to be read once. Throws a RelaisError when the body ends before its time; leaving
   * the loop early cancels the transfer.
   */
  readonly body: AsyncIterable<Uint8Array>
  /** Cancels the transfer when nobody wants the body. */
  cancel(): void
}
