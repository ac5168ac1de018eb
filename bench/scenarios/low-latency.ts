/** Low latency: how often the origin is asked for each part, and how much later than it is made a part reaches its viewers. */
import { freePort, listening, output } from '../lib/ground.ts'
import type { LowLatencyPlan, LowLatencySeen } from '../lib/low-latency-plans.ts'
import type { Bound, Report } from '../lib/report.ts'
import { onStage, program, type Stage } from '../lib/stage.ts'
import { percentile } from '../lib/statistics.ts'
import { otherRelais, relais } from '../peers/relais.ts'
import { varnishWith } from '../peers/varnish.ts'

const TIMEOUT_MS = 90_000
/** Five parts make a segment of two seconds. */
const PARTS = 25
const SEGMENTS = 5
/** Of each peer; the first of all warms up. */
const ROUNDS = 2

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

interface Measured {
  readonly delayMs: number[]
  readonly playlistDelayMs: number[]
  readonly failures: string[]
  /** Requests to the origin for media and for playlists that it holds, and how many different ones viewers asked for. */
  readonly media: { asked: number; named: number }
  readonly reloads: { asked: number; named: number }
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
      const measured = new Map<string, Measured>(cast.map(({ name }) => [name, nothing()]))
      for (let round = 0; round <= ROUNDS; round++) {
        for (const { name, port } of cast) {
          const seen = await measure(planOf(what, port, viewers), origin.counts)
          const total = measured.get(name)
          if (round > 0 && total !== undefined) add(total, seen)
        }
      }
      for (const [name, one] of measured) rows.push([what, name, ...figuresOf(one)])
      bounds.push(
        ...boundsOf(what, measured.get('Relais') ?? nothing(), measured.get('Varnish') ?? nothing()),
      )
    }
    return {
      scenario: 'low-latency',
      how:
        `${viewers} viewers of one rendition of the demo's low-latency streams (parts of 0.4 s), ${ROUNDS} rounds of ten seconds each after one ` +
        'that warms up. HLS viewers reload with _HLS_msn and _HLS_part and fetch each part, DASH viewers ask for each segment as it begins. ' +
        'Milliseconds from the instant at which a part or chunk is made to its last byte at the viewer; the time in which one process ' +
        'reads for all viewers is in it.',
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
  if (what === 'll-dash')
    return { ...common, kind: 'll-dash', url: `${origin}/ll/dash/360p/`, segments: SEGMENTS }
  const fetches = what === 'll-hls, part when hinted at' ? 'hinted' : 'announced'
  const url = `${origin}/ll/parts/360p.m3u8`
  return { ...common, kind: 'll-hls', url, parts: PARTS, fetches, wantsDelta: false }
}

async function measure(plan: LowLatencyPlan, counts: string): Promise<Measured> {
  await (await fetch(counts)).text()
  const args = [program('low-latency-viewers.ts'), JSON.stringify(plan)]
  const seen: LowLatencySeen = JSON.parse(await output('others', process.execPath, args, 2 * TIMEOUT_MS))
  const asked = new Map<string, number>(Object.entries(JSON.parse(await (await fetch(counts)).text())))
  const count = (pattern: RegExp): Measured['media'] => {
    const named = seen.targets.filter((target) => pattern.test(target))
    return { named: named.length, asked: named.reduce((sum, target) => sum + (asked.get(target) ?? 0), 0) }
  }
  return {
    delayMs: [...seen.delayMs],
    playlistDelayMs: [...seen.playlistDelayMs],
    failures: [...seen.failures],
    media: count(/\.m4s$/),
    reloads: count(/_HLS_msn=/),
  }
}

function nothing(): Measured {
  const none = { asked: 0, named: 0 }
  return { delayMs: [], playlistDelayMs: [], failures: [], media: { ...none }, reloads: { ...none } }
}

function add(total: Measured, more: Measured): void {
  for (const delay of more.delayMs) total.delayMs.push(delay)
  for (const delay of more.playlistDelayMs) total.playlistDelayMs.push(delay)
  total.failures.push(...more.failures)
  for (const what of ['media', 'reloads'] as const) {
    total[what].asked += more[what].asked
    total[what].named += more[what].named
  }
}

function figuresOf({ delayMs, playlistDelayMs, media, reloads, failures }: Measured): (string | number)[] {
  return [
    percentile(delayMs, 0.5),
    percentile(delayMs, 0.99),
    playlistDelayMs.length === 0 ? '' : percentile(playlistDelayMs, 0.5),
    playlistDelayMs.length === 0 ? '' : percentile(playlistDelayMs, 0.99),
    media.asked / media.named,
    reloads.named === 0 ? '' : reloads.asked / reloads.named,
    String(failures.length),
  ]
}

function boundsOf(what: What, ours: Measured, theirs: Measured): Bound[] {
  const { media, reloads, delayMs } = ours
  const name = what === 'll-dash' ? 'segment' : 'part'
  const bounds: Bound[] = [
    { law: `${what}: viewers who failed`, measured: ours.failures.length, most: 0, unit: '' },
    { law: `${what}: origin requests a ${name}`, measured: media.asked / media.named, most: 1, unit: '' },
  ]
  if (reloads.named > 0) {
    const measured = reloads.asked / reloads.named
    bounds.push({ law: `${what}: blocking requests a part`, measured, most: 1.1, unit: '' })
  }
  for (const share of [0.5, 0.99]) {
    bounds.push({
      law: `${what}: delay p${share * 100}, beside Varnish`,
      measured: percentile(delayMs, share),
      most: Math.round(percentile(theirs.delayMs, share) * 10) / 10,
      unit: 'ms',
    })
  }
  return bounds
}
