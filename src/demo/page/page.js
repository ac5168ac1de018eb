/** The demo page: lists the streams, plays one with hls.js or dash.js, and says how it goes. */

/** Kept current for tests: what has happened since the stream was started. */
const state = {
  stream: undefined,
  position: 0,
  // When the picture was on air, in ms since the epoch; undefined for VOD.
  airedAt: undefined,
  stalls: 0,
  droppedFrames: 0,
  bufferSeconds: 0,
  rendition: undefined,
  errors: [],
  warnings: [],
  requests: [],
}
window.relaisDemo = state

const SHOWN_REQUESTS = 8
const REFRESH_MS = 250
/** As far behind the live edge as the MPD asks for: a playlist may come late through a cache. */
const LIVE_SEGMENTS_BEHIND = 4

const video = byId('video')
let stopPlayer = () => undefined
let airedAt = () => undefined
let hasPlayed = false
const scripts = new Map()

video.addEventListener('playing', () => {
  hasPlayed = true
})
// Before the first picture, while seeking and at the end it is no stall.
video.addEventListener('waiting', () => {
  if (hasPlayed && !video.seeking && !video.ended) state.stalls += 1
})
video.addEventListener('error', () =>
  fail(`The browser cannot play this: ${video.error?.message ?? 'no reason given'}.`),
)
setInterval(readOut, REFRESH_MS)

const { streams, players, relais } = await (await fetch('streams.json')).json()
sayWhere()
for (const stream of streams) listStream(stream)
const wanted = new URL(location.href).searchParams.get('play')
if (wanted !== null) {
  const stream = streams.find(({ id }) => id === wanted)
  if (stream === undefined) fail(`There is no stream called ${wanted}.`)
  else await play(stream)
}

function byId(id) {
  return document.getElementById(id)
}

function sayWhere() {
  const base = relais === undefined ? undefined : new URL(relais)
  if (base === undefined || base.origin === location.origin) {
    byId('where').textContent = `All addresses are relative: what you play comes from ${location.origin}.`
    return
  }
  const link = Object.assign(document.createElement('a'), { href: base.href, textContent: base.origin })
  byId('where').replaceChildren('This is the origin itself. The same page through Relais: ', link, '.')
}

function listStream(stream) {
  const button = document.createElement('button')
  button.type = 'button'
  button.id = stream.id
  button.textContent = stream.title
  button.disabled = !players[stream.player]
  button.setAttribute('aria-pressed', 'false')
  button.addEventListener('click', () => {
    history.replaceState(undefined, '', `?play=${stream.id}`)
    play(stream)
  })
  const item = document.createElement('li')
  item.append(button)
  byId(stream.live ? 'live' : 'vod').append(item)
}

async function play(stream) {
  stopPlayer()
  stopPlayer = () => undefined
  airedAt = () => undefined
  hasPlayed = false
  Object.assign(state, { stream: stream.id, position: 0, stalls: 0, droppedFrames: 0, rendition: undefined })
  Object.assign(state, { errors: [], warnings: [], requests: [] })
  byId('error').hidden = true
  for (const button of document.querySelectorAll('nav button')) {
    button.setAttribute('aria-pressed', String(button.id === stream.id))
  }
  byId('stream').textContent = stream.title
  if (!players[stream.player]) {
    fail(
      `${stream.player === 'hls' ? 'hls.js' : 'dash.js'} is not installed here, so the page cannot play this.`,
    )
    return
  }
  await loadScript(`player/${stream.player}.js`)
  // A stream chosen while the script was on its way takes precedence.
  if (state.stream !== stream.id) return
  const address = new URL(`.${stream.path}`, location.href).href
  stopPlayer = stream.player === 'hls' ? playHls(address) : playDash(address)
}

function loadScript(address) {
  const loading =
    scripts.get(address) ??
    new Promise((resolve, reject) => {
      const script = document.createElement('script')
      script.src = address
      script.onload = resolve
      script.onerror = () => reject(new Error(`${address} did not load.`))
      document.head.append(script)
    }).catch((error) => {
      scripts.delete(address)
      fail(error.message)
    })
  scripts.set(address, loading)
  return loading
}

