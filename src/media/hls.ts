/** Facts from HLS playlists. */
import { type Manifest, Parser } from 'm3u8-parser'
import type { BadManifest, HlsMediaFacts, HlsMultivariantFacts } from './facts.ts'
import { whatCame } from './what-came.ts'

/**
 * The tags that the facts are made of, and none else are parsed: the parser's own time for an attribute list that is
 * none grows with the square of its length, and most of a long playlist is not asked for here.
 */
const PLAIN_TAGS = /^#(?:EXTINF|EXT-X-(?:TARGETDURATION|MEDIA-SEQUENCE|PLAYLIST-TYPE|ENDLIST))(?::|\s*$)/
const LIST_TAGS = /^#EXT-X-(?:PART-INF|SERVER-CONTROL|SKIP):(.*)$/
/** RFC 8216 section 4.2; each character is looked at once. The parser throws at a list with an empty place. */
const ATTRIBUTE_LIST = /^[A-Za-z0-9-]+=(?:"[^"]*"|[^",\s]+)(?:, ?[A-Za-z0-9-]+=(?:"[^"]*"|[^",\s]+))*$/

const VARIANT_TAGS = /^#EXT-X-(?:STREAM-INF|I-FRAME-STREAM-INF):/
/** RFC 8216 section 4.3.4: any of these makes a playlist multivariant. */
const MULTIVARIANT_TAGS =
  /^#EXT-X-(?:STREAM-INF|I-FRAME-STREAM-INF|MEDIA|SESSION-DATA|SESSION-KEY|CONTENT-STEERING):/
/** RFC 8216 sections 4.3.2 and 4.3.3: any of these makes it a media playlist. */
const MEDIA_TAGS =
  /^#(?:EXTINF|EXT-X-(?:TARGETDURATION|MEDIA-SEQUENCE|PLAYLIST-TYPE|ENDLIST|PART-INF|PART|SKIP))(?::|\s*$)/

/** Longer than any tag that the facts are made of. */
const LONGEST_TAG = 4096

export type HlsFacts = HlsMultivariantFacts | HlsMediaFacts

/** Never throws. The parser takes nearly anything for a playlist, so the form is checked here. */
export function readHls(text: string): HlsFacts | BadManifest {
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/)
  if (lines[0]?.trimEnd() !== '#EXTM3U') {
    return { bad: `expected #EXTM3U as the first line of a playlist, came ${whatCame(text)}` }
  }
  const isMultivariant = lines.some((line) => MULTIVARIANT_TAGS.test(line))
  const isMedia = lines.some((line) => MEDIA_TAGS.test(line))
  if (isMultivariant && isMedia) {
    return { bad: 'expected a multivariant or a media playlist, came the tags of both' }
  }
  if (isMultivariant) {
    return {
      protocol: 'hls',
      role: 'multivariant',
      variants: lines.filter((line) => VARIANT_TAGS.test(line)).length,
    }
  }
  if (!isMedia) return { bad: 'expected a multivariant or a media playlist, came the tags of neither' }
  return readMedia(lines)
}

function readMedia(lines: readonly string[]): HlsMediaFacts | BadManifest {
  const parser = new Parser()
  let isSegmentOpen = false
  try {
    for (const line of lines) {
      if (isWantedTag(line)) {
        if (line.startsWith('#EXTINF')) isSegmentOpen = true
        parser.push(`${line}\n`)
      } else if (isSegmentOpen && line.trim() !== '' && !line.startsWith('#')) {
        // That there is an address is a fact; the address itself is none.
        parser.push('-\n')
        isSegmentOpen = false
      }
    }
    parser.end()
  } catch (error) {
    return { bad: `expected a media playlist, came one the parser refused: ${String(error)}` }
  }
  if (isSegmentOpen)
    return { bad: 'expected an address after the last #EXTINF, came the end of the playlist' }
  return factsOf(parser.manifest)
}

function isWantedTag(line: string): boolean {
  if (line.length > LONGEST_TAG) return false
  if (PLAIN_TAGS.test(line)) return true
  const list = LIST_TAGS.exec(line)?.[1]
  return list !== undefined && ATTRIBUTE_LIST.test(list.trim())
}

function factsOf(manifest: Manifest): HlsMediaFacts | BadManifest {
  const durations = manifest.segments.map((segment) => (segment.duration > 0 ? segment.duration * 1000 : 0))
  const listedMs = durations.reduce((sum, duration) => sum + duration, 0)
  const longestMs = durations.reduce((longest, duration) => Math.max(longest, duration), 0)
  // REQUIRED by RFC 8216 section 4.3.3.1, and yet left out by some; the longest segment is what it would say at least.
  const targetDurationMs = manifest.targetDuration
    ? manifest.targetDuration * 1000
    : Math.ceil(longestMs / 1000) * 1000
  if (!(targetDurationMs > 0 && Number.isFinite(listedMs))) {
    return { bad: 'expected a media playlist with EXT-X-TARGETDURATION or segments, came one without either' }
  }
  const skippedSegments = positive(manifest.skip?.skippedSegments) ?? 0
  const type = manifest.playlistType
  return {
    protocol: 'hls',
    role: 'media',
    live: manifest.endList !== true && type !== 'VOD',
    type: type === undefined ? undefined : type === 'VOD' ? 'vod' : 'event',
    targetDurationMs,
    partTargetMs: secondsToMs(manifest.partTargetDuration),
    windowMs: Math.round(listedMs + skippedSegments * targetDurationMs),
    segmentDurationMs: longestMs > 0 ? Math.round(longestMs) : undefined,
    mediaSequence: manifest.mediaSequence ?? 0,
    segments: manifest.segments.length,
    skippedSegments,
    canBlockReload: manifest.serverControl?.canBlockReload === true,
  }
}

function secondsToMs(seconds: unknown): number | undefined {
  const value = positive(seconds)
  return value === undefined ? undefined : Math.round(value * 1000)
}

function positive(value: unknown): number | undefined {
  const number = Number(value)
  return Number.isFinite(number) && number > 0 ? number : undefined
}
