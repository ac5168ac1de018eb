/** A playlist that came for a part a moment ago is for all who ask for that part, though its origin wants it validated each time. */
import type { HlsMediaFacts } from '../media/facts.ts'
import type { Instant } from '../rfc/heads.ts'
import type { StoredResponse } from '../store/store.ts'

/**
 * The stored playlist as one that is fresh; undefined: it came, or was confirmed, longer than a part's time ago. Here we
 * differ from RFC 9111 section 5.2.2.4 knowingly: no-cache is meant for the playlist, and a viewer who names a part asks
 * for what stays as it is (RFC 8216bis appendix B.1 keeps it for six target durations). Of those who wait for one part
 * some come when the others have just been answered, and for each of them the origin would be asked once more.
 */
export function ofThisPart(
  stored: StoredResponse,
  { partTargetMs }: HlsMediaFacts,
  now: Instant,
): StoredResponse | undefined {
  const { head, body } = stored
  const cameAt = Math.max(head.storedAt, head.askedAt ?? head.storedAt)
  const until = cameAt + (partTargetMs ?? 0)
  if (now >= until) return undefined
  return { head: { ...head, freshness: { ...head.freshness, mustValidate: false, freshUntil: until } }, body }
}
