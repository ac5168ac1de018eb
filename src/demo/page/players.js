/** The three players, each behind the same few words: play, stop, and where it is. */

/** As far behind the live edge as the MPD asks for: a playlist may come late through a cache. */
const LIVE_SEGMENTS_BEHIND = 4
/** What a player may hurry to come back to its latency; more is heard. */
const CATCH_UP_RATE = 1.05

const SHAKA_LOW_LATENCY = {
  streaming: { lowLatencyMode: true, liveSync: { enabled: true, maxPlaybackRate: CATCH_UP_RATE } },
  // Otherwise it takes the segment that is only listed, and is still made, for the end of what was on air.
  manifest: { dash: { autoCorrectDrift: false } },
}

const SHAKA_FOUND_LOW_LATENCY = {
  streaming: {
    inaccurateManifestTolerance: 0,
    updateIntervalSeconds: 0.1,
    maxDisabledTime: 1,
    retryParameters: { baseDelay: 100 },
  },
}

export const PLAYERS = {
  hls: { title: 'hls.js', play: playHls },
  dash: { title: 'dash.js', play: playDash },
  shaka: { title: 'Shaka', play: playShaka },
}

function playHls(video, address, lowLatency, page) {
  const { Hls } = window
  if (!Hls.isSupported()) {
    page.fail('This browser has no Media Source Extensions, which hls.js needs.')
    return { airedAt: () => undefined, latencySeconds: () => undefined, stop: () => undefined }
  }
  // A distance of our own would take the place of the one that the playlist asks for (PART-HOLD-BACK).
  const hls = new Hls(
    lowLatency
      ? { lowLatencyMode: true, maxLiveSyncPlaybackRate: CATCH_UP_RATE }
      : { liveSyncDurationCount: LIVE_SEGMENTS_BEHIND },
  )
  let isLive = false
  hls.on(Hls.Events.MANIFEST_PARSED, () => startMuted(video, page))
  hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => page.showRendition(hls.levels[level]))
  const noteLoaded = (_, { networkDetails, frag, part, details }) => {
    if (details !== undefined) isLive = details.live
    const address = part?.url ?? frag?.url ?? details?.url ?? networkDetails?.responseURL
    page.noteRequest(address, headerOf(networkDetails))
  }
  hls.on(Hls.Events.LEVEL_LOADED, noteLoaded)
  hls.on(Hls.Events.FRAG_LOADED, noteLoaded)
  hls.on(Hls.Events.ERROR, (_, { fatal, type, details, response, url, frag }) => {
    const what =
      `${type}, ${details}${response?.code ? `, status ${response.code}` : ''} ${url ?? frag?.url ?? ''}`.trim()
    if (fatal) page.fail(`hls.js gave up: ${what}.`)
    else page.warn(what)
  })
  hls.loadSource(address)
  hls.attachMedia(video)
  return {
    airedAt: () => hls.playingDate?.getTime(),
    latencySeconds: () => (isLive ? hls.latency : undefined),
    stop: () => hls.destroy(),
  }
}

function headerOf(request) {
  return typeof request?.getResponseHeader === 'function' ? request.getResponseHeader('Cache-Status') : null
}

function playDash(video, address, lowLatency, page) {
  const { dashjs } = window
  const player = dashjs.MediaPlayer().create()
  const { events } = dashjs.MediaPlayer
  // The latency and the low-latency mode come from the MPD: ServiceDescription and availabilityTimeComplete.
  if (lowLatency) {
    const rate = { min: 1 - CATCH_UP_RATE, max: CATCH_UP_RATE - 1 }
    player.updateSettings({ streaming: { liveCatchup: { enabled: true, playbackRate: rate } } })
  }
  player.addResponseInterceptor(async (response) => {
    page.noteRequest(response.request?.url, response.headers?.['cache-status'])
    return response
  })
  player.on(events.QUALITY_CHANGE_RENDERED, ({ mediaType }) => {
    if (mediaType === 'video') page.showRendition(player.getCurrentRepresentationForType('video'))
  })
  player.on(events.ERROR, ({ error }) =>
    page.fail(`dash.js gave up: ${error?.message ?? error?.code ?? error}.`),
  )
  const whenLive = (value) => (player.isReady() && player.isDynamic() ? value() : undefined)
  video.muted = true
  player.initialize(video, address, true)
  return {
    airedAt: () => whenLive(() => player.timeAsUTC() * 1000),
    latencySeconds: () => whenLive(() => player.getCurrentLiveLatency()),
    stop: () => player.destroy(),
  }
}

function playShaka(video, address, lowLatency, page) {
  const { shaka } = window
  shaka.polyfill.installAll()
  const player = new shaka.Player()
  if (lowLatency) {
    player.configure(SHAKA_LOW_LATENCY)
    const isDash = address.endsWith('.mpd')
    // What it adds by itself once it sees that a stream is one of low latency. For DASH it would prefetch the segment
    // after the one that is still made, get a 404, and give up; for HLS, what it prefetches are hinted parts.
    player.configurationForLowLatency({
      streaming: { ...SHAKA_FOUND_LOW_LATENCY.streaming, segmentPrefetchLimit: isDash ? 0 : 2 },
    })
  }
  const tell = (error) => {
    const what = `code ${error.code} ${error.data?.join(' ') ?? error.message ?? ''}`.trim()
    if (error.severity === shaka.util.Error.Severity.RECOVERABLE) page.warn(what)
    else page.fail(`Shaka gave up: ${what}.`)
  }
  player.addEventListener('error', ({ detail }) => tell(detail))
  player.getNetworkingEngine().registerResponseFilter((_, { uri, headers }) => {
    page.noteRequest(uri, headers['cache-status'])
  })
  const showRendition = () => page.showRendition(player.getVariantTracks().find(({ active }) => active))
  player.addEventListener('adaptation', showRendition)
  const start = async () => {
    await player.attach(video)
    await player.load(address)
    showRendition()
    startMuted(video, page)
  }
  start().catch((error) => {
    // A newer stream took the place of this one.
    if (error.code !== shaka.util.Error.Code.LOAD_INTERRUPTED) tell(error)
  })
  return {
    airedAt: () => (player.isLive() ? player.getPlayheadTimeAsDate()?.getTime() : undefined),
    latencySeconds: () => (player.isLive() ? player.getStats().liveLatency : undefined),
    stop: () => player.destroy(),
  }
}

function startMuted(video, page) {
  video.muted = true
  video.play().catch((error) => {
    // A newer stream took the place of this one.
    if (error.name !== 'AbortError') page.fail(`The browser refuses to play: ${error.message}.`)
  })
}
