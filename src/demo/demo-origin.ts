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
import type { PlayerScripts } from './player-scripts.ts'
import { readPlayerScripts } from './player-scripts.ts'
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
  readonly players: PlayerScripts
  readonly now: Clock
  readonly relais: string | undefined
}

/** The page's own files are written by hand and may change under the viewer; media and manifests say nothing. */
const PAGE_CACHE_CONTROL = 'no-cache'

const ALLOWED_METHODS = 'GET, HEAD, OPTIONS'

const CORS: Readonly<Record<string, string>> = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Age, Date, Content-Length, Content-Range, ETag, Cache-Status',
}

const PREFLIGHT: Readonly<Record<string, string>> = {
  'access-control-allow-methods': ALLOWED_METHODS,
  'access-control-allow-headers':
    'Range, If-Range, If-None-Match, If-Modified-Since, CMCD-Request, CMCD-Object, CMCD-Status, CMCD-Session',
  'access-control-max-age': '86400',
}

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
  const site: DemoSite = { files, live, players, now: options.now, relais: options.relais }

  const server = createServer((request, response) => respond(site, request, response))
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
  // The clock handed in is the only one: UTCTiming, Date and the live edge must agree.
  response.sendDate = false
  response.setHeader('date', new Date(now).toUTCString())
  if (method === 'OPTIONS') {
    response.writeHead(204, { ...CORS, ...PREFLIGHT }).end()
    return
  }
  if (method !== 'GET' && method !== 'HEAD') {
    refuse(response, method, 405, 'Only GET, HEAD and OPTIONS are answered here.', { allow: ALLOWED_METHODS })
    return
  }
  const path = pathOf(url)
  const resource = path === undefined ? undefined : find(site, path, now)
  if (resource === undefined) {
    refuse(
      response,
      method,
      404,
      'There is nothing here: not a file, not yet, or no longer in the live window.',
    )
    return
  }
  const { status, fields, body } = answer(resource, method, request.headers)
  response.writeHead(status, { ...CORS, ...fields }).end(method === 'HEAD' ? undefined : body)
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
  const installed = { hls: players.hls !== undefined, dash: players.dash !== undefined }
  const text = JSON.stringify({ streams: DEMO_STREAMS, players: installed, relais })
  return makeResource('streams.json', new TextEncoder().encode(text), now, PAGE_CACHE_CONTROL)
}

function refuse(
  response: ServerResponse,
  method: string,
  status: number,
  message: string,
  fields: Readonly<Record<string, string>> = {},
): void {
  const body = `${message}\n`
  response
    .writeHead(status, {
      ...CORS,
      ...fields,
      'content-type': 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(body),
    })
    .end(method === 'HEAD' ? undefined : body)
}
