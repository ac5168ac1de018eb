/** Metrics of single streams. */
import type { Stats } from '../stats.ts'
import type { StreamStats } from '../stream-stats.ts'
import { labelled, type Metric, type Sample } from './metric.ts'

/** Streams are named by their manifests, and a catalogue of films has many: only those that are watched most are told apart. */
const MAX_STREAMS = 50

export function streamMetrics(): Metric[] {
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
    labelled(
      'gauge',
      'relais_stream_prefetch',
      'Fills begun ahead of its viewers (sent), and what became of them.',
      ['manifest', 'event'],
      (stats) =>
        watched(stats).flatMap(({ manifest, prefetch }) =>
          (['sent', 'used', 'wasted'] as const).map((event) => ({
            value: prefetch[event],
            labels: { manifest, event },
          })),
        ),
    ),
  ]
}

function watched({ streams }: Stats): readonly StreamStats[] {
  return streams
    .filter(({ viewers }) => viewers > 0)
    .toSorted((one, other) => other.viewers - one.viewers)
    .slice(0, MAX_STREAMS)
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000
}