function playHls(address) {
  const { Hls } = window
  if (!Hls.isSupported()) {
    fail('This browser has no Media Source Extensions, which hls.js needs.')
    return () => undefined
  }
  const hls = new Hls({ liveSyncDurationCount: LIVE_SEGMENTS_BEHIND })
  hls.on(Hls.Events.MANIFEST_PARSED, () => startMuted())
  hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => showRendition(hls.levels[level]))
  const noteLoaded = (_, { networkDetails, frag, details }) => {
    noteRequest(frag?.url ?? details?.url ?? networkDetails?.responseURL, headerOf(networkDetails))
  }
  hls.on(Hls.Events.LEVEL_LOADED, noteLoaded)
  hls.on(Hls.Events.FRAG_LOADED, noteLoaded)
  hls.on(Hls.Events.ERROR, (_, { fatal, type, details, response, url, frag }) => {
    const what =
      `${type}, ${details}${response?.code ? `, status ${response.code}` : ''} ${url ?? frag?.url ?? ''}`.trim()
    if (fatal) fail(`hls.js gave up: ${what}.`)
    else state.warnings.push(what)
  })
  airedAt = () => hls.playingDate?.getTime()
  hls.loadSource(address)
  hls.attachMedia(video)
  return () => hls.destroy()
}

function headerOf(request) {
  return typeof request?.getResponseHeader === 'function' ? request.getResponseHeader('Cache-Status') : null
}

function playDash(address) {
  const { dashjs } = window
  const player = dashjs.MediaPlayer().create()
  const { events } = dashjs.MediaPlayer
  player.addResponseInterceptor(async (response) => {
    noteRequest(response.request?.url, response.headers?.['cache-status'])
    return response
  })
  player.on(events.QUALITY_CHANGE_RENDERED, ({ mediaType }) => {
    if (mediaType === 'video') showRendition(player.getCurrentRepresentationForType('video'))
  })
  player.on(events.ERROR, ({ error }) => fail(`dash.js gave up: ${error?.message ?? error?.code ?? error}.`))
  airedAt = () => (player.isReady() && player.isDynamic() ? player.timeAsUTC() * 1000 : undefined)
  video.muted = true
  player.initialize(video, address, true)
  return () => player.destroy()
}

function startMuted() {
  video.muted = true
  video.play().catch((error) => {
    // A newer stream took the place of this one.
    if (error.name !== 'AbortError') fail(`The browser refuses to play: ${error.message}.`)
  })
}

function showRendition(rendition) {
  if (rendition?.height) state.rendition = `${rendition.width}x${rendition.height}`
}

function noteRequest(address, cacheStatus) {
  if (address === undefined) return
  const file = new URL(address, location.href).pathname.split('/').slice(-2).join('/')
  state.requests = [{ file, cacheStatus: cacheStatus || undefined }, ...state.requests].slice(
    0,
    SHOWN_REQUESTS,
  )
}

function fail(sentence) {
  state.errors.push(sentence)
  byId('error').textContent = sentence
  byId('error').hidden = false
}

function readOut() {
  const { buffered, currentTime } = video
  const ahead = Array.from({ length: buffered.length }, (_, at) => [buffered.start(at), buffered.end(at)])
  const here = ahead.find(([start, end]) => start <= currentTime && currentTime <= end)
  state.position = currentTime
  state.airedAt = airedAt()
  state.bufferSeconds = here === undefined ? 0 : here[1] - currentTime
  state.droppedFrames = video.getVideoPlaybackQuality().droppedVideoFrames
  if (state.stream === undefined) return
  byId('position').textContent =
    state.airedAt === undefined ? `${currentTime.toFixed(1)} s` : new Date(state.airedAt).toLocaleTimeString()
  byId('buffer').textContent = `${state.bufferSeconds.toFixed(1)} s`
  byId('rendition').textContent = state.rendition ?? '–'
  byId('stalls').textContent = String(state.stalls)
  byId('dropped').textContent = String(state.droppedFrames)
  byId('requests').replaceChildren(...state.requests.map(requestRow))
}

function requestRow({ file, cacheStatus }) {
  const row = document.createElement('tr')
  for (const text of [file, cacheStatus ?? 'none: not through Relais']) {
    const cell = document.createElement('td')
    cell.textContent = text
    row.append(cell)
  }
  return row
}
