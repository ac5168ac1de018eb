/** Cache-Status: what this cache did with a request, for whoever reads the response (RFC 9211). */
import { type BareItem, serializeBareItem, Token } from 'structured-headers'
import { tokenOrString } from './grammar.ts'

/** Why a request went forward (RFC 9211 section 2.2). */
export type Forwarded =
  | 'bypass'
  | 'method'
  | 'uri-miss'
  | 'vary-miss'
  | 'miss'
  | 'request'
  | 'stale'
  | 'partial'

export interface CacheStatus {
  /** Answered from the store; everything about forwarding is then left out. */
  readonly hit: boolean
  readonly fwd?: Forwarded | undefined
  readonly fwdStatus?: number | undefined
  /** Seconds of freshness left, negative when stale. */
  readonly ttl?: number | undefined
  readonly stored?: boolean | undefined
  /** False: it waited for another's request, in vain. */
  readonly collapsed?: boolean | undefined
  readonly detail?: string | undefined
}

/** RFC 9651 section 3.3.1. */
const MAX_SF_INTEGER = 999_999_999_999_999

/**
 * This node's member of the field. Values are written by the library; between parameters stands the space of RFC 9211's
 * own examples, which RFC 9651 section 4.2.3.2 has every reader skip.
 */
export function formatCacheStatus(node: string, status: CacheStatus): string {
  let member = serializeBareItem(tokenOrString(node))
  for (const [name, value] of parametersOf(status)) {
    member += value === true ? `; ${name}` : `; ${name}=${serializeBareItem(value)}`
  }
  return member
}

/** Writes the members of one node: those of plain hits, which are most of all, without making anything first. */
export class CacheStatusWriter {
  readonly #node: string
  readonly #hit: string

  constructor(node: string) {
    this.#node = node
    this.#hit = formatCacheStatus(node, { hit: true })
  }

  write(status: CacheStatus): string {
    if (!status.hit || status.detail !== undefined) return formatCacheStatus(this.#node, status)
    return status.ttl === undefined ? this.#hit : `${this.#hit}; ttl=${integer(status.ttl)}`
  }
}

/** Whether both are written in the same words. */
export function isSame(one: CacheStatus, other: CacheStatus): boolean {
  return (
    one === other ||
    (one.hit === other.hit &&
      one.ttl === other.ttl &&
      one.detail === other.detail &&
      one.fwd === other.fwd &&
      one.fwdStatus === other.fwdStatus &&
      one.stored === other.stored &&
      one.collapsed === other.collapsed)
  )
}

/** The field with one more member. Those of caches nearer to the origin stand first (RFC 9211 section 2). */
export function appendMember(existing: string | undefined, member: string): string {
  return existing === undefined || existing.trim() === '' ? member : `${existing}, ${member}`
}

function parametersOf(status: CacheStatus): readonly (readonly [string, BareItem])[] {
  const { hit, fwd, fwdStatus, ttl, stored, collapsed, detail } = status
  const parameters: [string, BareItem][] = []
  if (hit) {
    parameters.push(['hit', true])
  } else {
    if (fwd !== undefined) parameters.push(['fwd', new Token(fwd)])
    if (fwdStatus !== undefined) parameters.push(['fwd-status', integer(fwdStatus)])
    // RFC 9211 sections 2.5 and 2.6: only where the request went forward.
    if (stored === true) parameters.push(['stored', true])
    if (collapsed !== undefined) parameters.push(['collapsed', collapsed])
  }
  if (ttl !== undefined) parameters.push(['ttl', integer(ttl)])
  if (detail !== undefined) parameters.push(['detail', tokenOrString(detail)])
  return parameters
}

function integer(value: number): number {
  // Adding 0 makes 0 of -0.
  return Math.min(Math.max(Math.trunc(value), -MAX_SF_INTEGER), MAX_SF_INTEGER) + 0
}
