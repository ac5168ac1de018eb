/** A clock that stands still until it is told to go on. */
import type { Clock, Instant } from '../../src/rfc/heads.ts'

export interface TestClock {
  readonly now: Clock
  advance(ms: number): void
}

export function testClock(start: Instant = Date.UTC(2026, 0, 1)): TestClock {
  let now = start
  return {
    now: () => now,
    advance: (ms) => {
      now += ms
    },
  }
}
