/** Reading media from pages of other hosts (CORS), where a route says that this is settled here and not by the origin. */
import { omitFields } from '../rfc/connection.ts'
import { type Fields, fieldLines, type RequestHead } from '../rfc/heads.ts'
import type { Manner, Source, UpstreamResponse } from '../upstream/source.ts'

/** What players read of an answer beside its body. */
const EXPOSED =
  'Age, Cache-Status, CMSD-Dynamic, CMSD-Static, Content-Length, Content-Range, CTA-Common-Access-Token, Date, ETag, Proxy-Status, Retry-After'

/** Of every answer: all pages may read it, and measure how long it took. None is for a page's credentials. */
export const FOR_ALL_PAGES: Fields = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': EXPOSED,
  'timing-allow-origin': '*',
}

/** What a page may ask with; `*` would not cover Authorization. */
export const PREFLIGHT_ANSWER: Fields = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD, OPTIONS',
  'access-control-allow-headers':
    'Authorization, Cache-Control, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status, CTA-Common-Access-Token, If-Modified-Since, If-None-Match, If-Range, Range, X-Playback-Session-Id',
  'access-control-max-age': '86400',
}

/** The origin's own word on it, which it may have said for one page alone. */
const OF_THE_ORIGIN: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'access-control-max-age',
  'timing-allow-origin',
])
/** Which page asks. */
const OF_THE_PAGE: ReadonlySet<string> = new Set(['origin'])
const NO_REASON_TO_VARY: ReadonlySet<string> = new Set([
  'origin',
  'access-control-request-headers',
  'access-control-request-method',
])

/** The same upstream, which does not learn which page asks, and whose answers any page may read. */
export class OpenToPages implements Source {
  readonly name: string
  readonly #source: Source

  constructor(source: Source) {
    this.name = source.name
    this.#source = source
  }

  async fetch(request: RequestHead, signal: AbortSignal, manner?: Manner): Promise<UpstreamResponse> {
    const asked = { ...request, fields: omitFields(request.fields, OF_THE_PAGE) }
    const response = await this.#source.fetch(asked, signal, manner)
    return { ...response, head: { ...response.head, fields: openToPages(response.head.fields) } }
  }

  demote(from: string, forMs: number): boolean {
    return this.#source.demote?.(from, forMs) ?? false
  }

  spare(share: number): number {
    return this.#source.spare?.(share) ?? 1
  }
}

/** The fields of an answer that all pages may read; what it varies by besides stays. */
export function openToPages(fields: Fields): Fields {
  const { vary: _vary, ...others } = { ...omitFields(fields, OF_THE_ORIGIN), ...FOR_ALL_PAGES }
  const names = fieldLines(fields, 'vary')
    .flatMap((line) => line.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '' && !NO_REASON_TO_VARY.has(name.toLowerCase()))
  return names.length === 0 ? others : { ...others, vary: names.join(', ') }
}
