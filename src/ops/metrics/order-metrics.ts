/** Metrics of what operators order: purges, and what is fetched for them. */
import { labelled, type Metric, single } from './metric.ts'

export function orderMetrics(): Metric[] {
  return [
    single('gauge', 'relais_jobs', 'Jobs of /-/prefetch under way.', (stats) => stats.jobs.running),
    labelled(
      'counter',
      'relais_job_addresses_total',
      'Addresses that jobs fetched and that were kept (stored), and those they could not have (failed).',
      ['event'],
      ({ jobs }) =>
        (['stored', 'failed'] as const).map((event) => ({ value: jobs[event], labels: { event } })),
    ),
    labelled(
      'counter',
      'relais_purges_total',
      'Purges given out by this node (issued), and new ones from others (received).',
      ['event'],
      ({ purges }) =>
        (['issued', 'received'] as const).map((event) => ({ value: purges[event], labels: { event } })),
    ),
    single(
      'counter',
      'relais_purged_total',
      'Addresses and responses deleted for purges.',
      (stats) => stats.purges.deleted,
    ),
    single(
      'gauge',
      'relais_purge_rules',
      'Addresses, prefixes and tags held against what is stored.',
      (stats) => stats.purges.rules,
    ),
    single(
      'counter',
      'relais_purge_merges_total',
      'Times that too many were held, and old ones were merged into wider ones.',
      (stats) => stats.purges.merged,
    ),
    single(
      'counter',
      'relais_purge_sweeps_total',
      'Times that all on disk was gone through for purges.',
      (stats) => stats.purges.sweeps,
    ),
    single(
      'counter',
      'relais_purges_unsaved_total',
      'Purges that the disk took no note of.',
      (stats) => stats.purges.unsaved,
    ),
  ]
}
