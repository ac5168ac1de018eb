/** Delta updates of HLS playlists (EXT-X-SKIP), made from the whole one (RFC 8216bis section 6.2.5.1). */
import { attributesOf, numberOf } from './attributes.ts'

/** Of target durations: what a server must at least leave unskipped (section 4.4.3.8). */
const LEAST_UNSKIPPED = 6
/** EXT-X-SKIP came with it (section 8). */
const VERSION = 9

/** Tags that belong to the segment after them (section 4.4.4), so that they go with it. */
const SEGMENT_TAGS: ReadonlySet<string> = new Set([
  '#EXT-X-BYTERANGE',
  '#EXT-X-DISCONTINUITY',
  '#EXT-X-KEY',
  '#EXT-X-MAP',
  '#EXT-X-GAP',
  '#EXT-X-BITRATE',
  '#EXT-X-PART',
])
/** Those that hold for all segments after them. */
const LASTING_TAGS: ReadonlySet<string> = new Set(['#EXT-X-KEY', '#EXT-X-MAP', '#EXT-X-BITRATE'])
/** Tags of the playlist, wherever they stand (sections 4.4.2, 4.4.3 and 4.4.5). */
const PLAYLIST_TAGS =
  /^#(?:EXTM3U|EXT-X-(?:VERSION|INDEPENDENT-SEGMENTS|START|DEFINE|TARGETDURATION|MEDIA-SEQUENCE|DISCONTINUITY-SEQUENCE|PLAYLIST-TYPE|I-FRAMES-ONLY|PART-INF|SERVER-CONTROL|DATERANGE|PRELOAD-HINT|RENDITION-REPORT|ENDLIST))$/

const HASH = 0x23

interface Tag {
  /** Up to the colon. */
  readonly name: string
  /** With its line end. */
  readonly line: string
  /** Offset in the text. */
  readonly start: number
  /** How many segments stand before it. */
  readonly segment: number
}

interface Playlist {
  readonly tags: readonly Tag[]
  /** Of each segment, in seconds. */
  readonly durations: readonly number[]
  /** Offset behind the address of each segment. */
  readonly ends: readonly number[]
  /** Offset of the first line that belongs to a segment; -1 without one. */
  readonly place: number
}

/**
 * The delta update of a whole live playlist; all that is not skipped stays byte for byte. Date ranges are never
 * skipped, so it answers `_HLS_skip=YES` and `v2` alike. Undefined: this playlist offers none, has ended, is a delta
 * update itself, or has nothing that may be skipped.
 */
export function deltaOf(text: string): string | undefined {
  const playlist = scan(text)
  const tags = new Map(playlist.tags.map(({ name, line }) => [name, listOf(line)]))
  const canSkipUntil = skipUntilOf(tags)
  if (canSkipUntil === undefined || tags.has('#EXT-X-ENDLIST') || tags.has('#EXT-X-SKIP')) return undefined
  const segments = skippable(playlist.durations, canSkipUntil)
  const end = playlist.ends[segments - 1]
  return end === undefined ? undefined : skip(text, playlist, segments, end)
}

/** In seconds; undefined when it is not said, or less than may be said. */
function skipUntilOf(tags: ReadonlyMap<string, string>): number | undefined {
  const target = numberOf(tags.get('#EXT-X-TARGETDURATION'))
  const seconds = numberOf(attributesOf(tags.get('#EXT-X-SERVER-CONTROL') ?? '').get('CAN-SKIP-UNTIL'))
  if (target === undefined || seconds === undefined) return undefined
  return seconds >= LEAST_UNSKIPPED * target ? seconds : undefined
}

/** How many segments lie wholly before the skip boundary. */
function skippable(durations: readonly number[], canSkipUntil: number): number {
  // Parts of a segment that is not whole yet are not counted, so that rather too little is skipped than too much.
  let after = 0
  for (let at = durations.length - 1; at >= 0; at--) {
    // Sums of decimals stray by less than a microsecond.
    if (after >= canSkipUntil - 1e-6) return at + 1
    after += durations[at] ?? 0
  }
  return 0
}

