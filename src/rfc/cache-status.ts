/** Cache-Status: what this cache did with a request, for whoever reads the response (RFC 9211). */
import { isStructuredToken, printableAscii } from './grammar.ts'

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

/** This node's member of the field. */
export function formatCacheStatus(node: string, status: CacheStatus): string {
  let member = tokenOrString(node)
  if (status.hit) {
    member += '; hit'
  } else {
    if (status.fwd !== undefined) member += `; fwd=${status.fwd}`
    if (status.fwdStatus !== undefined) member += `; fwd-status=${integer(status.fwdStatus)}`
    // RFC 9211 sections 2.5 and 2.6: only where the request went forward.
    if (status.stored === true) member += '; stored'
    if (status.collapsed !== undefined) member += status.collapsed ? '; collapsed' : '; collapsed=?0'
  }
  if (status.ttl !== undefined) member += `; ttl=${integer(status.ttl)}`
  if (status.detail !== undefined) member += `; detail=${tokenOrString(status.detail)}`
  return member
}

/** The field with one more member. Those of caches nearer to the origin stand first (RFC 9211 section 2). */
export function appendMember(existing: string | undefined, member: string): string {
  return existing === undefined || existing.trim() === '' ? member : `${existing}, ${member}`
}

/** A structured token where the text can be one, else a structured string. */
function tokenOrString(text: string): string {
  return isStructuredToken(text) ? text : `"${printableAscii(text).replace(/["\\]/g, '\\$&')}"`
}

function integer(value: number): number {
  // Adding 0 makes 0 of -0.
  return Math.min(Math.max(Math.trunc(value), -MAX_SF_INTEGER), MAX_SF_INTEGER) + 0
}
