/** Where an address that stands in a manifest leads. */

/**
 * - `here`: to whoever sent the manifest; `target` is path and query, as a player would ask for it.
 * - `elsewhere`: to a host of its own, which nobody may ask on the word of a manifest: only when it is an origin of the
 *   configuration. An address without a scheme (`//host/…`) counts as http.
 */
export type Place =
  | { readonly kind: 'here'; readonly target: string }
  | { readonly kind: 'elsewhere'; readonly url: string }

/** RFC 6761: a name that is nobody's. */
const HERE = 'http://manifest.invalid'

/** In characters. More is not an address, but an attack on those who resolve and keep it. */
export const LONGEST_ADDRESS = 8192

/**
 * Resolves addresses as players do (RFC 3986 section 5, by the WHATWG's rules): each against the one before, the first
 * against the manifest's own `target`. Undefined: no address, one that is not of HTTP (`data:`, `skd:`), or one with
 * a variable in it that is not known here (`{$name}`).
 */
export function placeOf(target: string, ...addresses: readonly string[]): Place | undefined {
  let base = URL.parse(target, HERE)
  for (const address of addresses) {
    if (base === null || address.length > LONGEST_ADDRESS || address.includes('{$')) return undefined
    base = URL.parse(address.trim(), base.href)
  }
  if (base === null || (base.protocol !== 'http:' && base.protocol !== 'https:')) return undefined
  if (base.username !== '' || base.password !== '') return undefined
  return base.origin === HERE
    ? { kind: 'here', target: base.pathname + base.search }
    : { kind: 'elsewhere', url: base.origin + base.pathname + base.search }
}
