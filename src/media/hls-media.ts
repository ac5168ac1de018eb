/** Facts from an HLS media playlist: the scan says what is long, the parser what is short. */
import { type Manifest, Parser } from 'm3u8-parser'
import type { ByteRange } from '../rfc/range.ts'
import { numberOf } from './attributes.ts'
import type { BadManifest, HlsMediaFacts } from './facts.ts'
import type { HlsPart, HlsSegment, Piece, PreloadHint, RenditionReport, ServerControl } from './hls-facts.ts'
import type { Scan, ScannedSegment } from './hls-scan.ts'
import { listingOf } from './listing.ts'

/**
 * Only these go to the parser, and only with lists that are whole: its own time for an attribute list that is none
 * grows with the square of its length, and it throws at a list with an empty place.
 */
const LIST_TAGS = /^#EXT-X-(?:PART-INF|SERVER-CONTROL|SKIP|MAP|PART|PRELOAD-HINT|RENDITION-REPORT):(.*)$/
/** RFC 8216 section 4.2; each character is looked at once. */
const ATTRIBUTE_LIST = /^[A-Za-z0-9-]+=(?:"[^"]*"|[^",\s]+)(?:, ?[A-Za-z0-9-]+=(?:"[^"]*"|[^",\s]+))*$/

/** Never throws. */
export function readMedia(scan: Scan): HlsMediaFacts | BadManifest {
  if (scan.isCutShort) {
    return { bad: 'expected an address after the last #EXTINF, came the end of the playlist' }
  }
  if (scan.isOverfull)
    return { bad: 'expected a segment with at most 1024 tags of its own, came one with more' }
  const parser = new Parser()
  try {
    for (const line of [...scan.once.values(), ...scan.tailLines]) {
      const list = LIST_TAGS.exec(line)?.[1]
      if (list === undefined ? !line.startsWith('#EXT-X-PART') : ATTRIBUTE_LIST.test(list))
        parser.push(`${line}\n`)
    }
    parser.end()
  } catch (error) {
    return { bad: `expected a media playlist, came one the parser refused: ${String(error)}` }
  }
  return factsOf(scan, parser.manifest)
}

function factsOf(scan: Scan, manifest: Manifest): HlsMediaFacts | BadManifest {
  const { listedMs, longestMs } = scan
  // REQUIRED by RFC 8216 section 4.3.3.1, and yet left out by some; the longest segment is what it would say at least.
  const targetDurationMs = manifest.targetDuration
    ? manifest.targetDuration * 1000
    : Math.ceil(longestMs / 1000) * 1000
  if (!(targetDurationMs > 0 && Number.isFinite(listedMs))) {
    return { bad: 'expected a media playlist with EXT-X-TARGETDURATION or segments, came one without either' }
  }
  const skippedSegments = Math.floor(positive(manifest.skip?.skippedSegments) ?? 0)
  const type = manifest.playlistType
  const mediaSequence = naturalOf(scan.once.get('#EXT-X-MEDIA-SEQUENCE'))
  const lastSequence = mediaSequence + skippedSegments + scan.segments - 1
  const control = controlOf(manifest)
  return {
    protocol: 'hls',
    role: 'media',
    live: manifest.endList !== true && type !== 'VOD',
    type: type === undefined ? undefined : type === 'VOD' ? 'vod' : 'event',
    targetDurationMs,
    partTargetMs: secondsToMs(manifest.partTargetDuration),
    windowMs: Math.round(listedMs + skippedSegments * targetDurationMs),
    segmentDurationMs: longestMs > 0 ? Math.round(longestMs) : undefined,
    mediaSequence,
    segments: scan.segments,
    skippedSegments,
    canBlockReload: control.canBlockReload,
    version: naturalOf(scan.once.get('#EXT-X-VERSION')) || 1,
    discontinuitySequence: naturalOf(scan.once.get('#EXT-X-DISCONTINUITY-SEQUENCE')),
    lastSequence,
    control,
    programDateTimeMs: scan.programDateTimeMs,
    listing: listingOf(scan.lines),
    // A copy: what was cut from a text keeps the whole of it in memory.
    ...structuredClone({
      tail: tailOf(scan.tail, manifest, lastSequence),
      openParts: partsOf(manifest.preloadSegment?.parts),
      hints: hintsOf(manifest.preloadSegment?.preloadHints),
      reports: reportsOf(manifest.renditionReports),
      assetLists: scan.assetLists,
    }),
  }
}

