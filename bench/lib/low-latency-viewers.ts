/**
 * Viewers of the demo origin's low-latency streams, at the origin itself or at whatever stands in front of it. They know
 * when each part is made, because the demo makes them by the clock: what they measure is how much later it is here.
 */
import { setTimeout as pause } from 'node:timers/promises'
import {
  edgeAt,
  PARTS_PER_SEGMENT,
  type PartPlace,
  partMadeAt,
} from '../../src/demo/low-latency/part-clock.ts'
import type { LowLatencyDash, LowLatencyHls, LowLatencyPlan, LowLatencySeen } from './low-latency-plans.ts'
import { ChunkEnds, Count, Keep } from './low-latency-watchers.ts'
import { Viewer } from './viewer.ts'

/** Of the demo title. */
const SEGMENT_MS = 2000
/** So many connect at once; more would overrun a listening socket's queue. */
const CONNECTING_AT_ONCE = 100
/** Viewers ask for a segment in the first half of the time in which its first chunk is made. */
const ASKING_MS = SEGMENT_MS / PARTS_PER_SEGMENT / 2

interface Notes {
  readonly delayMs: number[]
  readonly playlistDelayMs: number[]
  readonly targets: Set<string>
  readonly failures: string[]
}

/** Settles when all have seen what they came for, failed, or the time is over; never rejects for what a viewer met. */
export async function watchLowLatency(plan: LowLatencyPlan): Promise<LowLatencySeen> {
  const { hostname, port, pathname } = new URL(plan.url)
  if (hostname !== '127.0.0.1')
    throw new Error(`Viewers come to 127.0.0.1, so that no network is measured; not to ${hostname}.`)
  const connections = plan.kind === 'll-hls' ? 2 : 1
  const sockets = await connected(Number(port), plan.viewers * connections)
  const notes: Notes = { delayMs: [], playlistDelayMs: [], targets: new Set(), failures: [] }
  const timer = setTimeout(() => leave(sockets), plan.timeoutMs)
  const before = performance.eventLoopUtilization()
  const watches = Array.from({ length: plan.viewers }, (_, index) => {
    const [one, other] = sockets.slice(index * connections, (index + 1) * connections)
    if (one === undefined) throw new Error('a viewer has no connection')
    if (plan.kind === 'll-dash') return dashViewer(plan, one, pathname, index / plan.viewers, notes)
    return hlsViewer(plan, one, other ?? one, pathname, notes)
  })
  for (const { status, reason } of (await Promise.allSettled(watches)).map((one) => ({
    reason: '',
    ...one,
  }))) {
    if (status === 'rejected') notes.failures.push(String(reason))
  }
  clearTimeout(timer)
  leave(sockets)
  const { utilization } = performance.eventLoopUtilization(before)
  return { ...notes, targets: [...notes.targets], busyShare: utilization }
}

async function hlsViewer(
  plan: LowLatencyHls,
  playlists: Viewer,
  media: Viewer,
  pathname: string,
  notes: Notes,
): Promise<void> {
  let last = lastPartOf(await fetchText(playlists, pathname, notes))
  let fetching: Promise<void> = Promise.resolve()
  for (let seen = 0; seen < plan.parts; seen += 1) {
    const next = after(last)
    if (plan.fetches === 'hinted') fetching = fetchAfter(fetching, media, pathname, next, notes)
    const directives = `_HLS_msn=${next.number}&_HLS_part=${next.part}${plan.wantsDelta ? '&_HLS_skip=YES' : ''}`
    const reloaded = fetchText(playlists, `${pathname}?${directives}`, notes)
    // A part that fails must end the viewer while their reload is still held.
    last = lastPartOf(await (plan.fetches === 'hinted' ? bothOf(reloaded, fetching) : reloaded))
    notes.playlistDelayMs.push(sinceMade(next))
    if (plan.fetches === 'announced') fetching = fetchAfter(fetching, media, pathname, next, notes)
    // A viewer who is late sees several at once in one playlist, and fetches them all.
    for (let more = after(next); isBefore(next, last) && !isBefore(last, more); more = after(more)) {
      fetching = fetchAfter(fetching, media, pathname, more, notes)
      seen += 1
    }
  }
  await fetching
}

