/** Answers that say "not me, not now" rather than something about the resource: what they are, and how long they mean it. */
import { RelaisError } from '../errors.ts'
import type { Fields, Instant, ResponseHead } from '../rfc/heads.ts'
import { parseHttpDate } from '../rfc/http-date.ts'
import type { UpstreamResponse } from './source.ts'

/** RFC 9110 sections 15.6.3 to 15.6.5. */
const NOT_NOW: ReadonlySet<number> = new Set([502, 503, 504])

export function isDeclined(head: ResponseHead): boolean {
  return NOT_NOW.has(head.status)
}

/** The instant of a Retry-After (RFC 9110 section 10.2.3); undefined where there is none that can be read. */
export function retryAtOf(fields: Fields, now: Instant): Instant | undefined {
  const value = fields['retry-after']
  if (typeof value !== 'string') return undefined
  if (/^\d{1,9}$/.test(value)) return now + Number(value) * 1000
  return parseHttpDate(value, now)
}

/** At least a second, whole seconds; undefined where the origin did not say. */
export function retryAfterSeconds(retryAt: Instant | undefined, now: Instant): number | undefined {
  return retryAt === undefined ? undefined : Math.max(1, Math.ceil((retryAt - now) / 1000))
}

/**
 * What such an answer is to those who only waited for it: its page is for the one who asked, its failure for all.
 * Undefined for an answer of any other kind. `isHeld`: they all wait for the same instant, and any 5xx or 429 is for all.
 */
export function sharedFailure({ head, from }: UpstreamResponse, isHeld = false): RelaisError | undefined {
  const isForAll = isHeld && (head.status >= 500 || head.status === 429)
  if (!isDeclined(head) && !isForAll) return undefined
  const { status, fields, receivedAt } = head
  return new RelaisError('DESTINATION_UNAVAILABLE', {
    details: `it answered ${status} to the one who asked`,
    receivedStatus: status,
    nextHop: from,
    retryAfterSeconds: retryAfterSeconds(retryAtOf(fields, receivedAt), receivedAt) ?? 1,
  })
}
