/** What kind of thing a response is: judged by its path, then by its Content-Type, then by its first bytes. */
import { kindOfBytes } from './first-bytes.ts'

/**
 * - `segment`: a piece of a stream, HLS parts among it.
 * - `init`: what a player needs before the first segment (EXT-X-MAP, Initialization).
 * - `text`: WebVTT and TTML, whole or in segments.
 * - `key`: keys and licences.
 * - `dash-fragment`: what an xlink:href of an MPD leads to, such as remote Periods: no MPD, and no facts of a stream.
 * - `steering`: content steering manifests. `asset-list`: the JSON behind X-ASSET-LIST, known only by who names it.
 * - `progressive`: a media file that is not a piece of a stream by its looks, such as a whole .mp4.
 * - `other`: nothing that HLS or DASH speak of; clocks (UTCTiming) and error pages are among it.
 */
export type MediaKind =
  | 'hls-playlist'
  | 'dash-mpd'
  | 'dash-patch'
  | 'dash-fragment'
  | 'segment'
  | 'init'
  | 'text'
  | 'key'
  | 'steering'
  | 'asset-list'
  | 'progressive'
  | 'other'

/** What tells of a stream. */
export type ManifestKind = 'hls-playlist' | 'dash-mpd' | 'dash-patch'

/** What is taken whole before anyone sees it, for the addresses in it. */
export type DocumentKind = ManifestKind | 'dash-fragment' | 'steering' | 'asset-list'

/** `file`: a segment, an init or a whole file, as the rest of its name says. */
const KIND_OF_ENDING: ReadonlyMap<string, MediaKind | 'file'> = new Map([
  ...every('hls-playlist', 'm3u8 m3u'),
  ...every('dash-mpd', 'mpd'),
  ...every('dash-patch', 'mpp'),
  ...every('segment', 'ts m2ts mts mp2t m4s m4f cmfv cmfa cmft cmfm aac ac3 ec3 dash'),
  ...every('file', 'mp4 m4v m4a webm mp3 mov mkv ogg oga ogv opus flac wav avi flv m4b 3gp'),
  ...every('text', 'vtt webvtt ttml dfxp stpp srt'),
  ...every('key', 'key lic'),
  ...every('steering', 'dcsm'),
])

const KIND_OF_TYPE: ReadonlyMap<string, MediaKind> = new Map([
  // RFC 8216 section 4 names the first two; the others are what servers send.
  ...every(
    'hls-playlist',
    'application/vnd.apple.mpegurl audio/mpegurl application/x-mpegurl audio/x-mpegurl application/mpegurl video/mpegurl',
  ),
  ...every('dash-mpd', 'application/dash+xml'),
  ...every('dash-patch', 'application/dash-patch+xml'),
  ...every('segment', 'video/mp2t video/iso.segment audio/iso.segment application/iso.segment audio/aac'),
  ...every(
    'progressive',
    'video/mp4 audio/mp4 application/mp4 video/webm audio/webm video/quicktime audio/mpeg',
  ),
  ...every('text', 'text/vtt application/ttml+xml'),
  ...every('steering', 'application/vnd.apple.steering-list'),
])

/** A page where media was asked for: an error, a login, a notice, whatever its status says. */
const PAGES: ReadonlySet<string> = new Set(['text/html', 'application/xhtml+xml', 'application/json'])

/** Types that say nothing, so that a body without a telling name may still be a manifest. */
const VAGUE_TYPES: ReadonlySet<string> = new Set([
  '',
  'text/plain',
  'text/xml',
  'application/xml',
  'application/octet-stream',
  'binary/octet-stream',
])

const INIT_NAME = /(?:^|[-_.])init(?:$|[-_.0-9])|^header[-_.]|[-_]header\./
// Digits alone tell little (movie_1080.mp4), so they need the word, five in a row, or the whole name. A row is looked at
// from its first digit on alone: names are as long as viewers like.
const SEGMENT_NAME =
  /(?:^|[-_.])(?:file)?(?:seg|segment|chunk|frag|fragment|part|sequence)[-_.]?[a-z]*[-_.]?[0-9]|(?<![0-9])[0-9]{5,}\.|^[0-9]+\./
const KEY_NAME = /^(?:get)?(?:keys?|licen[cs]e)$/
const STEERING_NAME = /(?:^|[-_.])steer(?:ing)?(?:$|[-_.])/

