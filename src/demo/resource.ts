/** One representation that the demo origin can send: bytes and what HTTP says of them. */
import { hash } from 'node:crypto'
import type { Instant } from '../rfc/heads.ts'

export interface Resource {
  readonly type: string
  readonly bytes: Uint8Array
  /** Strong: made of the bytes, so equal at every demo origin. */
  readonly etag: string
  readonly lastModifiedAt: Instant
  /** Undefined for media and manifests: an origin that is silent lets Relais show its own lifetimes. */
  readonly cacheControl: string | undefined
}

export function makeResource(
  path: string,
  bytes: Uint8Array,
  lastModifiedAt: Instant,
  cacheControl?: string,
): Resource {
  const etag = `"${hash('sha1', bytes, 'hex').slice(0, 20)}"`
  return { type: typeOf(path), bytes, etag, lastModifiedAt, cacheControl }
}

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  m3u8: 'application/vnd.apple.mpegurl',
  m4s: 'video/iso.segment',
  md: 'text/markdown; charset=utf-8',
  mp4: 'video/mp4',
  mpd: 'application/dash+xml',
  mpp: 'application/dash-patch+xml',
  ts: 'video/mp2t',
  txt: 'text/plain; charset=utf-8',
  vtt: 'text/vtt; charset=utf-8',
}

/** What it is by the end of its path. */
export function typeOf(path: string): string {
  if (/\baudio\b.*\.(m4s|mp4)$/.test(path)) return 'audio/mp4'
  return TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
}