/** EXT-X-SKIP takes the place of the first tag that goes; all before and behind what is skipped stays. */
function skip(text: string, playlist: Playlist, segments: number, end: number): string {
  const { tags, place } = playlist
  const lineEnd = lineEndOf(text.slice(0, text.indexOf('\n') + 1)) || '\n'
  const within = tags.filter(({ start }) => start >= place && start < end)
  const version = tags.findLast(({ name }) => name === '#EXT-X-VERSION')
  return [
    versioned(text.slice(0, place), version, lineEnd),
    `#EXT-X-SKIP:SKIPPED-SEGMENTS=${segments}${lineEnd}`,
    // What stands between segments and is not known belongs to them, and goes with them.
    ...within.filter(({ name }) => PLAYLIST_TAGS.test(name)).map(({ line }) => line),
    // Players that join keys and maps to segments by where they stand would miss those of the skipped ones.
    ...lastingOf(within).map(({ line }) => line),
    text.slice(end),
  ].join('')
}

/** The tags that still hold behind the last of these. */
function lastingOf(tags: readonly Tag[]): readonly Tag[] {
  const lasting = tags.filter(({ name }) => LASTING_TAGS.has(name))
  const last = new Map(lasting.map((tag) => [tag.name, tag]))
  return lasting.filter((tag) => {
    // Keys that stand together hold together, each for a system of its own, and replace those before.
    return tag.name === '#EXT-X-KEY'
      ? tag.segment === last.get(tag.name)?.segment
      : tag === last.get(tag.name)
  })
}

function versioned(head: string, version: Tag | undefined, lineEnd: string): string {
  const tag = `#EXT-X-VERSION:${VERSION}${lineEnd}`
  if (version === undefined) {
    const first = head.indexOf('\n') + 1
    return head.slice(0, first) + tag + head.slice(first)
  }
  if ((numberOf(listOf(version.line)) ?? 0) >= VERSION || version.start >= head.length) return head
  return head.slice(0, version.start) + tag + head.slice(version.start + version.line.length)
}

/** One pass; tags that most segments have are counted and not kept. */
function scan(text: string): Playlist {
  const playlist = { tags: [] as Tag[], durations: [] as number[], ends: [] as number[], place: -1 }
  const { tags, durations, ends } = playlist
  let duration: number | undefined
  let end = 0
  for (let start = 0; start < text.length; start = end) {
    const feed = text.indexOf('\n', start)
    end = feed === -1 ? text.length : feed + 1
    let isOfSegment = true
    if (text.startsWith('#EXTINF:', start)) {
      const comma = text.indexOf(',', start)
      duration = Number.parseFloat(text.slice(start + 8, comma === -1 || comma > end ? end : comma))
    } else if (text.startsWith('#EXT', start)) {
      if (!text.startsWith('#EXT-X-PROGRAM-DATE-TIME:', start)) {
        const line = text.slice(start, end)
        const name = /^#[A-Z0-9-]*/.exec(line)?.[0] ?? ''
        tags.push({ name, line, start, segment: ends.length })
        isOfSegment = SEGMENT_TAGS.has(name)
      }
    } else if (text.charCodeAt(start) === HASH || text.slice(start, end).trim() === '') {
      continue
    } else if (duration !== undefined) {
      durations.push(duration > 0 ? duration : 0)
      ends.push(end)
      duration = undefined
    }
    if (isOfSegment && playlist.place === -1) playlist.place = start
  }
  return playlist
}

function listOf(line: string): string {
  return line.slice(line.indexOf(':') + 1).trim()
}

function lineEndOf(line: string): string {
  return line.endsWith('\r\n') ? '\r\n' : line.endsWith('\n') ? '\n' : ''
}
