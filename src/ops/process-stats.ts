/** What the process takes of the machine. */
import { type EventLoopUtilization, performance } from 'node:perf_hooks'

export interface ProcessStats {
  /** Of all processors together, since the start. */
  readonly cpuSeconds: number
  readonly residentBytes: number
  /** Share of the time since this was last read in which the event loop was busy, from 0 to 1. */
  readonly loopUtilisation: number
}

export class ProcessMeter {
  #before: EventLoopUtilization = performance.eventLoopUtilization()

  read(): ProcessStats {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, this.#before)
    this.#before = now
    const { user, system } = process.cpuUsage()
    return {
      cpuSeconds: (user + system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
      loopUtilisation: Math.round(utilization * 1000) / 1000,
    }
  }
}