/** One connection fetches one part after the other. */
function fetchAfter(
  before: Promise<void>,
  media: Viewer,
  playlist: string,
  place: PartPlace,
  notes: Notes,
): Promise<void> {
  const fetching = before.then(() => fetchPart(media, playlist, place, notes))
  // Each waits for the one before, and the viewer for the last: a failure is theirs, and until then nobody's.
  fetching.catch(() => undefined)
  return fetching
}

async function fetchPart(media: Viewer, playlist: string, place: PartPlace, notes: Notes): Promise<void> {
  const target = `${playlist.replace(/\.m3u8$/, '')}/${place.number}.${place.part}.m4s`
  notes.targets.add(target)
  const count = new Count()
  await media.watch(target, count)
  if (count.bytes === 0) throw new Error(`${target} is empty`)
  notes.delayMs.push(sinceMade(place))
}

async function dashViewer(
  plan: LowLatencyDash,
  viewer: Viewer,
  folder: string,
  share: number,
  notes: Notes,
): Promise<void> {
  const first = edgeAt(wallNow(), SEGMENT_MS).number + 1
  for (let number = first; number < first + plan.segments; number += 1) {
    await pause(Math.max(0, number * SEGMENT_MS + share * ASKING_MS + 1 - wallNow()))
    const target = `${folder}${number}.m4s`
    notes.targets.add(target)
    const ends = new ChunkEnds((part) => notes.delayMs.push(sinceMade({ number, part })))
    await viewer.watch(target, ends)
    if (ends.chunks !== PARTS_PER_SEGMENT) throw new Error(`${target} has ${ends.chunks} chunks`)
  }
}

async function fetchText(viewer: Viewer, target: string, notes: Notes): Promise<string> {
  notes.targets.add(target)
  const kept = new Keep()
  await viewer.watch(target, kept)
  return kept.text
}

async function bothOf<Value>(value: Promise<Value>, other: Promise<void>): Promise<Value> {
  const [first] = await Promise.all([value, other])
  return first
}

/** Parts are files here, so the address of the last says which it is; the rest of the playlist need not be read. */
function lastPartOf(playlist: string): PartPlace {
  const at = playlist.lastIndexOf('#EXT-X-PART:')
  const [, number, part] = /\/(\d+)\.(\d+)\.m4s"/.exec(playlist.slice(at)) ?? []
  if (at < 0 || number === undefined)
    throw new Error(`no part as a file is listed in ${JSON.stringify(playlist.slice(0, 200))}`)
  return { number: Number(number), part: Number(part) }
}

function after({ number, part }: PartPlace): PartPlace {
  return part + 1 < PARTS_PER_SEGMENT ? { number, part: part + 1 } : { number: number + 1, part: 0 }
}

function isBefore(one: PartPlace, other: PartPlace): boolean {
  return one.number < other.number || (one.number === other.number && one.part < other.part)
}

function sinceMade(place: PartPlace): number {
  return wallNow() - partMadeAt(place, SEGMENT_MS)
}

/** The wall clock, finer than its milliseconds. */
function wallNow(): number {
  return performance.timeOrigin + performance.now()
}

async function connected(port: number, count: number): Promise<Viewer[]> {
  const viewers: Viewer[] = []
  while (viewers.length < count) {
    const some = Math.min(CONNECTING_AT_ONCE, count - viewers.length)
    viewers.push(...(await Promise.all(Array.from({ length: some }, () => Viewer.connect(port)))))
  }
  return viewers
}

function leave(viewers: readonly Viewer[]): void {
  for (const viewer of viewers) viewer.leave()
}
