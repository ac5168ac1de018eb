/** All metrics there are; docs/metrics.md explains them, and a test holds the two together. */
import type { PlaceStats } from '../../store/store.ts'
import type { RequestStats, Stats } from '../stats.ts'
import { labelled, type Metric, type Sample, single } from './metric.ts'
import { orderMetrics } from './order-metrics.ts'
import { siblingMetrics } from './sibling-metrics.ts'
import { streamMetrics } from './stream-metrics.ts'

const OUTCOMES = ['hit', 'stale', 'miss', 'collapsed', 'pass', 'error'] as const

export const METRICS: readonly Metric[] = [
  labelled(
    'gauge',
    'relais_info',
    'Always 1; the labels name the node and its version.',
    ['node', 'version'],
    (stats) => [{ value: 1, labels: { node: stats.node, version: stats.version } }],
  ),
  single(
    'gauge',
    'relais_uptime_seconds',
    'Seconds since the process started.',
    (stats) => stats.uptimeSeconds,
  ),
  single(
    'counter',
    'process_cpu_seconds_total',
    'Processor time that the process took.',
    (stats) => stats.process.cpuSeconds,
  ),
  single(
    'gauge',
    'process_resident_memory_bytes',
    'Memory of the process that is in use.',
    (stats) => stats.process.residentBytes,
  ),
  single(
    'gauge',
    'relais_loop_utilisation',
    'Share of its time since the last question that the event loop was busy, from 0 to 1.',
    (stats) => stats.process.loopUtilisation,
  ),
  labelled(
    'counter',
    'relais_requests_total',
    'Requests of viewers by route and outcome.',
    ['route', 'outcome'],
    (stats) => [
      ...stats.routes.flatMap(({ prefix, requests }) => outcomes(requests, { route: prefix })),
      ...outcomes(withoutRoute(stats), { route: '' }),
    ],
  ),
  labelled(
    'counter',
    'relais_viewer_bytes_total',
    'Bytes of bodies handed to viewers, by route.',
    ['route'],
    (stats) =>
      stats.routes.map(({ prefix, bytesToViewers }) => ({
        value: bytesToViewers,
        labels: { route: prefix },
      })),
  ),
  single(
    'counter',
    'relais_cuts_total',
    'Answers that broke off before they were whole.',
    (stats) => stats.cuts,
  ),
  single('gauge', 'relais_viewer_connections', 'Connections of viewers open now.', (stats) => stats.viewers),
  single('gauge', 'relais_fills', 'Fills and validations under way.', (stats) => stats.fills),
  single(
    'gauge',
    'relais_waiting_viewers',
    'Viewers who wait for the head of a fill.',
    (stats) => stats.waiting,
  ),
  ...origins(),
  ...places(),
  labelled(
    'counter',
    'relais_prefetch_total',
    'Fills begun before anyone asked (sent), and what became of them.',
    ['event'],
    ({ prefetch }) =>
      (['sent', 'used', 'wasted', 'refused'] as const).map((event) => ({
        value: prefetch[event],
        labels: { event },
      })),
  ),
  single(
    'gauge',
    'relais_player_sessions',
    'Sessions that players tell of by CMCD.',
    (stats) => stats.cmcd.sessions,
  ),
  single(
    'counter',
    'relais_player_reports_total',
    'Requests whose CMCD was read.',
    (stats) => stats.cmcd.reports,
  ),
  ...siblingMetrics(),
  ...orderMetrics(),
  ...streamMetrics(),
]

function origins(): Metric[] {
  const names = ['route', 'origin']
  const each = (read: (state: Stats['routes'][number]['origins'][number]) => number) => (stats: Stats) =>
    stats.routes.flatMap(({ prefix, origins }) =>
      origins.map((state) => ({ value: read(state), labels: { route: prefix, origin: state.name } })),
    )
  return [
    labelled(
      'counter',
      'relais_origin_requests_total',
      'Requests to origins, by route and origin.',
      names,
      each((one) => one.requests),
    ),
    labelled(
      'counter',
      'relais_origin_errors_total',
      'Those without a whole response.',
      names,
      each((one) => one.errors),
    ),
    labelled(
      'counter',
      'relais_origin_bytes_total',
      'Bytes of bodies received from origins.',
      names,
      each((one) => one.bytes),
    ),
    labelled(
      'counter',
      'relais_origin_refused_total',
      'Requests that were not sent, for too many waited or the circuit was open.',
      names,
      each((one) => one.refused),
    ),
    labelled(
      'counter',
      'relais_origin_resumptions_total',
      'Requests for the rest of a body that had broken off (tried), and those that brought it (succeeded).',
      [...names, 'event'],
      (stats) =>
        (['tried', 'succeeded'] as const).flatMap((event) =>
          each((one) => one.resumptions[event])(stats).map(({ value, labels }) => ({
            value,
            labels: { ...labels, event },
          })),
        ),
    ),
    labelled(
      'gauge',
      'relais_origin_under_way',
      'Requests to the origin under way.',
      names,
      each((one) => one.underWay),
    ),
    labelled(
      'gauge',
      'relais_origin_waiting',
      'Requests that wait for one of these to end.',
      names,
      each((one) => one.waiting),
    ),
    labelled(
      'gauge',
      'relais_origin_circuit_open',
      '1 while the circuit of the origin is open.',
      names,
      each((one) => (one.circuit === 'open' ? 1 : 0)),
    ),
  ]
}

function places(): Metric[] {
  const each = (read: (place: PlaceStats) => number) => (stats: Stats) =>
    (['memory', 'disk'] as const).map((place) => ({ value: read(stats[place]), labels: { place } }))
  return [
    labelled(
      'gauge',
      'relais_stored_responses',
      'Responses held, in memory and on disk.',
      ['place'],
      each((one) => one.entries),
    ),
    labelled(
      'gauge',
      'relais_stored_bytes',
      'Bytes they take.',
      ['place'],
      each((one) => one.bytes),
    ),
    labelled(
      'gauge',
      'relais_store_max_bytes',
      'How many bytes they may take.',
      ['place'],
      each((one) => one.maxBytes),
    ),
    labelled(
      'counter',
      'relais_evictions_total',
      'Responses dropped to make room.',
      ['place'],
      each((one) => one.evictions),
    ),
    labelled(
      'counter',
      'relais_declined_total',
      'Responses not taken in for want of room.',
      ['place'],
      each((one) => one.declined),
    ),
    single(
      'gauge',
      'relais_memory_lent_bytes',
      'Bytes that have left memory while connections of viewers still hold them.',
      (stats) => stats.memory.lent,
    ),
    single(
      'counter',
      'relais_recalled_answers_total',
      'Answers broken off because what they had to send was evicted, and its memory needed.',
      (stats) => stats.memory.recalled,
    ),
    single(
      'counter',
      'relais_disk_errors_total',
      'Reads and writes of the disk that failed.',
      (stats) => stats.disk.errors,
    ),
    single('gauge', 'relais_disk_on', '1 while the disk is in use.', (stats) =>
      stats.disk.state === 'on' ? 1 : 0,
    ),
  ]
}

function outcomes(requests: RequestStats, labels: Readonly<Record<string, string>>): Sample[] {
  return OUTCOMES.map((outcome) => ({ value: requests[outcome], labels: { ...labels, outcome } }))
}

/** What belongs to no route: refused before one was found. */
function withoutRoute({ requests, routes }: Stats): RequestStats {
  const left = { ...requests }
  for (const name of ['total', ...OUTCOMES] as const) {
    for (const route of routes) left[name] -= route.requests[name]
  }
  return left
}
