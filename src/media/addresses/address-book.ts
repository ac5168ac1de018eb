/** Which addresses at origins are ours, and what viewers ask us for instead: the routes, read backwards. */
import { type Address, parseAddress, withoutDotSegments } from './reference.ts'

/** A route as settled: prefix and origins end in a slash, so that one stands for the other. */
export interface MappedRoute {
  readonly prefix: string
  readonly origins: readonly string[]
}

export interface AddressBookOptions {
  /**
   * Other hosts whose addresses lead to us as well, such as the CDN that a manifest names in place of the origin: from
   * a URL to a path that a route answers for, both with a slash at the end. Nothing is ever asked of these hosts.
   */
  readonly aliases?: Readonly<Record<string, string>>
  /**
   * Scheme, host and port under which viewers reach us, for the addresses that must be absolute. Without it these are
   * root-relative where players take that, and stay as they are elsewhere.
   */
  readonly publicUrl?: string | undefined
  /**
   * Paths that we answer for ourselves, so that no route does. What it says of a directory it says of all that is in it.
   * Default: none.
   */
  readonly reserved?: RegExp | undefined
  /** Attributes of HLS tags that carry addresses, beside those of the draft; the tag without its #. */
  readonly attributes?: readonly { readonly tag: string; readonly attribute: string }[] | undefined
}

/** What a book is made of: plain data, so that another thread can make the same. */
export interface AddressBookContents {
  readonly routes: readonly MappedRoute[]
  readonly options: AddressBookOptions
}

/** One place at an origin, and the path that stands for it here. */
interface Mapping {
  readonly path: string
  readonly prefix: string
  /** Prefixes below this one that belong to other routes. */
  readonly shadows: readonly string[]
}

const NONE: readonly Mapping[] = []
const NO_NAMES: readonly string[] = []
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' }
/** RFC 1035 section 2.3.4, and a port. */
const LONGEST_AUTHORITY = 262

export class AddressBook {
  /** Without a slash at its end; undefined when it is not known. */
  readonly publicUrl: string | undefined
  /** By scheme and authority in lower case; each list has the longest path first. */
  readonly #mappings = new Map<string, Mapping[]>()
  readonly contents: AddressBookContents
  /** By tag with its #. */
  readonly #attributes = new Map<string, readonly string[]>()
  readonly #reserved: RegExp | undefined

  /** Throws a TypeError for a URL or a path that is none, and for an alias that leads to no route. */
  constructor(routes: readonly MappedRoute[], options: AddressBookOptions = {}) {
    const prefixes = routes.map(({ prefix }) => directory(prefix, 'a route prefix'))
    for (const { prefix, origins } of routes) {
      for (const origin of origins) this.#add(origin, prefix, prefixes)
    }
    for (const [url, path] of Object.entries(options.aliases ?? {})) {
      const prefix = directory(path, `the path for ${url}`)
      if (!prefixes.some((known) => prefix.startsWith(known))) {
        throw new TypeError(`expected a path below a route's prefix for ${url}, came ${prefix}`)
      }
      this.#add(url, prefix, prefixes)
    }
    for (const list of this.#mappings.values()) {
      list.sort((one, other) => other.path.length - one.path.length)
    }
    this.publicUrl = options.publicUrl === undefined ? undefined : originOf(options.publicUrl)
    this.#reserved = options.reserved
    for (const { tag, attribute } of options.attributes ?? []) {
      const known = this.#attributes.get(`#${tag}`) ?? []
      this.#attributes.set(`#${tag}`, [...known, attribute])
    }
    this.contents = { routes: routes.map(({ prefix, origins }) => ({ prefix, origins })), options }
  }

  /** The attributes of an HLS tag, named with its #, that carry addresses beside those of the draft. */
  attributesOf(tag: string): readonly string[] {
    return this.#attributes.get(tag) ?? NO_NAMES
  }

  /** Whether we answer for a path of ours ourselves. */
  reserves(path: string): boolean {
    return this.#reserved?.test(path) ?? false
  }

