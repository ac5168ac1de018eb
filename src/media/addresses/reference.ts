/** References as manifests write them, taken apart by strings: nothing is decoded, encoded or put in order. */

/** An absolute http or https address in the pieces it is written in. */
export interface Address {
  /** In lower case, without the colon. */
  readonly scheme: string
  /** Host and port as written. */
  readonly authority: string
  /** Begins with a slash; dot segments and templates are still in it. */
  readonly path: string
  /** Query and fragment, with their marks; '' when there is neither. */
  readonly tail: string
}

/**
 * What a reference is relative to (RFC 3986 section 4.2): nothing, the scheme, the host, the directory, or the address
 * itself.
 */
export type ReferenceForm = 'absolute' | 'scheme-relative' | 'root-relative' | 'path-relative' | 'query-only'

export interface Reference {
  readonly form: ReferenceForm
  /** '' unless absolute. */
  readonly scheme: string
  /** '' unless absolute or scheme-relative. */
  readonly authority: string
  readonly path: string
  readonly tail: string
}

const SCHEME = /^([a-z][a-z0-9+.-]*):/i
/** Browsers read these as slashes or leave them out, other players do not. */
const AMBIGUOUS = /[\s\\\p{Cc}]/u
const DOT_SEGMENT = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i
const ONE_DOT = /^(?:\.|%2e)$/i
const TWO_DOTS = /^(?:\.|%2e){2}$/i

/**
 * Undefined: not an address that one could lead elsewhere. So are the empty one, schemes other than http and https
 * (`data:`, `skd:`, `urn:`), what begins with an HLS variable, and what players read differently.
 */
export function parseReference(written: string): Reference | undefined {
  const tailAt = written.search(/[?#]/)
  const body = tailAt === -1 ? written : written.slice(0, tailAt)
  const tail = tailAt === -1 ? '' : written.slice(tailAt)
  if (body === '') {
    return tail.startsWith('?')
      ? { form: 'query-only', scheme: '', authority: '', path: '', tail }
      : undefined
  }
  if (body.startsWith('{$') || AMBIGUOUS.test(body)) return undefined
  const scheme = SCHEME.exec(body)?.[1]?.toLowerCase()
  if (scheme !== undefined) {
    if (scheme !== 'http' && scheme !== 'https') return undefined
    return withAuthority('absolute', scheme, body.slice(scheme.length + 1), tail)
  }
  if (body.startsWith('//')) return withAuthority('scheme-relative', '', body, tail)
  const form = body.startsWith('/') ? 'root-relative' : 'path-relative'
  return { form, scheme: '', authority: '', path: body, tail }
}

/** Undefined: not an absolute http or https address. */
export function parseAddress(written: string): Address | undefined {
  const reference = parseReference(written)
  return reference?.form === 'absolute' ? reference : undefined
}

/** RFC 3986 section 5.2.2, the dot segments left as they are. */
export function resolve(reference: Reference, base: Address): Address {
  const { path, tail } = reference
  switch (reference.form) {
    case 'absolute':
      return reference
    case 'scheme-relative':
      return { ...reference, scheme: base.scheme }
    case 'root-relative':
      return { ...base, path, tail }
    case 'path-relative':
      return { ...base, path: directoryOf(base.path) + path, tail }
    case 'query-only':
      return { ...base, tail }
  }
}

export function href({ scheme, authority, path, tail }: Address): string {
  return `${scheme}://${authority}${path}${tail}`
}

/** The path up to its last slash, which stays. */
export function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}

export function hasDotSegments(path: string): boolean {
  return (path.includes('.') || path.includes('%')) && DOT_SEGMENT.test(path)
}

/** RFC 3986 section 5.2.4, for a path that begins with a slash; a dot may be written %2e, as browsers have it. */
export function withoutDotSegments(path: string): string {
  if (!hasDotSegments(path)) return path
  const kept: string[] = []
  const segments = path.slice(1).split('/')
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1
    if (TWO_DOTS.test(segment)) {
      kept.pop()
      if (isLast) kept.push('')
    } else if (ONE_DOT.test(segment)) {
      if (isLast) kept.push('')
    } else {
      kept.push(segment)
    }
  }
  return `/${kept.join('/')}`
}

function withAuthority(
  form: 'absolute' | 'scheme-relative',
  scheme: string,
  body: string,
  tail: string,
): Reference | undefined {
  if (!body.startsWith('//')) return undefined
  const slash = body.indexOf('/', 2)
  const authority = slash === -1 ? body.slice(2) : body.slice(2, slash)
  if (authority === '') return undefined
  return { form, scheme, authority, path: slash === -1 ? '/' : body.slice(slash), tail }
}
