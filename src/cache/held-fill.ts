/** Fills that the origin holds until there is something to say (LL-HLS): how long that may take, and what they bring. */
import type { ManifestFacts } from '../media/facts.ts'
import { type Freshness, shortened } from '../rfc/freshness.ts'
import { isMissing } from '../rfc/heads.ts'
import type { StoredHead } from '../store/store.ts'
import type { HeldFill, NotKept } from './journey.ts'

/** RFC 8216bis section 6.2.5.2: an origin gives up after three target durations, and its word of that must get here. */
const TARGET_DURATIONS = 3
const ON_THE_ROAD_MS = 5_000
const LEAST_MS = 20_000
/** What claims to be slower is not believed. */
const MOST_MS = 120_000

/** `targetDurationMs` is undefined where nothing is known of the stream. */
export function heldHeadTimeoutMs(targetDurationMs: number | undefined): number {
  const ms = TARGET_DURATIONS * (targetDurationMs ?? 0) + ON_THE_ROAD_MS
  return Math.min(Math.max(ms, LEAST_MS), MOST_MS)
}

/**
 * Where the answer to a blocking reload is kept: as the newest version of the plain playlist, and no longer than that
 * is fresh, for whoever asks next without directives has it too. Under its own name only what is not there (404, 410)
 * stays, for a moment: another refusal kept there would be everyone's when the part has come.
 */
export function asNewest(
  held: HeldFill | undefined,
  described: StoredHead | NotKept,
  manifest: ManifestFacts | undefined,
): StoredHead | NotKept {
  const plainKey = held?.plainKey
  if (plainKey === undefined || typeof described === 'string') return described
  const { status, freshness, silent } = described
  if (isMissing(status)) return described
  if (status !== 200 || manifest?.role !== 'media') return 'status'
  return { ...described, key: plainKey, freshness: asLongAs(freshness, silent) }
}

/** An origin lets the answer to one directive be kept for six target durations, in which the playlist goes on. */
function asLongAs(told: Freshness, silent: StoredHead['silent']): Freshness {
  const cut = shortened(told, silent.freshMs)
  const { freshUntil } = cut
  // What it lets be fresh so long it lets be stale.
  return {
    ...cut,
    staleIfErrorUntil: Math.min(told.staleIfErrorUntil, freshUntil + silent.staleIfErrorMs),
    staleWhileRevalidateUntil: Math.min(
      told.staleWhileRevalidateUntil,
      Math.max(freshUntil, told.staleWhileRevalidateUntil - (told.freshUntil - freshUntil)),
    ),
  }
}