  /**
   * The path that viewers ask us for instead, as it is written as far as that means the same; undefined when nobody
   * here answers for this address. Of equally long origins that of `preferred`, a path of ours, is taken.
   */
  pathOf(address: Address, preferred = '/'): string | undefined {
    const list = this.#mappingsOf(address)
    if (list.length === 0) return undefined
    const resolved = withoutDotSegments(address.path)
    let best: Mapping | undefined
    for (const mapping of list) {
      if (best !== undefined && best.path.length > mapping.path.length) break
      if (!this.#answers(mapping, resolved)) continue
      if (best === undefined || isNearer(mapping, best, preferred)) best = mapping
    }
    if (best === undefined) return undefined
    const mapped = best.prefix + resolved.slice(best.path.length)
    if (resolved === address.path || !address.path.startsWith(best.path)) return mapped
    const written = best.prefix + address.path.slice(best.path.length)
    return !written.startsWith('//') && withoutDotSegments(written) === mapped ? written : mapped
  }

  /** Whether `path` is one of those that we answer with what lies at this address. */
  isAt(address: Address, path: string): boolean {
    const resolved = withoutDotSegments(address.path)
    return this.#mappingsOf(address).some(
      (mapping) =>
        this.#answers(mapping, resolved) && mapping.prefix + resolved.slice(mapping.path.length) === path,
    )
  }

  /** Whether any address at this host is ours. */
  knows(address: Address): boolean {
    return this.#mappingsOf(address).length > 0
  }

  /**
   * Whether the host of an address can be exchanged for ours alone: the name is that of a mapped host, and all that it
   * maps has the same path here.
   */
  isInterchangeable(hostname: string): boolean {
    const wanted = hostname.toLowerCase()
    const found = [...this.#mappings].flatMap(([key, list]) =>
      URL.parse(key)?.hostname === wanted ? list : NONE,
    )
    return found.length > 0 && found.every(({ path, prefix }) => path === prefix)
  }

  #answers({ path, prefix, shadows }: Mapping, resolved: string): boolean {
    if (!resolved.startsWith(path)) return false
    const mapped = prefix + resolved.slice(path.length)
    // Two slashes at the beginning would name a host.
    if (mapped.startsWith('//') || this.reserves(mapped)) return false
    return !shadows.some((shadow) => mapped.startsWith(shadow))
  }

  #mappingsOf({ scheme, authority }: Address): readonly Mapping[] {
    if (authority.length > LONGEST_AUTHORITY) return NONE
    const known = this.#mappings.get(`${scheme}://${authority.toLowerCase()}`)
    // With credentials it is another address, whoever is asked.
    if (known !== undefined || authority.includes('@')) return known ?? NONE
    const origin = URL.parse(`${scheme}://${authority}`)?.origin
    return (origin === undefined ? undefined : this.#mappings.get(origin)) ?? NONE
  }

  #add(url: string, prefix: string, prefixes: readonly string[]): void {
    const address = parseAddress(URL.parse(url)?.href ?? '')
    if (address === undefined || address.tail !== '' || address.authority.includes('@')) {
      throw new TypeError(
        `expected an http or https URL without query, fragment and credentials, came ${url}`,
      )
    }
    const path = directory(address.path, `the path of ${url}`)
    // No playlist can name it: a quoted string has no escapes (RFC 8216 section 4.2).
    if (prefix.includes('"')) return
    const shadows = prefixes.filter((other) => other.length > prefix.length && other.startsWith(prefix))
    const mapping = { path, prefix, shadows }
    const key = `${address.scheme}://${address.authority}`
    const list = this.#mappings.get(key) ?? []
    list.push(mapping)
    this.#mappings.set(key, list)
    const port = DEFAULT_PORTS[address.scheme]
    // What URL leaves out, manifests may write.
    if (!/:\d+$/.test(address.authority)) this.#mappings.set(`${key}:${port}`, list)
  }
}

/** Among mappings of equal paths: the one whose prefix the preferred path has, and of two such the longer one. */
function isNearer(one: Mapping, other: Mapping, preferred: string): boolean {
  const length = ({ prefix }: Mapping): number => (preferred.startsWith(prefix) ? prefix.length : 0)
  return length(one) > length(other)
}

function directory(path: string, what: string): string {
  if (!/^\/(?:.*\/)?$/.test(path) || path.startsWith('//')) {
    throw new TypeError(`expected ${what} to begin and end with a slash, came ${path}`)
  }
  return path
}

function originOf(publicUrl: string): string {
  const url = URL.parse(publicUrl)
  if (url === null || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`) {
    throw new TypeError(`expected an http or https URL of scheme, host and port, came ${publicUrl}`)
  }
  return url.origin
}
