/** A SegmentTimeline as runs of segments: never one by one, for `S@r` may say two thousand million. */
import { MAX_RUNS, type Run, type Timeline } from './dash-facts.ts'

const NATURAL = /^\d{1,20}$/
/** xs:unsignedLong. */
const LARGEST = 2n ** 64n - 1n

/** Takes one S element after the other. What is malformed is left out. */
export class TimelineReading {
  #runs: Run[] = []
  #before = 0
  #count = 0

  add(attributes: Readonly<Record<string, string>>): void {
    const duration = naturalOf(attributes.d)
    if (duration === undefined || duration === 0n) return
    const start = naturalOf(attributes.t) ?? this.#next()
    if (start > LARGEST) return
    this.#endOpenRun(start)
    const count = countOf(attributes.r)
    this.#count += count ?? 1
    const last = this.#runs.at(-1)
    // Packagers write two S where one with r would do, and what is one run stays one.
    if (
      last?.count !== undefined &&
      count !== undefined &&
      last.duration === duration &&
      endOf(last) === start
    ) {
      this.#runs[this.#runs.length - 1] = { ...last, count: last.count + count }
      return
    }
    this.#runs.push({ start, duration, count })
    // Twice as many are let in, so that to drop the first is not done at each.
    if (this.#runs.length >= 2 * MAX_RUNS) this.keep(MAX_RUNS)
  }

  /** Forgets all but the last runs; how many are left. */
  keep(most: number): number {
    if (this.#runs.length > most) {
      const dropped = this.#runs.slice(0, -most)
      this.#before += dropped.reduce((sum, run) => sum + (run.count ?? 1), 0)
      this.#runs = this.#runs.slice(-most)
    }
    return this.#runs.length
  }

  timeline(): Timeline {
    return { runs: this.#runs, before: this.#before, count: this.#count }
  }

  #next(): bigint {
    const last = this.#runs.at(-1)
    return last === undefined ? 0n : endOf(last)
  }

  /** A run without an end ends where the next one begins (ISO 23009-1 section 5.3.9.6.2). */
  #endOpenRun(start: bigint): void {
    const last = this.#runs.at(-1)
    if (last === undefined || last.count !== undefined) return
    const count = start > last.start ? Number((start - last.start + last.duration - 1n) / last.duration) : 1
    this.#count += count - 1
    this.#runs[this.#runs.length - 1] = { ...last, count }
  }
}

/** Where the segment after a run begins; after one without an end, where its second begins. */
export function endOf(run: Run): bigint {
  return run.start + run.duration * BigInt(run.count ?? 1)
}

/** Undefined: without an end. */
function countOf(repeat: string | undefined): number | undefined {
  const value = Number(repeat ?? 0)
  if (value < 0) return undefined
  return Number.isSafeInteger(value) ? value + 1 : 1
}

function naturalOf(value: string | undefined): bigint | undefined {
  if (value === undefined || !NATURAL.test(value)) return undefined
  const number = BigInt(value)
  return number > LARGEST ? undefined : number
}
