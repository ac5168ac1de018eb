/** The forms of strings that a schema cannot state by itself, by the name that an option gives as its `format`. */
import { isIP } from 'node:net'

export interface Format {
  readonly expected: string
  matches(value: string): boolean
}

/** Paths that Relais answers by itself. */
const OWN_PATHS = ['/-', '/stats', '/metrics']

export const FORMATS: Readonly<Record<string, Format>> = {
  'node-name': {
    // A token of RFC 9110 section 5.6.2 without the odd characters: it stands in Via, Cache-Status and Proxy-Status.
    expected: 'a name of up to 64 letters, digits, ".", "_" and "-" that begins with a letter',
    matches: (value) => /^[A-Za-z][A-Za-z0-9._-]{0,63}$/.test(value),
  },
  'path-prefix': {
    expected:
      'a path that begins with "/", has no "?", "#", "//", quote, "." and ".." segments, and is not Relais\' own',
    matches: isPathPrefix,
  },
  'plain-path': {
    expected:
      'a path such as "/cmcd", of letters, digits, ".", "_", "~", "-" and single "/", that is not Relais\' own and does not end in "/"',
    matches: (value) => isPathPrefix(value) && /^[\w.~/-]*[\w.~-]$/.test(value),
  },
  'origin-url': {
    expected: 'an http or https URL without query, fragment and credentials',
    matches: isOriginUrl,
  },
  'public-url': {
    expected: 'an http or https URL of scheme, host and port alone',
    matches: (value) => isOriginUrl(value) && /^[a-z]+:\/\/[^/]+\/?$/i.test(value),
  },
  'nats-url': {
    expected: 'a URL of scheme nats or tls, host and port alone',
    matches: (value) => /^(?:nats|tls):\/\/[^\s/?#@]+$/i.test(value) && URL.canParse(value),
  },
  'ip-block': {
    expected: 'an IP address or a block such as "10.0.0.0/8" or "fd00::/8"',
    matches: isIpBlock,
  },
}

function isPathPrefix(value: string): boolean {
  // No playlist could name what has a quote in it (HLS section 4.2).
  if (!/^\/[\x21-\x7e]*$/.test(value) || /[?#"]|\/\/|\/\.\.?(?:\/|$)/.test(value)) return false
  return !OWN_PATHS.some((own) => value === own || value.startsWith(`${own}/`))
}

function isOriginUrl(value: string): boolean {
  if (!/^https?:\/\/[^\s?#@]+$/i.test(value)) return false
  const url = URL.parse(value)
  return url !== null && url.hostname !== ''
}

function isIpBlock(value: string): boolean {
  const [, address = '', bits] = /^([0-9a-fA-F.:]+)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(value) ?? []
  const family = isIP(address)
  return family !== 0 && (bits === undefined || Number(bits) <= (family === 4 ? 32 : 128))
}
