/** The streams of the demo origin, as data: the page lists them, main prints them, tests play them. */

export interface DemoStream {
  /** Stable; the page plays it at once with `?play=<id>`. */
  readonly id: string
  readonly title: string
  /** Absolute path of its manifest, at the demo origin and through Relais alike. */
  readonly path: string
  readonly player: 'hls' | 'dash'
  readonly live: boolean
}

export const DEMO_STREAMS: readonly DemoStream[] = [
  {
    id: 'vod-hls-ts',
    title: 'VOD, HLS, MPEG-TS',
    path: '/vod/bars/ts/main.m3u8',
    player: 'hls',
    live: false,
  },
  {
    id: 'vod-hls-fmp4',
    title: 'VOD, HLS, fMP4 (CMAF)',
    path: '/vod/bars/fmp4/main.m3u8',
    player: 'hls',
    live: false,
  },
  {
    id: 'vod-hls-byterange',
    title: 'VOD, HLS, byte ranges of one file',
    path: '/vod/bars/single/main.m3u8',
    player: 'hls',
    live: false,
  },
  {
    id: 'vod-dash',
    title: 'VOD, DASH, segments',
    path: '/vod/bars/fmp4/manifest.mpd',
    player: 'dash',
    live: false,
  },
  {
    id: 'vod-dash-segmentbase',
    title: 'VOD, DASH, one file with an index',
    path: '/vod/bars/single/manifest.mpd',
    player: 'dash',
    live: false,
  },
  { id: 'live-hls-ts', title: 'Live, HLS, MPEG-TS', path: '/live/ts/main.m3u8', player: 'hls', live: true },
  {
    id: 'live-hls-fmp4',
    title: 'Live, HLS, fMP4 (CMAF)',
    path: '/live/fmp4/main.m3u8',
    player: 'hls',
    live: true,
  },
  { id: 'live-dash', title: 'Live, DASH', path: '/live/fmp4/manifest.mpd', player: 'dash', live: true },
]
