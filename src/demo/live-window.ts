/** Which segments of an endless live stream exist at an instant: the one rule that manifests and segments share. */
import type { Instant } from '../rfc/heads.ts'

/** Longer than the title's loop of 12, so that a loop boundary is always in sight. */
export const WINDOW_SEGMENTS = 15

/**
 * Segments served on after they left the window. RFC 8216bis section 6.2.2: the duration of the segment and of the
 * longest playlist that had it.
 */
export const GRACE_SEGMENTS = WINDOW_SEGMENTS + 1

export interface LiveWindow {
  /** Numbers listed, both inclusive; `last` is before `first` while nothing is complete. */
  readonly first: number
  readonly last: number
}

/**
 * Segment n is what happened in [n, n + 1) segment durations since the epoch of Unix, so two demo origins tell the same
 * without knowing of each other, and numbers never go back, whatever restarts.
 */
export function windowAt(now: Instant, segmentMs: number): LiveWindow {
  const last = Math.floor(now / segmentMs) - 1
  return { first: Math.max(0, last - WINDOW_SEGMENTS + 1), last }
}

/** True from the instant a segment is complete until the grace after its window is over. */
export function isServable(number: number, now: Instant, segmentMs: number): boolean {
  const { last } = windowAt(now, segmentMs)
  return number <= last && number > last - WINDOW_SEGMENTS - GRACE_SEGMENTS
}

/** When segment `number` became complete, and with it the manifest that first lists it. */
export function completeAt(number: number, segmentMs: number): Instant {
  return (number + 1) * segmentMs
}

/** The numbers of the window in order. */
export function numbersOf({ first, last }: LiveWindow): number[] {
  return Array.from({ length: last - first + 1 }, (_, offset) => first + offset)
}
