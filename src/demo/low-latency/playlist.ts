/** The low-latency media playlists of the demo title (RFC 8216bis), as pure functions of how far the stream is made. */
import type { Instant } from '../../rfc/heads.ts'
import { GRACE_SEGMENTS, numbersOf, WINDOW_SEGMENTS } from '../live-window.ts'
import type { Track } from '../title.ts'
import { durationTicks, startTicks } from '../title.ts'
import type { ChunkedTitle } from './chunked-title.ts'
import { edgeAt, lastPart, PARTS_PER_SEGMENT, type PartPlace } from './part-clock.ts'

/** How the playlists of a stream name its parts, and what its server can do. */
export interface PlaylistForm {
  /** `files`: each part has an address of its own; `ranges`: it is a byte range of the segment it becomes. */
  readonly parts: 'files' | 'ranges'
  /** Whether `_HLS_skip=YES` is answered with a delta update. */
  readonly canSkip: boolean
}

/** Segments of which the parts are listed: section 6.2.2 wants them gone three target durations from the end. */
const SEGMENTS_WITH_PARTS = 3

/** So many segments from the edge back a delta update lists; the least that CAN-SKIP-UNTIL may say. */
const SKIP_UNTIL_SEGMENTS = 6

/** Parts can be fetched for three target durations after they were last listed, and as long a playlist may be kept. */
const PARTS_SERVED_SEGMENTS = 3 * SEGMENTS_WITH_PARTS

/**
 * At least every part's duration: a part of sound has whole frames, so it may be one frame longer than its picture.
 * Sections 4.4.3.7 and 4.4.4.9.
 */
export const PART_TARGET_SECONDS = 0.42

/** Three part targets, which section 4.4.3.8 recommends. */
const PART_HOLD_BACK_SECONDS = 1.26

/** The playlist of one track; the short form (EXT-X-SKIP) when the viewer has asked for it and the stream has it. */
export function lowLatencyPlaylist(
  chunked: ChunkedTitle,
  track: Track,
  form: PlaylistForm,
  madeUntil: Instant,
  wantsDelta: boolean,
): string {
  const { title } = chunked
  const edge = edgeAt(madeUntil, title.segmentSeconds * 1000)
  const first = Math.max(0, edge.number - WINDOW_SEGMENTS)
  const skipped = form.canSkip && wantsDelta ? Math.max(0, edge.number - SKIP_UNTIL_SEGMENTS - first) : 0
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:9',
    `#EXT-X-TARGETDURATION:${title.segmentSeconds}`,
    `#EXT-X-PART-INF:PART-TARGET=${PART_TARGET_SECONDS}`,
    `#EXT-X-SERVER-CONTROL:${serverControl(form, title.segmentSeconds)}`,
    `#EXT-X-MEDIA-SEQUENCE:${first}`,
  ]
  // Section 6.2.5.1: what applies to skipped segments is skipped with them, and the viewer has it already.
  if (skipped > 0) lines.push(`#EXT-X-SKIP:SKIPPED-SEGMENTS=${skipped}`)
  else lines.push(`#EXT-X-MAP:URI="${track.name}/init.mp4"`)
  for (const number of numbersOf({ first: first + skipped, last: edge.number - 1 })) {
    lines.push(...segmentLines(chunked, track, form, number, edge.number - number <= SEGMENTS_WITH_PARTS))
  }
  if (edge.parts > 0) {
    lines.push(
      dateLine(chunked, track, edge.number),
      ...partLines(chunked, track, form, edge.number, edge.parts),
    )
  }
  lines.push(hintLine(chunked, track, form, { number: edge.number, part: edge.parts }))
  const last = lastPart(edge)
  for (const { name } of [...title.video, title.audio].filter((other) => other.name !== track.name)) {
    lines.push(`#EXT-X-RENDITION-REPORT:URI="${name}.m3u8",LAST-MSN=${last.number},LAST-PART=${last.part}`)
  }
  return `${lines.join('\n')}\n`
}

/** True while a part is listed, and for as long after as section 6.2.2 and a playlist kept on the way ask. */
export function isPartServable({ number }: PartPlace, madeUntil: Instant, segmentMs: number): boolean {
  return number >= edgeAt(madeUntil, segmentMs).number - PARTS_SERVED_SEGMENTS
}

/** True while a complete segment is listed, and for its availability duration after. */
export function isSegmentServable(number: number, madeUntil: Instant, segmentMs: number): boolean {
  const edge = edgeAt(madeUntil, segmentMs).number
  return number < edge && number >= edge - WINDOW_SEGMENTS - GRACE_SEGMENTS
}

function serverControl({ canSkip }: PlaylistForm, segmentSeconds: number): string {
  const skip = canSkip ? `,CAN-SKIP-UNTIL=${SKIP_UNTIL_SEGMENTS * segmentSeconds}.0` : ''
  const holdBack = `HOLD-BACK=${3 * segmentSeconds}.0,PART-HOLD-BACK=${PART_HOLD_BACK_SECONDS}`
  return `CAN-BLOCK-RELOAD=YES,${holdBack}${skip}`
}

function segmentLines(
  chunked: ChunkedTitle,
  track: Track,
  form: PlaylistForm,
  number: number,
  withParts: boolean,
): string[] {
  const seconds = durationTicks(chunked.title, track, number) / track.timescale
  return [
    dateLine(chunked, track, number),
    ...(withParts ? partLines(chunked, track, form, number, PARTS_PER_SEGMENT) : []),
    `#EXTINF:${seconds.toFixed(6)},`,
    `${track.name}/${number}.m4s`,
  ]
}

function partLines(
  chunked: ChunkedTitle,
  track: Track,
  form: PlaylistForm,
  number: number,
  count: number,
): string[] {
  return Array.from({ length: count }, (_, part) => {
    const { offset, size, seconds } = chunked.placeOf(track, { number, part })
    // A picture that needs no other stands at the beginning of each segment only; each sample of sound is one.
    const isIndependent = part === 0 || track.name === chunked.title.audio.name
    const range = form.parts === 'ranges' ? `,BYTERANGE="${size}@${offset}"` : ''
    const address = addressOf(track, form, { number, part })
    return `#EXT-X-PART:DURATION=${seconds.toFixed(6)},URI="${address}"${range}${isIndependent ? ',INDEPENDENT=YES' : ''}`
  })
}

function hintLine(chunked: ChunkedTitle, track: Track, form: PlaylistForm, next: PartPlace): string {
  const start = form.parts === 'ranges' ? `,BYTERANGE-START=${chunked.placeOf(track, next).offset}` : ''
  return `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${addressOf(track, form, next)}"${start}`
}

function addressOf({ name }: Track, { parts }: PlaylistForm, { number, part }: PartPlace): string {
  return parts === 'ranges' ? `${name}/${number}.m4s` : `${name}/${number}.${part}.m4s`
}

function dateLine({ title }: ChunkedTitle, track: Track, number: number): string {
  const startedAt = Math.round((startTicks(title, track, number) / track.timescale) * 1000)
  return `#EXT-X-PROGRAM-DATE-TIME:${new Date(startedAt).toISOString()}`
}
