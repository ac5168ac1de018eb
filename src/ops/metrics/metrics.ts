/** /metrics: what /stats tells, in the words of Prometheus. */
import { Counter, Gauge, Registry } from '@prometheus-io/client'
import type { Stats } from '../stats.ts'
import { METRICS } from './catalogue.ts'

export interface Exposition {
  readonly contentType: string
  readonly text: string
}

/** A registry of its own each time, so that two who scrape at once never read a half of each other's. */
export async function formatMetrics(stats: Stats): Promise<Exposition> {
  const registry = new Registry()
  for (const { name, help, type, labels, read } of METRICS) {
    const options = { name, help, labelNames: [...labels], registers: [registry] }
    if (type === 'counter') {
      const counter = new Counter(options)
      for (const { value, labels: of = {} } of read(stats)) counter.inc(of, value)
    } else {
      const gauge = new Gauge(options)
      for (const { value, labels: of = {} } of read(stats)) gauge.set(of, value)
    }
  }
  return { contentType: registry.contentType, text: await registry.metrics() }
}
