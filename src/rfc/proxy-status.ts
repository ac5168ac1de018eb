/** Proxy-Status: what went wrong on the way to the origin, in words every proxy shares (RFC 9209). */
import { type BareItem, serializeList, Token } from 'structured-headers'
import { isStructuredToken, printableAscii } from './grammar.ts'

export interface ProxyStatus {
  /** An error type of RFC 9209 section 2.3. */
  readonly error: string
  /** The upstream that was asked. */
  readonly nextHop?: string | undefined
  /** For people; what is not printable ASCII becomes `?`. */
  readonly details?: string | undefined
}

/** This node's member of the field. */
export function formatProxyStatus(node: string, status: ProxyStatus): string {
  const parameters = new Map<string, BareItem>([['error', tokenOrString(status.error)]])
  if (status.nextHop !== undefined) parameters.set('next-hop', tokenOrString(status.nextHop))
  if (status.details !== undefined) parameters.set('details', printableAscii(status.details))
  return serializeList([[tokenOrString(node), parameters]])
}

function tokenOrString(text: string): Token | string {
  return isStructuredToken(text) ? new Token(text) : printableAscii(text)
}