function tailOf(scanned: readonly ScannedSegment[], manifest: Manifest, lastSequence: number): HlsSegment[] {
  return scanned.map((segment, index) => {
    const parsed = manifest.segments[index]
    return {
      ...segment,
      sequence: lastSequence - scanned.length + 1 + index,
      map: parsed?.map === undefined ? undefined : pieceOf(parsed.map),
      parts: partsOf(parsed?.parts),
    }
  })
}

function partsOf(parts: readonly Readonly<Record<string, unknown>>[] | undefined): HlsPart[] {
  return (parts ?? []).flatMap((part) => {
    const piece = pieceOf(part)
    if (piece === undefined) return []
    const durationMs = (positive(part.duration) ?? 0) * 1000
    return [{ ...piece, durationMs, isGap: part.gap === true, isIndependent: part.independent === true }]
  })
}

function hintsOf(hints: readonly object[] | undefined): PreloadHint[] {
  return (hints ?? []).flatMap((hint) => {
    const [uri, type, byterange] = ['uri', 'type', 'byterange'].map((name): unknown =>
      Reflect.get(hint, name),
    )
    if (typeof uri !== 'string' || uri === '' || (type !== 'PART' && type !== 'MAP')) return []
    const [start, length] = [fieldOf(byterange, 'offset'), fieldOf(byterange, 'length')]
    return [{ type, address: uri, start: start ?? 0, length }]
  })
}

function reportsOf(reports: readonly Readonly<Record<string, unknown>>[] | undefined): RenditionReport[] {
  return (reports ?? []).flatMap((report) => {
    if (typeof report.uri !== 'string' || report.uri === '') return []
    const [lastSequence, lastPart] = [fieldOf(report, 'lastMsn'), fieldOf(report, 'lastPart')]
    return [{ address: report.uri, lastSequence, lastPart }]
  })
}

function controlOf(manifest: Manifest): ServerControl {
  const said = manifest.serverControl ?? {}
  return {
    canBlockReload: said.canBlockReload === true,
    canSkipUntilMs: secondsToMs(said.canSkipUntil),
    canSkipDateRanges: said.canSkipDateranges === true,
    holdBackMs: secondsToMs(said.holdBack),
    partHoldBackMs: secondsToMs(said.partHoldBack),
  }
}

function pieceOf(parsed: Readonly<Record<string, unknown>>): Piece | undefined {
  return typeof parsed.uri === 'string' && parsed.uri !== ''
    ? { address: parsed.uri, range: rangeOf(parsed.byterange) }
    : undefined
}

function rangeOf(byterange: unknown): ByteRange | undefined {
  const [first, length] = [fieldOf(byterange, 'offset'), fieldOf(byterange, 'length')]
  if (first === undefined || length === undefined || length === 0) return undefined
  const last = first + length - 1
  return Number.isSafeInteger(last) ? { first, last } : undefined
}

/** A whole number of 0 or more, where the parser found one. */
function fieldOf(parsed: unknown, name: string): number | undefined {
  const value: unknown = typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, name) : undefined
  return Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : undefined
}

/** 0 when there is none, or none that is a number; beyond 2^53 the nearest number. */
function naturalOf(tag: string | undefined): number {
  return Math.floor(numberOf(tag?.slice(tag.indexOf(':') + 1).trim()) ?? 0)
}

function secondsToMs(seconds: unknown): number | undefined {
  const value = positive(seconds)
  return value === undefined ? undefined : Math.round(value * 1000)
}

function positive(value: unknown): number | undefined {
  const number = Number(value)
  return Number.isFinite(number) && number > 0 ? number : undefined
}
