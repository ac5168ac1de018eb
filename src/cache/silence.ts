/** What an origin's silence about lifetimes is taken for: the library's table, and beyond it the law's rule of thumb. */
import { kindOf, type MediaKind } from '../media/kind.ts'
import { type LifetimeFacts, silentLifetime } from '../media/lifetimes.ts'
import { heuristicLifetimeMs, type SilentLifetime } from '../rfc/freshness.ts'
import type { ReceivedHead, RequestHead } from '../rfc/heads.ts'
import { HEURISTICALLY_CACHEABLE, isSaidToBePublic } from '../rfc/storability.ts'

/** A guess is never trusted for longer: whoever puts up a new poster does not wait for a tenth of the old one's years. */
const LONGEST_GUESS_MS = 3_600_000
/** What is missing or refused now may be there in a moment. */
const LONGEST_GUESS_OF_ERROR_MS = 10_000

/**
 * Of what the library knows nothing, a file that has not changed for long is taken to stay so for a tenth of that time
 * (RFC 9111 section 4.2.2). Left out are addresses with a query, which often name a program and not a file, and those
 * of media: what came in its place is a page of apologies, and the next answer may be the segment.
 */
export function silenceOf(
  kind: MediaKind,
  facts: LifetimeFacts,
  request: RequestHead,
  head: ReceivedHead,
): SilentLifetime {
  const silent = silentLifetime(kind, facts, head.status)
  if (kind !== 'other' || silent.freshMs > 0 || request.target.includes('?')) return silent
  if (kindOf(request.target, undefined) !== 'other') return silent
  if (!HEURISTICALLY_CACHEABLE.has(head.status) && !isSaidToBePublic(head.fields)) return silent
  const longestMs = head.status < 400 ? LONGEST_GUESS_MS : LONGEST_GUESS_OF_ERROR_MS
  return { ...silent, freshMs: Math.min(heuristicLifetimeMs(head), longestMs) }
}
