/** Facts from HLS playlists. */
import type { BadManifest, HlsMediaFacts, HlsMultivariantFacts } from './facts.ts'
import { readMedia } from './hls-media.ts'
import { readMultivariant } from './hls-multivariant.ts'
import { type Scan, Scanner } from './hls-scan.ts'
import { whatCame } from './what-came.ts'

/** RFC 8216 section 4.3.4: one of these makes a playlist multivariant. */
const MULTIVARIANT_TAGS: ReadonlySet<string> = new Set([
  '#EXT-X-STREAM-INF',
  '#EXT-X-I-FRAME-STREAM-INF',
  '#EXT-X-MEDIA',
  '#EXT-X-SESSION-DATA',
  '#EXT-X-SESSION-KEY',
  '#EXT-X-CONTENT-STEERING',
])
/** RFC 8216 sections 4.3.2 and 4.3.3: one of these makes it a media playlist. */
const MEDIA_TAGS: ReadonlySet<string> = new Set([
  '#EXT-X-TARGETDURATION',
  '#EXT-X-MEDIA-SEQUENCE',
  '#EXT-X-PLAYLIST-TYPE',
  '#EXT-X-ENDLIST',
  '#EXT-X-PART-INF',
  '#EXT-X-PART',
  '#EXT-X-SKIP',
])

const HASH = 0x23
const SPACE = 0x20

/** Longer than any name of a tag. */
const LONGEST_NAME = 64

export type HlsFacts = HlsMultivariantFacts | HlsMediaFacts

/** Never throws. Looks at each line once, so that a playlist of ten thousand segments holds nobody up. */
export function readHls(text: string): HlsFacts | BadManifest {
  const start = text.startsWith('\ufeff') ? 1 : 0
  const firstEnd = lineEnd(text, start)
  if (text.slice(start, Math.min(firstEnd, start + LONGEST_NAME)).trimEnd() !== '#EXTM3U') {
    return { bad: `expected #EXTM3U as the first line of a playlist, came ${whatCame(text)}` }
  }
  const scanner = new Scanner()
  const multivariant: string[] = []
  let isMedia = false
  let isMultivariant = false
  for (let at = firstEnd + 1; at < text.length; ) {
    const start = at
    const end = lineEnd(text, start)
    at = end + 1
    if (text.charCodeAt(start) !== HASH) {
      const address = trimmed(text, start, end)
      if (address === '') continue
      scanner.address(address)
      if (isMultivariant) multivariant.push(address)
    } else if (text.startsWith('#EXTINF:', start)) {
      // This tag and the next are most of a long playlist.
      isMedia = true
      scanner.duration(text, start + 8, end)
    } else if (text.startsWith('#EXT-X-PROGRAM-DATE-TIME:', start)) {
      scanner.dateTime(text, start + 25, end)
    } else if (text.startsWith('#EXT', start)) {
      const line = trimmed(text, start, end)
      const name = nameOf(line)
      if (MULTIVARIANT_TAGS.has(name)) {
        isMultivariant = true
        multivariant.push(line)
      } else {
        isMedia ||= MEDIA_TAGS.has(name)
        scanner.tag(name, line)
      }
    }
  }
  return judge(scanner, isMedia, isMultivariant ? multivariant : undefined)
}

function judge(
  scan: Scan,
  isMedia: boolean,
  multivariant: readonly string[] | undefined,
): HlsFacts | BadManifest {
  if (multivariant !== undefined && isMedia) {
    return { bad: 'expected a multivariant or a media playlist, came the tags of both' }
  }
  if (multivariant !== undefined) return readMultivariant(multivariant)
  if (!isMedia) return { bad: 'expected a multivariant or a media playlist, came the tags of neither' }
  return readMedia(scan)
}

/** Where the line feed is, or the end of the text. */
function lineEnd(text: string, start: number): number {
  const end = text.indexOf('\n', start)
  return end === -1 ? text.length : end
}

/** Most lines have nothing to trim, and are not looked through to find out. */
function trimmed(text: string, start: number, end: number): string {
  const isClean = text.charCodeAt(start) > SPACE && text.charCodeAt(end - 1) > SPACE
  return isClean ? text.slice(start, end) : text.slice(start, end).trim()
}

function nameOf(line: string): string {
  const colon = line.indexOf(':')
  const end = colon === -1 ? line.length : colon
  return end > LONGEST_NAME ? '' : line.slice(0, end)
}
