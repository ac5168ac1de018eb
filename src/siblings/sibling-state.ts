/** What each sibling says of itself once a second, and how that is read: nothing of it is believed before it was looked at. */
import { isCount, isRecord, shown } from '../purge/purge-rule.ts'
import type { DeclaredState } from './membership.ts'
import type { Positions } from './purge-log.ts'
import { ALGORITHM } from './rendezvous.ts'
import { readPositions } from './wire-values.ts'

/** Of all messages between siblings. Another one is not understood, so releases that differ in it are no siblings. */
export const PROTOCOL = 2

/** What a node does now, for people and for its load. */
export interface LoadFigures {
  /** Requests of viewers and siblings under way. */
  readonly inflight: number
  /** Bytes a second to viewers and siblings. */
  readonly egressBps: number
  /** What the line carries, in bytes a second. */
  readonly capacityBps: number
  /** How much of the time the event loop was busy: 0 to 1. */
  readonly elu: number
  readonly missesPerSecond: number
}

export interface SiblingState {
  readonly id: string
  /** One life of the process: two at once with one id are two nodes with one name. */
  readonly instance: string
  readonly cluster: string
  readonly release: string
  readonly url: string
  readonly publicUrl: string | undefined
  readonly zone: string
  readonly weight: number
  readonly state: DeclaredState
  /** It runs for seconds only and has missed nothing yet, so there is nothing that one who joins could take from it. */
  readonly isBeginning: boolean
  /** Of its roster. */
  readonly digest: string
  /** The purges that it has applied. */
  readonly purges: Positions
  readonly figures: LoadFigures
}

/** Why a message is not heard. `bad` is for one line of the log: what was expected, and what came. */
export type ReadState =
  | { readonly state: SiblingState }
  | { readonly id: string | undefined; readonly bad: string }

const ID = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/
const STATES: readonly DeclaredState[] = ['joining', 'active', 'draining', 'gone']
const MAX_WEIGHT = 100
const MAX_TEXT = 256

/** The busiest of what it has: its line or its processor. 0 is idle, 1 is all it can do. */
export function loadOf({ egressBps, capacityBps, elu }: LoadFigures): number {
  return Math.min(1, Math.max(elu, capacityBps === 0 ? 0 : egressBps / capacityBps))
}

/** As it is sent. */
export function writeState(state: SiblingState): Readonly<Record<string, unknown>> {
  return { protocol: PROTOCOL, algorithm: ALGORITHM, ...state }
}

/** Reads what came as JSON. `cluster`: the name of our own. */
export function readState(value: unknown, cluster: string): ReadState {
  if (!isRecord(value)) return { id: undefined, bad: 'expected an object' }
  const id = typeof value.id === 'string' && ID.test(value.id) ? value.id : undefined
  const refuse = (what: string, came: unknown): ReadState => ({
    id,
    bad: `expected ${what}, came ${shown(came)}`,
  })
  // First these: if they differ, nothing else need be as we know it.
  if (value.protocol !== PROTOCOL) return refuse(`protocol ${PROTOCOL}`, value.protocol)
  if (value.algorithm !== ALGORITHM) return refuse(`algorithm ${ALGORITHM}`, value.algorithm)
  if (value.cluster !== cluster) return refuse(`cluster ${cluster}`, value.cluster)
  if (id === undefined) return refuse('the name of a node', value.id)
  const { instance, release, url, publicUrl, zone, weight, digest } = value
  if (!isText(instance)) return refuse('an instance', instance)
  if (!isText(release)) return refuse('a release', release)
  if (!isAddress(url)) return refuse('a URL of scheme, host and port', url)
  if (publicUrl !== undefined && !isAddress(publicUrl)) return refuse('a public URL', publicUrl)
  if (typeof zone !== 'string' || !ID.test(zone)) return refuse('a zone', zone)
  if (!isNumber(weight, 1, MAX_WEIGHT)) return refuse(`a weight from 1 to ${MAX_WEIGHT}`, weight)
  if (typeof digest !== 'string' || !/^[0-9a-f]{16}$/.test(digest)) return refuse('a digest', digest)
  const state = STATES.find((one) => one === value.state)
  if (state === undefined) return refuse(`one of ${STATES.join(', ')}`, value.state)
  // Releases before this field do not say it.
  const { isBeginning = false } = value
  if (typeof isBeginning !== 'boolean') return refuse('whether it is beginning', isBeginning)
  const purges = readPositions(value.purges)
  if (purges === undefined) return refuse('positions in the log of purges', value.purges)
  const figures = readFigures(value.figures)
  if (figures === undefined) return refuse('figures of its load', value.figures)
  const known = {
    id,
    instance,
    cluster,
    release,
    url,
    publicUrl,
    zone,
    weight,
    state,
    isBeginning,
    digest,
    purges,
    figures,
  }
  return { state: known }
}

function readFigures(value: unknown): LoadFigures | undefined {
  if (!isRecord(value)) return undefined
  const { inflight, egressBps, capacityBps, elu, missesPerSecond } = value
  if (!isCount(inflight) || !isNumber(elu, 0, 1)) return undefined
  if (!isNumber(egressBps) || !isNumber(capacityBps) || !isNumber(missesPerSecond)) return undefined
  return { inflight, egressBps, capacityBps, elu, missesPerSecond }
}

function isNumber(value: unknown, least = 0, most = Number.MAX_VALUE): value is number {
  return typeof value === 'number' && value >= least && value <= most
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_TEXT
}

function isAddress(value: unknown): value is string {
  return isText(value) && /^https?:\/\/[^\s/?#@]+$/.test(value) && URL.canParse(value)
}
