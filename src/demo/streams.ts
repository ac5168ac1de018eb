/** The streams of the demo origin, as data: the page lists them, main prints them, tests play them. */

export interface DemoStream {
  /** Stable; the page plays it at once with `?play=<id>`. */
  readonly id: string
  readonly title: string
  /** Absolute path of its manifest, at the demo origin and through Relais alike. */
  readonly path: string
  readonly player: 'hls' | 'dash'
  readonly live: boolean
  /** Played at the low-latency setting of its player, a second or two behind what is on air; live too. */
  readonly lowLatency: boolean
}

export const DEMO_STREAMS: readonly DemoStream[] = [
  {
    id: 'vod-hls-ts',
    title: 'VOD, HLS, MPEG-TS',
    path: '/vod/bars/ts/main.m3u8',
    player: 'hls',
    live: false,
    lowLatency: false,
  },
  {
    id: 'vod-hls-fmp4',
    title: 'VOD, HLS, fMP4 (CMAF)',
    path: '/vod/bars/fmp4/main.m3u8',
    player: 'hls',
    live: false,
    lowLatency: false,
  },
  {
    id: 'vod-hls-byterange',
    title: 'VOD, HLS, byte ranges of one file',
    path: '/vod/bars/single/main.m3u8',
    player: 'hls',
    live: false,
    lowLatency: false,
  },
  {
    id: 'vod-dash',
    title: 'VOD, DASH, segments',
    path: '/vod/bars/fmp4/manifest.mpd',
    player: 'dash',
    live: false,
    lowLatency: false,
  },
  {
    id: 'vod-dash-segmentbase',
    title: 'VOD, DASH, one file with an index',
    path: '/vod/bars/single/manifest.mpd',
    player: 'dash',
    live: false,
    lowLatency: false,
  },
  {
    id: 'live-hls-ts',
    title: 'Live, HLS, MPEG-TS',
    path: '/live/ts/main.m3u8',
    player: 'hls',
    live: true,
    lowLatency: false,
  },
  {
    id: 'live-hls-fmp4',
    title: 'Live, HLS, fMP4 (CMAF)',
    path: '/live/fmp4/main.m3u8',
    player: 'hls',
    live: true,
    lowLatency: false,
  },
  {
    id: 'live-dash',
    title: 'Live, DASH',
    path: '/live/fmp4/manifest.mpd',
    player: 'dash',
    live: true,
    lowLatency: false,
  },
  {
    id: 'll-hls-parts',
    title: 'Low latency, HLS, parts as files, delta updates',
    path: '/ll/parts/main.m3u8',
    player: 'hls',
    live: true,
    lowLatency: true,
  },
  {
    id: 'll-hls-ranges',
    title: 'Low latency, HLS, parts as byte ranges',
    path: '/ll/ranges/main.m3u8',
    player: 'hls',
    live: true,
    lowLatency: true,
  },
  {
    id: 'll-dash',
    title: 'Low latency, DASH, segments by number',
    path: '/ll/dash/manifest.mpd',
    player: 'dash',
    live: true,
    lowLatency: true,
  },
  {
    id: 'll-dash-patch',
    title: 'Low latency, DASH, timeline with MPD patches',
    path: '/ll/patch/manifest.mpd',
    player: 'dash',
    live: true,
    lowLatency: true,
  },
]
