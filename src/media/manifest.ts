/** Reads a manifest of either protocol. */
import { readDash } from './dash.ts'
import type { BadManifest, ManifestFacts } from './facts.ts'
import { readHls } from './hls.ts'
import type { MediaKind } from './kind.ts'

/**
 * The facts of a whole manifest body, decompressed. Never throws; takes time in proportion to the body, so once for
 * each fetched version and never for each request.
 */
export function readManifest(kind: MediaKind, body: Uint8Array): ManifestFacts | BadManifest {
  if (kind !== 'hls-playlist' && kind !== 'dash-mpd' && kind !== 'dash-patch') {
    return { bad: `expected a kind of manifest, came "${kind}"` }
  }
  if (body[0] === 0x1f && body[1] === 0x8b) return { bad: 'expected text, came bytes compressed with gzip' }
  // Drops a byte order mark, which RFC 8216 section 4.1 forbids and some packagers write.
  const text = new TextDecoder().decode(body)
  switch (kind) {
    case 'hls-playlist':
      return readHls(text)
    case 'dash-mpd':
      return readDash(text, 'MPD')
    case 'dash-patch':
      return readDash(text, 'Patch')
  }
}
