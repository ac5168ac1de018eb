/** Live HLS playlists of the demo title, as pure functions of the instant. */
import type { Instant } from '../rfc/heads.ts'
import { numbersOf, windowAt } from './live-window.ts'
import type { Title, Track } from './title.ts'
import { durationTicks, placeOf, startTicks } from './title.ts'

export type LiveContainer = 'ts' | 'fmp4'

/**
 * 1 January 2026, a boundary of the loop. Counted from the epoch of Unix there would be 75 million discontinuities, and
 * hls.js 1.7 walks through all numbers up to the playlist's at each reload: that took it 0.8 s, and this takes 12 ms.
 */
const COUNTED_FROM: Instant = Date.UTC(2026, 0, 1)

export function liveMultivariant(title: Title, container: LiveContainer): string {
  const lines = ['#EXTM3U', `#EXT-X-VERSION:${versionOf(container)}`, '#EXT-X-INDEPENDENT-SEGMENTS']
  const { audio } = title
  if (container === 'fmp4') {
    lines.push(
      `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Tone",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="1",URI="${audio.name}.m3u8"`,
    )
  }
  for (const video of title.video) {
    const peak = container === 'ts' ? video.ts.peak : video.peak + audio.peak
    const average = container === 'ts' ? video.ts.average : video.average + audio.average
    lines.push(
      `#EXT-X-STREAM-INF:BANDWIDTH=${peak},AVERAGE-BANDWIDTH=${average},CODECS="${video.codecs},${audio.codecs}",RESOLUTION=${video.width}x${video.height},FRAME-RATE=25.000${container === 'ts' ? '' : ',AUDIO="sound"'}`,
      `${video.name}.m3u8`,
    )
  }
  return `${lines.join('\n')}\n`
}

/**
 * The media playlist of one track. MPEG-TS begins anew with each loop of the title, so a discontinuity stands there;
 * fMP4 is served with timestamps that go on, so none does.
 */
export function liveMediaPlaylist(
  title: Title,
  track: Track,
  container: LiveContainer,
  now: Instant,
): string {
  const segmentMs = title.segmentSeconds * 1000
  const window = windowAt(now, segmentMs)
  const lines = [
    '#EXTM3U',
    `#EXT-X-VERSION:${versionOf(container)}`,
    `#EXT-X-TARGETDURATION:${title.segmentSeconds}`,
    `#EXT-X-MEDIA-SEQUENCE:${window.first}`,
  ]
  if (container === 'ts') {
    // A discontinuity before the first segment would say nothing: its number is this one (RFC 8216bis 4.4.3.3).
    lines.push(`#EXT-X-DISCONTINUITY-SEQUENCE:${discontinuities(title, window.first)}`)
  } else {
    lines.push(`#EXT-X-MAP:URI="${track.name}/init.mp4"`)
  }
  for (const number of numbersOf(window)) {
    const loopBegins = placeOf(title, number).index === 0
    if (container === 'ts' && loopBegins && number > window.first) lines.push('#EXT-X-DISCONTINUITY')
    const seconds = durationTicks(title, track, number) / track.timescale
    const startedAt = Math.round((startTicks(title, track, number) / track.timescale) * 1000)
    lines.push(
      `#EXT-X-PROGRAM-DATE-TIME:${new Date(startedAt).toISOString()}`,
      `#EXTINF:${seconds.toFixed(6)},`,
      `${track.name}/${number}.${container === 'ts' ? 'ts' : 'm4s'}`,
    )
  }
  return `${lines.join('\n')}\n`
}

/** How many ended before segment `number`; none before they began to be counted. */
function discontinuities(title: Title, number: number): number {
  const counted = COUNTED_FROM / (title.segmentSeconds * title.segments * 1000)
  return Math.max(0, placeOf(title, number).loop - counted)
}

function versionOf(container: LiveContainer): number {
  return container === 'ts' ? 3 : 7
}
