/** What the answer to a HEAD tells of a stored response (RFC 9111 section 4.3.5). */
import { type Freshness, freshnessOf } from '../rfc/freshness.ts'
import { fieldValue, type Instant, type ReceivedHead } from '../rfc/heads.ts'
import { type CookiePolicy, isKeptFromSharing } from '../rfc/storability.ts'
import { freshen } from '../rfc/validation.ts'
import type { StoredHead, StoredResponse } from '../store/store.ts'
import { renewedFields, theirs } from './renewed-fields.ts'

const VALIDATORS = ['etag', 'last-modified'] as const

/**
 * The stored head as it is from now on: renewed where the answer speaks of the stored bytes, stale where it speaks of others.
 * Undefined: the answer tells nothing of it.
 *
 * The RFC would also renew on the length alone. Bytes that changed and kept their number would then be served for
 * another lifetime, so that an answer without any validator counts as one that speaks of others.
 */
export function afterHead(
  { head, body }: StoredResponse,
  answer: ReceivedHead,
  cookies: CookiePolicy,
): StoredHead | undefined {
  if (answer.status !== 200) return undefined
  const stale = { ...head, freshness: staleFrom(head.freshness, answer.receivedAt) }
  if (head.status !== 200 || isKeptFromSharing(answer.fields)) return stale
  const known = theirs(head)
  const received = VALIDATORS.filter((name) => answer.fields[name] !== undefined)
  const areSame = received.every((name) => fieldValue(answer.fields, name) === fieldValue(known, name))
  if (received.length === 0 || !areSame) return stale
  if (head.validators === undefined) {
    const length = fieldValue(answer.fields, 'content-length')
    if (length !== undefined && Number(length) !== body.size) return stale
  } else if (answer.fields['etag'] === undefined) {
    // Of bytes that were changed here the length tells nothing, and live manifests change more than once a second.
    return undefined
  }
  const freshened = freshen(known, answer.fields, cookies)
  if (freshened === undefined) return stale
  const { status } = head
  const told = { ...answer, status, fields: { ...freshened, age: answer.fields['age'] } }
  return {
    ...head,
    fields: renewedFields({ head, body }, told, cookies),
    freshness: freshnessOf(told, head.silent),
    askedAt: answer.requestedAt,
  }
}

function staleFrom(freshness: Freshness, now: Instant): Freshness {
  return {
    ...freshness,
    freshUntil: Math.min(freshness.freshUntil, now),
    staleWhileRevalidateUntil: Math.min(freshness.staleWhileRevalidateUntil, now),
    staleIfErrorUntil: Math.min(freshness.staleIfErrorUntil, now),
  }
}
