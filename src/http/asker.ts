/** The viewer behind a request, for those who ask on its behalf: what it is called, and how it is told that an answer is coming. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { endToEnd } from '../rfc/connection.ts'
import { forwardedElement, plainAddress } from '../rfc/forwarded.ts'
import type { Asker, Fields } from '../rfc/heads.ts'

/** Nothing is made before it is asked for: of all who wait for one fill nobody has to be named to the origin. */
export class Viewer implements Asker {
  readonly #message: IncomingMessage
  readonly #response: ServerResponse

  constructor(message: IncomingMessage, response: ServerResponse) {
    this.#message = message
    this.#response = response
  }

  get forwarded(): string {
    const { socket, headers } = this.#message
    return forwardedElement(socket.remoteAddress ?? '', headers.host, 'http')
  }

  get address(): string {
    return plainAddress(this.#message.socket.remoteAddress ?? '') || 'unknown'
  }

  onInterim(status: number, fields: Fields): void {
    tell(this.#message, this.#response, status, fields)
  }
}

/**
 * A proxy forwards interim responses (RFC 9110 section 15.2). Node can write 102 and 103 with a Link; the others go no further:
 * 101 is between two neighbours, 100 was asked for by nobody, and more are not in use.
 */
function tell(message: IncomingMessage, response: ServerResponse, status: number, fields: Fields): void {
  // RFC 9110 section 15.2: never to HTTP/1.0.
  if (response.headersSent || response.destroyed || message.httpVersion !== '1.1') return
  if (status === 102) response.writeProcessing()
  if (status !== 103) return
  try {
    response.writeEarlyHints(hintsOf(fields))
  } catch {
    // Node writes no Link that it cannot read. The hints are lost, the answer is not.
  }
}

function hintsOf(fields: Fields): Record<string, string | string[]> {
  const hints: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(endToEnd(fields))) {
    if (value !== undefined) hints[name] = typeof value === 'string' ? value : [...value]
  }
  return hints
}
