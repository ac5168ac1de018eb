/** One metric for Prometheus: its name, what it means, and how it is read off the statistics. */
import type { Stats } from '../stats.ts'

export interface Sample {
  readonly value: number
  readonly labels?: Readonly<Record<string, string>>
}

export interface Metric {
  readonly name: string
  /** One sentence; docs/metrics.md has the same. */
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly labels: readonly string[]
  readonly read: (stats: Stats) => Iterable<Sample>
}

/** A metric without labels. `read` answers with undefined where there is nothing to tell. */
export function single(
  type: Metric['type'],
  name: string,
  help: string,
  read: (stats: Stats) => number | undefined,
): Metric {
  return {
    name,
    help,
    type,
    labels: [],
    read: (stats) => {
      const value = read(stats)
      return value === undefined ? [] : [{ value }]
    },
  }
}

/** A metric with labels. */
export function labelled(
  type: Metric['type'],
  name: string,
  help: string,
  labels: readonly string[],
  read: Metric['read'],
): Metric {
  return { name, help, type, labels, read }
}
