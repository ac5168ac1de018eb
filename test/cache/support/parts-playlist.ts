/** A low-latency playlist as small as can be. */

export const HLS_TYPE = { 'content-type': 'application/vnd.apple.mpegurl' }

/** Segments 10 to 12 are whole; `more` are the lines behind them, `before` those in front. */
export function partsPlaylist(more: readonly string[], before: readonly string[] = []): string {
  return [
    '#EXTM3U',
    '#EXT-X-TARGETDURATION:2',
    '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5',
    '#EXT-X-PART-INF:PART-TARGET=0.5',
    '#EXT-X-MEDIA-SEQUENCE:10',
    ...before,
    ...[10, 11, 12].flatMap((sequence) => ['#EXTINF:2,', `${sequence}.m4s`]),
    ...more,
    '',
  ].join('\n')
}

/** So many parts of segment 13 are made. */
export function playlistWithParts(parts: number): string {
  return partsPlaylist(
    Array.from({ length: parts }, (_, part) => `#EXT-X-PART:DURATION=0.5,URI="13.${part}.m4s"`),
  )
}
