/** The demo origin: a plain HTTP server with VOD, simulated live and a page that plays them, to stand behind Relais. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock, Instant } from '../rfc/heads.ts'
import { answer } from './answer.ts'
import type { FixtureFiles } from './fixture-files.ts'
import { readFixtureFiles, titleOf } from './fixture-files.ts'
import type { LiveSource } from './live-streams.ts'
import { liveResource } from './live-streams.ts'
import type { Alarm } from './low-latency/alarm.ts'
import { wallAlarm } from './low-latency/alarm.ts'
import { Encoder } from './low-latency/encoder.ts'
import type { Found } from './low-latency/low-latency-streams.ts'
import { LowLatencyStreams } from './low-latency/low-latency-streams.ts'
import type { Holding } from './low-latency/send.ts'
import { sendFound } from './low-latency/send.ts'
import type { PlayerScripts } from './player-scripts.ts'
import { readPlayerScripts } from './player-scripts.ts'
import { ALLOWED_METHODS, refuse, sendAnswer, sendPreflight, setDate } from './reply.ts'
import type { Resource } from './resource.ts'
import { makeResource } from './resource.ts'
import { DEMO_STREAMS } from './streams.ts'

export interface DemoOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly now: Clock
  /** Base address of the Relais in front, named on the page for those who came to the origin directly. */
  readonly relais?: string
  /** Waits for instants of `now`; needed with a clock that does not go on by itself. */
  readonly alarm?: Alarm
  /** How far the low-latency streams are made: `now`, unless their encoder is to have stopped or to lag. */
  readonly madeUntil?: Clock
  /** Told of each request as it comes, with its target as it was sent. */
  readonly onRequest?: (target: string) => void
}

export interface Demo {
  /** Without a slash at its end: the paths of DEMO_STREAMS follow it. */
  readonly url: string
  /** Ends open connections too. */
  close(): Promise<void>
}

interface DemoSite {
  /** Fixtures under /vod/, the page under /. */
  readonly files: FixtureFiles
  readonly live: LiveSource
  readonly lowLatency: LowLatencyStreams
  readonly holding: Holding
  readonly players: PlayerScripts
  readonly now: Clock
  readonly relais: string | undefined
}

/** The page's own files are written by hand and may change under the viewer; media and manifests say nothing. */
const PAGE_CACHE_CONTROL = 'no-cache'

/** Starts it; rejects when the fixtures are not there (as in the published package) or the port is taken. */
export async function startDemo(options: DemoOptions): Promise<Demo> {
  const [vod, page, players] = await Promise.all([
    readFixtureFiles(new URL('../../fixtures/', import.meta.url), '/vod/'),
    readFixtureFiles(new URL('./page/', import.meta.url), '/', PAGE_CACHE_CONTROL),
    readPlayerScripts(),
  ])
  const files = new Map([...vod, ...page])
  const folder = '/vod/bars/'
  const live = { files, folder, ...titleOf(files, `${folder}title.json`) }
  const { now, relais, alarm = wallAlarm(now), madeUntil = now, onRequest } = options
  const lowLatency = new LowLatencyStreams(live)
  const encoder = new Encoder({ now, alarm, madeUntil })
  const holding = { encoder, now, holdMs: lowLatency.holdMs }
  const site: DemoSite = { files, live, lowLatency, holding, players, now, relais }

  const server = createServer((request, response) => {
    onRequest?.(request.url ?? '')
    respond(site, request, response)
  })
  // Longer than a proxy keeps an idle connection: closing first would race with its next request.
  server.keepAliveTimeout = 75_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return {
    url: urlOf(server.address() as AddressInfo),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function urlOf({ address, family, port }: AddressInfo): string {
  if (address === '0.0.0.0' || address === '::') return `http://localhost:${port}`
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

function respond(site: DemoSite, request: IncomingMessage, response: ServerResponse): void {
  const { method = '', url = '' } = request
  const now = site.now()
  setDate(response, now)
  if (method === 'OPTIONS') {
    sendPreflight(response)
    return
  }
  if (method !== 'GET' && method !== 'HEAD') {
    refuse(response, method, 405, 'Only GET, HEAD and OPTIONS are answered here.', { allow: ALLOWED_METHODS })
    return
  }
  const path = pathOf(url)
  const resource = path === undefined ? undefined : find(site, path, now)
  if (resource !== undefined) {
    sendAnswer(response, method, answer(resource, method, request.headers))
    return
  }
  const found = path === undefined ? undefined : findLowLatency(site, path, url)
  if (found !== undefined) {
    void sendFound(found, site.holding, request, response)
    return
  }
  refuse(
    response,
    method,
    404,
    'There is nothing here: not a file, not yet, or no longer in the live window.',
  )
}

function findLowLatency({ lowLatency, holding }: DemoSite, path: string, target: string): Found | undefined {
  const [, query = ''] = target.split('?', 2)
  return lowLatency.find(path, query, holding.encoder.madeUntil())
}

/** The decoded path without its query; undefined when its escapes are broken. Lookups are exact, so dots mean nothing. */
function pathOf(target: string): string | undefined {
  try {
    return decodeURIComponent(target.split('?', 1)[0] ?? '')
  } catch {
    // A malformed escape names no file.
    return undefined
  }
}

function find(site: DemoSite, path: string, now: Instant): Resource | undefined {
  switch (path) {
    case '/':
      return site.files.get('/index.html')
    case '/player/hls.js':
      return site.players.hls
    case '/player/dash.js':
      return site.players.dash
    case '/player/shaka.js':
      return site.players.shaka
    case '/streams.json':
      return streamsResource(site, now)
    case '/live/time':
      // A stored time would be wrong the moment it is served: players set their clock by it.
      return makeResource('time.txt', new TextEncoder().encode(new Date(now).toISOString()), now, 'no-store')
    default:
      return site.files.get(path) ?? liveResource(site.live, path, now)
  }
}

/** What the page needs to know and cannot, being static. */
function streamsResource({ players, relais }: DemoSite, now: Instant): Resource {
  const installed = {
    hls: players.hls !== undefined,
    dash: players.dash !== undefined,
    shaka: players.shaka !== undefined,
  }
  const text = JSON.stringify({ streams: DEMO_STREAMS, players: installed, relais })
  return makeResource('streams.json', new TextEncoder().encode(text), now, PAGE_CACHE_CONTROL)
}
