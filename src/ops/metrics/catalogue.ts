/** All metrics there are; docs/metrics.md explains them, and a test holds the two together. */
import type { RequestStats, Stats } from '../stats.ts'
import type { StreamStats } from '../stream-stats.ts'
import { labelled, type Metric, type Sample, single } from './metric.ts'

const OUTCOMES = ['hit', 'stale', 'miss', 'collapsed', 'pass', 'error'] as const

/** Streams are named by their manifests, and a catalogue of films has many: only those that are watched most are told apart. */
const MAX_STREAMS = 50

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
  ...streams(),
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
  const each = (read: (place: Stats['memory']) => number) => (stats: Stats) =>
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

function streams(): Metric[] {
  const each =
    (read: (stream: StreamStats) => number | null) =>
    (stats: Stats): Sample[] =>
      watched(stats).flatMap((stream) => {
        const value = read(stream)
        return value === null ? [] : [{ value, labels: { manifest: stream.manifest } }]
      })
  return [
    labelled(
      'gauge',
      'relais_stream_viewers',
      'Viewers of a stream, of the fifty that are watched most.',
      ['manifest'],
      each((one) => one.viewers),
    ),
    labelled(
      'gauge',
      'relais_stream_behind_seconds',
      'How far the live edge here may lie behind the origin’s.',
      ['manifest'],
      each((one) => one.behindSeconds),
    ),
    labelled(
      'gauge',
      'relais_stream_hit_ratio',
      'What was answered without asking the origin, from 0 to 1.',
      ['manifest'],
      each((one) => one.hitRatio),
    ),
    labelled(
      'gauge',
      'relais_stream_buffer_seconds',
      'Median buffer of its players, as they tell it.',
      ['manifest'],
      each((one) => seconds(one.cmcd.bufferMedianMs)),
    ),
    labelled(
      'gauge',
      'relais_stream_stalls',
      'Stalls that its players have told of.',
      ['manifest'],
      each((one) => one.cmcd.stalls),
    ),
  ]
}

function watched({ streams }: Stats): readonly StreamStats[] {
  return streams
    .filter(({ viewers }) => viewers > 0)
    .toSorted((one, other) => other.viewers - one.viewers)
    .slice(0, MAX_STREAMS)
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

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000
}
