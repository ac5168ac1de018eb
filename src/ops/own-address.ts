/** An address as an operator writes it, as a path that viewers ask for. */
import type { AddressBook } from '../media/addresses/address-book.ts'
import { parseAddress } from '../media/addresses/reference.ts'
import { shown } from '../purge/purge-rule.ts'
import { badOrder } from './order-body.ts'

const WHOLE = /^https?:\/\/([^/?#]*)/i

/**
 * `written` is a path, or a URL at this node (by `host`, as the operator asked for it, or by its public URL), at an origin or
 * at an alias of one. Throws BAD_ORDER for what belongs to nobody here.
 */
export function ownAddress(
  book: AddressBook,
  host: string | undefined,
  where: string,
  written: unknown,
): string {
  if (typeof written !== 'string')
    throw badOrder(`${where}: expected an address, and ${shown(written)} came.`)
  const [plain = ''] = written.split('#', 1)
  if (plain.startsWith('/')) return plain
  const [before, authority] = WHOLE.exec(plain) ?? []
  if (before !== undefined && authority !== undefined) {
    const rest = plain.slice(before.length)
    const publicHost = book.publicUrl === undefined ? undefined : URL.parse(book.publicUrl)?.host
    const named = authority.toLowerCase()
    if (named === host?.toLowerCase() || named === publicHost) return rest.startsWith('/') ? rest : `/${rest}`
    const address = parseAddress(plain)
    const path = address === undefined ? undefined : book.pathOf(address)
    if (address !== undefined && path !== undefined) return path + address.tail
  }
  throw badOrder(
    `${where}: expected a path, or a URL at this node or one of its origins, and ${shown(written)} came.`,
  )
}
