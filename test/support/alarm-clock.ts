/** A clock that stands still until it is told to go on, and wakes those who wait for an instant of it. */
import type { Alarm } from '../../src/demo/low-latency/alarm.ts'
import type { Instant } from '../../src/rfc/heads.ts'
import { until } from './barrier.ts'
import { type TestClock, testClock } from './clock.ts'

export interface AlarmClock extends TestClock {
  readonly alarm: Alarm
  /** How many wait now. */
  readonly waiting: number
  /** Settles when so many wait; the place of a sleep. */
  waitedFor(count: number): Promise<void>
}

export function alarmClock(start: Instant): AlarmClock {
  const clock = testClock(start)
  const waiting = new Set<{ readonly at: Instant; readonly wake: () => void }>()
  return {
    now: clock.now,
    advance: (ms) => {
      clock.advance(ms)
      for (const one of [...waiting]) if (one.at <= clock.now()) one.wake()
    },
    alarm: (at, signal) =>
      new Promise((resolve, reject) => {
        const one = { at, wake: () => settle(resolve) }
        const leave = (): void => settle(() => reject(signal.reason))
        const settle = (how: () => void): void => {
          waiting.delete(one)
          signal.removeEventListener('abort', leave)
          how()
        }
        if (signal.aborted) reject(signal.reason)
        else if (at <= clock.now()) resolve()
        else {
          waiting.add(one)
          signal.addEventListener('abort', leave)
        }
      }),
    get waiting() {
      return waiting.size
    },
    waitedFor: (count) => until(() => waiting.size === count, `${count} wait for an instant of the clock`),
  }
}
