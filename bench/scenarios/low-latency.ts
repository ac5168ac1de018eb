/** Low latency: how often the origin is asked for each part, and how much later than it is made a part reaches its viewers. */
import { freePort, listening, output } from '../lib/ground.ts'
import type { LowLatencyPlan, LowLatencySeen } from '../lib/low-latency-plans.ts'
import type { Bound, Report } from '../lib/report.ts'
import { onStage, program, type Stage } from '../lib/stage.ts'
import { median, percentile } from '../lib/statistics.ts'
import { otherRelais, relais } from '../peers/relais.ts'
import { varnishWith } from '../peers/varnish.ts'

const TIMEOUT_MS = 90_000
/** Five parts make a segment of two seconds. */
const PARTS = 25
const SEGMENTS = 5
/** Of each peer, in turn the one and the other first; one more before them warms up. */
const ROUNDS = 3

/** The demo origin sends no lifetimes, and by itself Varnish keeps everything for two minutes: HLS section B.1 in its words. */
const VCL = `sub vcl_backend_response {
  if (beresp.status != 200) { set beresp.ttl = 0.4s; }
  elsif (bereq.url ~ "\\.m3u8") {
    if (bereq.url ~ "_HLS_msn=") { set beresp.ttl = 12s; } else { set beresp.ttl = 1s; set beresp.grace = 0s; }
  }
}
`

type What = 'll-hls, part when announced' | 'll-hls, part when hinted at' | 'll-dash'

const WHAT: readonly What[] = ['ll-hls, part when announced', 'll-hls, part when hinted at', 'll-dash']

/** Of one round. */
interface Measured {
  readonly parts: Delays
  /** NaN where there are none. */
  readonly playlists: Delays
  readonly failures: number
  /** Requests to the origin for media and for playlists that it holds, and how many different ones viewers asked for. */
  readonly media: Asked
  readonly reloads: Asked
  readonly busyShare: number
}

/** In milliseconds. */
interface Delays {
  readonly p50: number
  readonly p99: number
}

interface Asked {
  readonly asked: number
  readonly named: number
}

export function lowLatency(viewers: number, also: readonly string[]): Promise<Report> {
  return onStage(async (stage) => {
    const origin = await openOrigin(stage)
    const cast: { name: string; port: number }[] = []
    for (const peer of [relais({ name: 'Relais' }), ...also.map(otherRelais), varnishWith(VCL)]) {
      cast.push(await peer.start(stage.ground, origin.port))
    }
    const rows: (string | number)[][] = []
    const bounds: Bound[] = []
    for (const what of WHAT) {
      const measured = new Map<string, Measured[]>(cast.map(({ name }) => [name, []]))
      for (let round = 0; round <= ROUNDS; round++) {
        for (const { name, port } of round % 2 === 0 ? cast : cast.toReversed()) {
          const seen = await measure(planOf(what, port, viewers), origin.counts)
          if (round > 0) measured.get(name)?.push(seen)
        }
      }
      for (const [name, seen] of measured) rows.push([what, name, ...figuresOf(seen)])
      bounds.push(...boundsOf(what, measured.get('Relais') ?? [], measured.get('Varnish') ?? []))
    }
    return {
      scenario: 'low-latency',
      how:
        `${viewers} viewers of one HLS rendition of the demo's low-latency streams (parts of 0.4 s), ${dashViewers(viewers)} of a DASH one, ${ROUNDS} ` +
        'rounds of ten seconds each after one that warms up, the one peer first in turn with the other; figures are medians of rounds. HLS viewers reload with _HLS_msn and _HLS_part and fetch each part, DASH viewers ask for each segment as it begins. ' +
        'Milliseconds from the instant at which a part or chunk is made to its last byte at the viewer; the time in which one process ' +
        'reads for all viewers is in it, and the last column says how much of the time it was busy.',
      tables: [
        {
          title: 'Delay of a part, and what the origin is asked',
          columns: [
            '',
            '',
            'parts p50',
            'parts p99',
            'playlists p50',
            'playlists p99',
            'origin requests a part or segment',
            'blocking requests a part',
            'failures',
            'viewers busy, %',
          ],
          rows,
        },
      ],
      bounds,
    }
  })
}

async function openOrigin(stage: Stage): Promise<{ readonly port: number; readonly counts: string }> {
  const [port, countsPort] = [await freePort(), await freePort()]
  const args = [program('low-latency-origin.ts'), String(port), String(countsPort)]
  const child = stage.ground.start('others', process.execPath, args)
  await listening(port, child)
  await listening(countsPort, child)
  return { port, counts: `http://127.0.0.1:${countsPort}/` }
}

