/** How busy this node is, measured once a second. */
import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import type { Instant } from '../rfc/heads.ts'
import type { LoadFigures } from './sibling-state.ts'

/** Counters of this node, which only grow, but for `inflight`. */
export interface LoadCounters {
  readonly inflight: number
  readonly bytesOut: number
  readonly misses: number
}

/** How much of a figure is news: the rest is what it was, so that one busy second is not yet a busy node. */
const NEWS = 0.5

export class LoadMeter {
  readonly #counters: () => LoadCounters
  readonly #capacityBps: number
  readonly #utilization: () => number
  #last: { readonly at: Instant; readonly counters: LoadCounters } | undefined
  #figures: LoadFigures

  /** `capacityBps` in bytes a second; `utilization` is how busy the processor was since it was asked last, 0 to 1. */
  constructor(counters: () => LoadCounters, capacityBps: number, utilization = loopUtilization()) {
    this.#counters = counters
    this.#utilization = utilization
    this.#capacityBps = capacityBps
    this.#figures = { inflight: 0, egressBps: 0, capacityBps, elu: 0, missesPerSecond: 0 }
  }

  get figures(): LoadFigures {
    return this.#figures
  }

  /** To be called each second or so. */
  measure(now: Instant): void {
    // A copy: whoever counts may go on with the same object.
    const counters = { ...this.#counters() }
    const utilization = this.#utilization()
    const before = this.#last
    this.#last = { at: now, counters }
    const { egressBps, missesPerSecond } = this.#figures
    const seconds = before === undefined ? 0 : (now - before.at) / 1000
    // The clock was set, or nothing was counted yet.
    if (before === undefined || seconds <= 0) return
    this.#figures = {
      inflight: counters.inflight,
      egressBps: smooth(egressBps, (counters.bytesOut - before.counters.bytesOut) / seconds),
      capacityBps: this.#capacityBps,
      elu: smooth(this.#figures.elu, Math.min(1, utilization)),
      missesPerSecond: smooth(missesPerSecond, (counters.misses - before.counters.misses) / seconds),
    }
  }
}

/** Of the event loop of this thread, which is all that a node has. */
function loopUtilization(): () => number {
  let before: EventLoopUtilization = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    return Number.isNaN(utilization) ? 0 : utilization
  }
}

function smooth(before: number, news: number): number {
  return before + NEWS * (Math.max(0, news) - before)
}
