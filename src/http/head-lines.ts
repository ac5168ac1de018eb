/** Heads of answers as flat lists of names and values, which Node writes as they are. */
import { appendMember, type CacheStatus, CacheStatusWriter, isSame } from '../rfc/cache-status.ts'
import { appendVia, endToEnd } from '../rfc/connection.ts'
import { ageSeconds } from '../rfc/freshness.ts'
import { type Fields, fieldValue, type Instant } from '../rfc/heads.ts'
import { formatProxyStatus } from '../rfc/proxy-status.ts'
import type { StoredHead } from '../store/store.ts'
import type { UpstreamResponse } from '../upstream/source.ts'
import { forBrowsers } from './viewer-lifetime.ts'

/** Names and values in turn. */
export type Lines = string[]

export interface PreparedLines {
  readonly lines: Lines
  /** The value of Cache-Status, for the log. */
  readonly cacheStatus: string
}

interface Prepared extends PreparedLines {
  readonly age: number
  readonly status: CacheStatus
  readonly size: number | undefined
}

/**
 * The lines of whole bodies change once a second, with Age and the remaining lifetime; in between the same list is
 * written again and again: to all hits, and to all who waited for one fill.
 */
export class HeadLines {
  readonly #node: string
  readonly #status: CacheStatusWriter
  readonly #hits = new WeakMap<StoredHead, Prepared>()
  readonly #fills = new WeakMap<StoredHead, Prepared>()
  readonly #told: ((head: StoredHead, now: Instant) => Lines) | undefined

  /**
   * `told`: for siblings, which take a response as it is stored and not as viewers are to have it; what they are told
   * beside it changes with each answer.
   */
  constructor(node: string, told?: (head: StoredHead, now: Instant) => Lines) {
    this.#node = node
    this.#status = new CacheStatusWriter(node)
    this.#told = told
  }

  /** A whole body with the fields it is stored with; of an undefined `size` nobody knows yet how large it will be. */
  ofWhole(head: StoredHead, status: CacheStatus, size: number | undefined, now: Instant): PreparedLines {
    return this.#telling(this.#preparedWhole(head, status, size, now), head, now)
  }

  /** Any answer from a stored response: `fields` are all of its fields, or those that a 304 carries. */
  ofStored(head: StoredHead, fields: Fields, status: CacheStatus, now: Instant): PreparedLines {
    return this.#telling(this.#prepared(head, fields, status, now), head, now)
  }

  #telling(prepared: PreparedLines, head: StoredHead, now: Instant): PreparedLines {
    if (this.#told === undefined) return prepared
    return { lines: [...prepared.lines, ...this.#told(head, now)], cacheStatus: prepared.cacheStatus }
  }

  #preparedWhole(
    head: StoredHead,
    status: CacheStatus,
    size: number | undefined,
    now: Instant,
  ): PreparedLines {
    const age = ageSeconds(head.freshness, now)
    const known = status.hit ? this.#hits : this.#fills
    const before = known.get(head)
    if (before !== undefined && before.age === age && before.size === size && isSame(before.status, status))
      return before
    const { lines, cacheStatus } = this.#prepared(head, head.fields, status, now)
    const prepared = { lines: withLength(lines, head.status, size), cacheStatus, age, status, size }
    known.set(head, prepared)
    return prepared
  }

  #prepared(head: StoredHead, fields: Fields, status: CacheStatus, now: Instant): PreparedLines {
    const cacheStatus = this.#status.write(status)
    // Ranges are cut here, whatever the origin says of itself (RFC 9110 section 14.3).
    const isCut = head.status === 200
    const said =
      head.isLive === true && this.#told === undefined ? forBrowsers(fields, head.freshness, now) : fields
    const lines = linesOf(said, isCut ? SIGNED_AND_CUT : SIGNED)
    this.#sign(lines, fields, cacheStatus)
    lines.push('age', String(ageSeconds(head.freshness, now)))
    if (isCut) lines.push('accept-ranges', 'bytes')
    return { lines, cacheStatus }
  }

  /** A response that is passed on. Of an upstream's error it is said that it is not ours (RFC 9209 section 2). */
  ofPassed({ head, from }: UpstreamResponse, status: CacheStatus): PreparedLines {
    const cacheStatus = this.#status.write(status)
    const fields = endToEnd(head.fields)
    const said = head.status < 500 ? fields : this.#withProxyStatus(fields, head.status, from)
    const lines = linesOf(said, SIGNED)
    this.#sign(lines, head.fields, cacheStatus)
    return { lines, cacheStatus }
  }

  /** Members of proxies nearer to the origin stay, and stand first. */
  #withProxyStatus(fields: Fields, receivedStatus: number, nextHop: string): Fields {
    const member = formatProxyStatus(this.#node, { nextHop, receivedStatus })
    return { ...fields, 'proxy-status': appendMember(fieldValue(fields, 'proxy-status'), member) }
  }

  /** RFC 9211 section 2 and RFC 9110 section 7.6.3. */
  #sign(lines: Lines, fields: Fields, cacheStatus: string): void {
    lines.push('cache-status', appendMember(fieldValue(fields, 'cache-status'), cacheStatus))
    lines.push('via', appendVia(fields, '1.1', this.#node))
  }
}

/** RFC 9110 section 8.6: no length in a 204. */
export function withLength(lines: Lines, status: number, size: number | undefined): Lines {
  return size === undefined || status === 204 ? lines : [...lines, 'content-length', String(size)]
}

/** To these members of our own are added, behind those of who was there before. */
const SIGNED: ReadonlySet<string> = new Set(['cache-status', 'via'])
const SIGNED_AND_CUT: ReadonlySet<string> = new Set([...SIGNED, 'accept-ranges'])

function linesOf(fields: Fields, omitted: ReadonlySet<string>): Lines {
  const lines: Lines = []
  for (const name in fields) {
    if (omitted.has(name)) continue
    const value = fields[name]
    if (typeof value === 'string') lines.push(name, value)
    else for (const line of value ?? []) lines.push(name, line)
  }
  return lines
}
