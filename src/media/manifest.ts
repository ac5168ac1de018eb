/** Reads a manifest of either protocol. */
import { readDash } from './dash.ts'
import type { BadManifest, ManifestFacts } from './facts.ts'
import { readHls } from './hls.ts'
import { isManifest, type ManifestKind, type MediaKind } from './kind.ts'

/**
 * The facts of a whole manifest body, decompressed. Never throws; takes time in proportion to the body, so once for
 * each fetched version and never for each request.
 */
export function readManifest(kind: MediaKind, body: Uint8Array): ManifestFacts | BadManifest {
  if (!isManifest(kind)) return { bad: `expected a kind of manifest, came "${kind}"` }
  if (body[0] === 0x1f && body[1] === 0x8b) return { bad: 'expected text, came bytes compressed with gzip' }
  return readManifestText(kind, new TextDecoder().decode(body))
}

/** The same of its text. A byte order mark, which RFC 8216 section 4.1 forbids and some packagers write, is looked over. */
export function readManifestText(kind: ManifestKind, text: string): ManifestFacts | BadManifest {
  const whole = text.startsWith('\ufeff') ? text.slice(1) : text
  switch (kind) {
    case 'hls-playlist':
      return readHls(whole)
    case 'dash-mpd':
      return readDash(whole, 'MPD')
    case 'dash-patch':
      return readDash(whole, 'Patch')
  }
}