/** The kind of what `target` (path and query, as in a request) names; cheap enough for every request. */
export function kindOf(target: string, contentType?: string, firstBytes?: Uint8Array): MediaKind {
  const type = mediaTypeOf(contentType)
  const byType = KIND_OF_TYPE.get(type)
  if (byType !== undefined && isManifest(byType)) return byType
  const byPath = kindOfPath(target)
  switch (byPath) {
    case undefined:
      break
    case 'segment':
    case 'init':
    case 'text':
      return PAGES.has(type) ? 'other' : byPath
    case 'progressive':
      if (PAGES.has(type)) return 'other'
      return wholeOrPiece(firstBytes)
    case 'hls-playlist':
    case 'dash-mpd':
    case 'dash-patch':
    case 'dash-fragment':
    case 'key':
    case 'steering':
    case 'asset-list':
    case 'other':
      return byPath
  }
  if (byType === 'progressive') return wholeOrPiece(firstBytes)
  if (byType !== undefined) return byType
  return (firstBytes === undefined || PAGES.has(type) ? undefined : kindOfBytes(firstBytes)) ?? 'other'
}

/** Whether a kind is one that readManifest reads. */
export function isManifest(kind: MediaKind): kind is ManifestKind {
  return kind === 'hls-playlist' || kind === 'dash-mpd' || kind === 'dash-patch'
}

/**
 * What a response is taken whole as, for the addresses in it; undefined: it is not. `named` is what a manifest has called
 * it. A path alone makes no steering manifest: pages about steering have such names as well.
 */
export function documentOf(
  kind: MediaKind,
  contentType: string | undefined,
  named: 'steering' | 'asset-list' | undefined,
): DocumentKind | undefined {
  if (isManifest(kind) || kind === 'dash-fragment') return kind
  // What is media by its name or type no manifest can make a text of, whosever it is.
  if (named !== undefined && (kind === 'other' || kind === named)) return named
  if (kind !== 'steering') return undefined
  const type = mediaTypeOf(contentType)
  return type === 'application/json' || KIND_OF_TYPE.get(type) === 'steering' ? kind : undefined
}

/**
 * Whether a response may turn out to be a manifest: by name or type it is one, or neither says anything and the first
 * bytes have to tell.
 */
export function mayBeManifest(target: string, contentType?: string): boolean {
  const kind = kindOf(target, contentType)
  return isManifest(kind) || (kind === 'other' && VAGUE_TYPES.has(mediaTypeOf(contentType)))
}

/** Undefined: the path does not say. */
function kindOfPath(target: string): MediaKind | undefined {
  const query = target.indexOf('?')
  const path = query === -1 ? target : target.slice(0, query)
  const file = path.slice(path.lastIndexOf('/') + 1)
  const parameters = file.indexOf(';')
  const name = (parameters === -1 ? file : file.slice(0, parameters)).toLowerCase()
  const kind = KIND_OF_ENDING.get(name.slice(name.lastIndexOf('.') + 1))
  if (kind === undefined || !name.includes('.')) return kindOfBareName(name)
  if (kind !== 'file' && kind !== 'segment') return kind
  if (INIT_NAME.test(name)) return 'init'
  return kind === 'segment' || SEGMENT_NAME.test(name) ? 'segment' : 'progressive'
}

function kindOfBareName(name: string): MediaKind | undefined {
  if (KEY_NAME.test(name)) return 'key'
  return STEERING_NAME.test(name) ? 'steering' : undefined
}

/** A media file's first bytes may tell that it is a piece of a stream after all. */
function wholeOrPiece(firstBytes: Uint8Array | undefined): MediaKind {
  const kind = firstBytes === undefined ? undefined : kindOfBytes(firstBytes)
  return kind === 'segment' || kind === 'init' ? kind : 'progressive'
}

/** The type without its parameters, in lower case; '' when there is none. */
function mediaTypeOf(contentType: string | undefined): string {
  if (contentType === undefined) return ''
  const parameters = contentType.indexOf(';')
  return (parameters === -1 ? contentType : contentType.slice(0, parameters)).trim().toLowerCase()
}

function every<Kind extends string>(kind: Kind, names: string): [string, Kind][] {
  return names.split(' ').map((name) => [name, kind])
}
