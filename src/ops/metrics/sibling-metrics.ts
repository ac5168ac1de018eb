/** Metrics of a cluster: how its nodes see each other, and what they ask of each other. */
import type { SiblingStats, Stats } from '../stats.ts'
import { labelled, type Metric, single } from './metric.ts'

const STATES = ['joining', 'active', 'suspect', 'draining', 'gone'] as const

export function siblingMetrics(): Metric[] {
  const names = ['sibling']
  /** Nothing of those of whom it is not known. */
  const each = (read: (sibling: SiblingStats) => number | null) => (stats: Stats) =>
    stats.siblings.flatMap((sibling) => {
      const value = read(sibling)
      return value === null ? [] : [{ value, labels: { sibling: sibling.id } }]
    })
  return [
    labelled(
      'gauge',
      'relais_sibling_state',
      '1 for the state that this node sees a sibling in, 0 for the others.',
      [...names, 'state'],
      ({ siblings }) =>
        siblings.flatMap((sibling) =>
          STATES.map((state) => ({
            value: sibling.state === state ? 1 : 0,
            labels: { sibling: sibling.id, state },
          })),
        ),
    ),
    labelled(
      'gauge',
      'relais_sibling_load',
      'How busy a sibling says it is, from 0 to 1.',
      names,
      each((one) => one.load),
    ),
    labelled(
      'gauge',
      'relais_sibling_purge_lag',
      'Purges known here that a sibling has not applied, as far as it said.',
      names,
      each((one) => one.purgeLag),
    ),
    labelled(
      'gauge',
      'relais_sibling_agrees',
      '1 while a sibling sees the same roster.',
      names,
      each((one) => (one.agrees === null ? null : Number(one.agrees))),
    ),
    labelled(
      'counter',
      'relais_sibling_requests_total',
      'Requests for objects that were sent to a sibling (asked), and what became of them.',
      [...names, 'event'],
      (stats) =>
        (['asked', 'answered', 'failed', 'hedged'] as const).flatMap((event) =>
          each((one) => one[event])(stats).map(({ value, labels }) => ({
            value,
            labels: { ...labels, event },
          })),
        ),
    ),
    labelled(
      'counter',
      'relais_sibling_penalties_total',
      'Times that a sibling was left alone for a while because it had failed.',
      names,
      each((one) => one.penalised),
    ),
    labelled(
      'counter',
      'relais_sibling_bytes_total',
      'Bytes of bodies received from a sibling.',
      names,
      each((one) => one.bytes),
    ),
    single(
      'counter',
      'relais_peer_requests_total',
      'Requests for objects that siblings sent here and that were not refused.',
      ({ peers }) => peers?.requests,
    ),
    single(
      'counter',
      'relais_peer_hits_total',
      'Those of them answered from store.',
      ({ peers }) => peers?.hits,
    ),
    single(
      'counter',
      'relais_peer_bytes_total',
      'Bytes of bodies handed to siblings.',
      ({ peers }) => peers?.bytes,
    ),
    labelled(
      'counter',
      'relais_peer_refused_total',
      'Requests of siblings that were refused, by why.',
      ['why'],
      ({ peers }) => Object.entries(peers?.refused ?? {}).map(([why, value]) => ({ value, labels: { why } })),
    ),
    single(
      'counter',
      'relais_peer_out_of_step_total',
      'Requests of siblings that saw another roster.',
      ({ peers }) => peers?.outOfStep,
    ),
  ]
}
