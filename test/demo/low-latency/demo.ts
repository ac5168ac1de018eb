/** The low-latency streams for tests: on the wire with a clock that the test moves, and in parts. */
import type { TestContext } from 'node:test'
import { startDemo } from '../../../src/demo/demo-origin.ts'
import { ChunkedTitle } from '../../../src/demo/low-latency/chunked-title.ts'
import { LowLatencyStreams } from '../../../src/demo/low-latency/low-latency-streams.ts'
import type { Track } from '../../../src/demo/title.ts'
import type { Clock } from '../../../src/rfc/heads.ts'
import { type AlarmClock, alarmClock } from '../../support/alarm-clock.ts'
import { readBars } from '../bars.ts'

/** A boundary of segments, and the instant at which NUMBER begins to be made. */
export const START = 1_795_428_000_000
export const NUMBER = START / 2000
export const PART_MS = 400

export const bars = await readBars()
export const chunked = new ChunkedTitle(bars.files, bars.folder, bars.title)
export const streams = new LowLatencyStreams(bars)
export const tracks: readonly Track[] = [...chunked.title.video, chunked.title.audio]

export interface LowLatencyDemo {
  readonly url: string
  readonly clock: AlarmClock
  /** The targets that were asked for so far, in the order of arrival. */
  readonly asked: readonly string[]
}

/** At `start`; the encoder goes with the clock unless it is told how far the streams are made. */
export async function openLowLatency(
  t: TestContext,
  { start = START, madeUntil }: { readonly start?: number; readonly madeUntil?: Clock } = {},
): Promise<LowLatencyDemo> {
  const clock = alarmClock(start)
  const asked: string[] = []
  const onRequest = (target: string): void => void asked.push(target)
  const made = madeUntil === undefined ? {} : { madeUntil }
  const demo = await startDemo({
    host: '127.0.0.1',
    port: 0,
    now: clock.now,
    alarm: clock.alarm,
    onRequest,
    ...made,
  })
  t.after(() => demo.close())
  return { url: demo.url, clock, asked }
}

/** What lies at a path at an instant, as text; throws when it is not there at once. */
export function textAt(path: string, now: number, query = ''): string {
  const found = streams.find(path, query, now)
  if (found?.kind !== 'resource') throw new Error(`${path} at ${now}: ${found?.kind}`)
  return new TextDecoder().decode(found.resource.bytes)
}