function planOf(what: What, port: number, viewers: number): LowLatencyPlan {
  const origin = `http://127.0.0.1:${port}`
  const common = { viewers, timeoutMs: TIMEOUT_MS }
  if (what === 'll-dash') {
    const url = `${origin}/ll/dash/360p/`
    return { ...common, viewers: dashViewers(viewers), kind: 'll-dash', url, segments: SEGMENTS }
  }
  const fetches = what === 'll-hls, part when hinted at' ? 'hinted' : 'announced'
  const url = `${origin}/ll/parts/360p.m3u8`
  return { ...common, kind: 'll-hls', url, parts: PARTS, fetches, wantsDelta: false }
}

/** Half as many, as the bounds are said for 1,000 and 500. */
function dashViewers(viewers: number): number {
  return Math.ceil(viewers / 2)
}

async function measure(plan: LowLatencyPlan, counts: string): Promise<Measured> {
  await (await fetch(counts)).text()
  const args = [program('low-latency-viewers.ts'), JSON.stringify(plan)]
  const seen: LowLatencySeen = JSON.parse(await output('others', process.execPath, args, 2 * TIMEOUT_MS))
  const asked = new Map<string, number>(Object.entries(JSON.parse(await (await fetch(counts)).text())))
  const count = (pattern: RegExp): Asked => {
    const named = seen.targets.filter((target) => pattern.test(target))
    return { named: named.length, asked: named.reduce((sum, target) => sum + (asked.get(target) ?? 0), 0) }
  }
  return {
    parts: delaysOf(seen.delayMs),
    playlists: delaysOf(seen.playlistDelayMs),
    failures: seen.failures.length,
    media: count(/\.m4s$/),
    reloads: count(/_HLS_msn=/),
    busyShare: seen.busyShare,
  }
}

function delaysOf(values: readonly number[]): Delays {
  return { p50: percentile(values, 0.5), p99: percentile(values, 0.99) }
}

/** Medians of rounds for what one round in three may say of the machine alone; all of them for what may never be. */
function inAll(rounds: readonly Measured[]): Measured {
  const of = (value: (round: Measured) => number): number => median(rounds.map(value))
  const sum = (value: (round: Measured) => number): number =>
    rounds.reduce((total, round) => total + value(round), 0)
  return {
    parts: { p50: of(({ parts }) => parts.p50), p99: of(({ parts }) => parts.p99) },
    playlists: { p50: of(({ playlists }) => playlists.p50), p99: of(({ playlists }) => playlists.p99) },
    failures: sum(({ failures }) => failures),
    media: { asked: sum(({ media }) => media.asked), named: sum(({ media }) => media.named) },
    reloads: { asked: sum(({ reloads }) => reloads.asked), named: sum(({ reloads }) => reloads.named) },
    busyShare: of(({ busyShare }) => busyShare),
  }
}

function figuresOf(rounds: readonly Measured[]): (string | number)[] {
  const { parts, playlists, media, reloads, failures, busyShare } = inAll(rounds)
  return [
    parts.p50,
    parts.p99,
    reloads.named === 0 ? '' : playlists.p50,
    reloads.named === 0 ? '' : playlists.p99,
    media.asked / media.named,
    reloads.named === 0 ? '' : reloads.asked / reloads.named,
    String(failures),
    busyShare * 100,
  ]
}

function boundsOf(what: What, ours: readonly Measured[], theirs: readonly Measured[]): Bound[] {
  const { media, reloads, parts, failures } = inAll(ours)
  const name = what === 'll-dash' ? 'segment' : 'part'
  const bounds: Bound[] = [
    { law: `${what}: viewers who failed`, measured: failures, most: 0, unit: '' },
    { law: `${what}: origin requests a ${name}`, measured: media.asked / media.named, most: 1, unit: '' },
  ]
  if (reloads.named > 0) {
    const measured = reloads.asked / reloads.named
    bounds.push({ law: `${what}: blocking requests a part`, measured, most: 1.1, unit: '' })
  }
  for (const share of ['p50', 'p99'] as const) {
    bounds.push({
      law: `${what}: delay ${share}, beside Varnish`,
      measured: parts[share],
      most: Math.round(inAll(theirs).parts[share] * 10) / 10,
      unit: 'ms',
    })
  }
  return bounds
}
