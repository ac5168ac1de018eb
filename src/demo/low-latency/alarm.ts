/** Waiting for an instant of a clock that was handed in, so that what the demo holds for viewers can be tested without time. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Clock, Instant } from '../../rfc/heads.ts'

/** Resolves when its clock has come to `at`, at once when it is past; rejects as soon as the signal says so. */
export type Alarm = (at: Instant, signal: AbortSignal) => Promise<void>

/** For a clock that goes on by itself. A timer may fire a millisecond early, so the clock has the last word. */
export function wallAlarm(now: Clock): Alarm {
  return async (at, signal) => {
    signal.throwIfAborted()
    for (let leftMs = at - now(); leftMs > 0; leftMs = at - now()) await pause(leftMs, undefined, { signal })
  }
}
