/** Who a request was forwarded for (RFC 7239): one viewer where it is passed on, nobody in particular where it is shared. */
import { isToken } from './grammar.ts'

/** Stands for all who wait for one fill: an identifier that is no address (RFC 7239 section 6.3). */
export const FOR_MANY = 'for=_shared'

/**
 * One viewer's element. `address` is an IPv4 or IPv6 address as sockets name them, '' when the socket is gone; `host` is
 * the Host field.
 */
export function forwardedElement(
  address: string,
  host: string | undefined,
  protocol: 'http' | 'https',
): string {
  const element = `for=${nodeOf(address)};proto=${protocol}`
  return host === undefined || host === '' ? element : `${element};host=${tokenOrQuoted(host)}`
}

/** An IPv4 address that came over an IPv6 socket is an IPv4 address. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/** RFC 7239 section 6: brackets and quotes around IPv6. */
function nodeOf(address: string): string {
  const plain = plainAddress(address)
  if (plain === '') return 'unknown'
  if (!plain.includes(':')) return tokenOrQuoted(plain)
  // The zone of a link-local address means something on this machine alone.
  return `"[${plain.split('%', 1)[0] ?? ''}]"`
}

function tokenOrQuoted(text: string): string {
  return isToken(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`
}
