/** Proxy-Status: what went wrong on the way to the origin, in words every proxy shares (RFC 9209). */
import { type BareItem, serializeList } from 'structured-headers'
import { printableAscii, tokenOrString } from './grammar.ts'

export interface ProxyStatus {
  /** An error type of RFC 9209 section 2.3; undefined: the response is the next hop's own. */
  readonly error?: string | undefined
  /** The upstream that was asked. */
  readonly nextHop?: string | undefined
  /** The status that came from there, where one came. */
  readonly receivedStatus?: number | undefined
  /** For people; what is not printable ASCII becomes `?`. */
  readonly details?: string | undefined
}

/** This node's member of the field. */
export function formatProxyStatus(node: string, status: ProxyStatus): string {
  const { error, nextHop, receivedStatus, details } = status
  const parameters = new Map<string, BareItem>()
  if (error !== undefined) parameters.set('error', tokenOrString(error))
  if (nextHop !== undefined) parameters.set('next-hop', tokenOrString(nextHop))
  if (receivedStatus !== undefined) parameters.set('received-status', receivedStatus)
  if (details !== undefined) parameters.set('details', printableAscii(details))
  return serializeList([[tokenOrString(node), parameters]])
}
