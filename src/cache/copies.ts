/** What a node keeps of responses that a sibling keeps: what the whole city watches, and that for a moment. */

import type { Freshness } from '../rfc/freshness.ts'
import type { Instant } from '../rfc/heads.ts'
import type { StoredHead } from '../store/store.ts'
import type { Copy } from '../upstream/source.ts'

/** The owner may have learned that it is no longer true; a copy of a live one ends soon by itself. */
const LONGEST_MS = 30_000
/** What is missing may be there in a moment. */
const LONGEST_OF_ERROR_MS = 1_000
/** A manifest of what is not live has its 30 seconds like all else. */
const MANIFESTS: ReadonlySet<string> = new Set(['hls-playlist', 'dash-mpd', 'dash-patch'])

/** The head as it is kept here: itself where nobody else keeps it. `isAhead`: somebody is about to ask for it. */
export function asCopy(head: StoredHead, copy: Copy | undefined, isAhead = false): StoredHead {
  if (copy === undefined) return head
  // Live ones, and manifests, with which each viewer begins.
  const isForAll = head.admission === 'always'
  const isLive = isForAll && (head.isLive === true || !MANIFESTS.has(head.kind))
  const isError = head.status >= 400
  const longestMs = isError ? LONGEST_OF_ERROR_MS : isLive ? Number.POSITIVE_INFINITY : LONGEST_MS
  return {
    ...head,
    copy: isForAll || isError || isAhead || copy.isHot ? 'kept' : 'passing',
    freshness: endedBy(head.freshness, head.askedAt ?? head.storedAt, longestMs),
  }
}

/** The same of a copy that the owner confirmed. */
export function asRenewedCopy(head: StoredHead): StoredHead {
  return { ...asCopy(head, { isHot: true }), copy: 'kept' }
}

/** The bytes of something large, of which the head is kept. */
export function copyOfSlice(copy: Copy | undefined, isAhead = false): Pick<StoredHead, 'copy'> {
  return copy === undefined ? {} : { copy: copy.isHot || isAhead ? 'kept' : 'passing' }
}

/** What may stand in when everybody fails may do so for as long as ever. */
function endedBy(freshness: Freshness, from: Instant, longestMs: number): Freshness {
  if (freshness.freshUntil <= from + longestMs) return freshness
  const freshUntil = Math.max(freshness.bornAt, from + longestMs)
  return { ...freshness, freshUntil, staleWhileRevalidateUntil: freshUntil }
}
