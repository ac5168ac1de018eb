/** The demo page: lists the streams, plays one with hls.js, dash.js or Shaka, and says how it goes. */
import { PLAYERS } from './players.js'

/** Kept current for tests: what has happened since the stream was started. */
const state = {
  stream: undefined,
  player: undefined,
  position: 0,
  // When the picture was on air, in ms since the epoch; undefined for VOD.
  airedAt: undefined,
  // How far behind the live edge the player says that it is; undefined for VOD.
  latencySeconds: undefined,
  // The same by the clock of this machine, as the picture itself says when it was on air.
  behindSeconds: undefined,
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

const video = byId('video')
/** What plays now; without one, nothing is told. */
const NOBODY = { airedAt: () => undefined, latencySeconds: () => undefined, stop: () => undefined }
let playing = NOBODY
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
const asked = new URL(location.href).searchParams
const wanted = asked.get('play')
byId('with').value = asked.get('with') ?? ''
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
  button.disabled = !players[stream.player] && !players.shaka
  button.setAttribute('aria-pressed', 'false')
  button.addEventListener('click', () => {
    const player = byId('with').value
    history.replaceState(undefined, '', `?play=${stream.id}${player === '' ? '' : `&with=${player}`}`)
    play(stream)
  })
  const item = document.createElement('li')
  item.append(button)
  byId(stream.lowLatency ? 'low-latency' : stream.live ? 'live' : 'vod').append(item)
}

async function play(stream) {
  playing.stop()
  playing = NOBODY
  hasPlayed = false
  const player = byId('with').value || stream.player
  Object.assign(state, { stream: stream.id, player, position: 0, stalls: 0, droppedFrames: 0 })
  Object.assign(state, { rendition: undefined, errors: [], warnings: [], requests: [] })
  byId('error').hidden = true
  for (const button of document.querySelectorAll('nav button')) {
    button.setAttribute('aria-pressed', String(button.id === stream.id))
  }
  byId('stream').textContent = stream.title
  if (!players[player]) {
    fail(`${PLAYERS[player]?.title ?? player} is not installed here, so the page cannot play this.`)
    return
  }
  await loadScript(`player/${player}.js`)
  // A stream chosen while the script was on its way takes precedence.
  if (state.stream !== stream.id || state.player !== player) return
  const address = new URL(`.${stream.path}`, location.href).href
  playing = PLAYERS[player].play(video, address, stream.lowLatency, {
    fail,
    warn: (sentence) => state.warnings.push(sentence),
    noteRequest,
    showRendition,
  })
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
  state.airedAt = playing.airedAt()
  state.latencySeconds = playing.latencySeconds()
  state.behindSeconds = state.airedAt === undefined ? undefined : (Date.now() - state.airedAt) / 1000
  state.bufferSeconds = here === undefined ? 0 : here[1] - currentTime
  state.droppedFrames = video.getVideoPlaybackQuality().droppedVideoFrames
  if (state.stream === undefined) return
  byId('position').textContent =
    state.airedAt === undefined ? `${currentTime.toFixed(1)} s` : new Date(state.airedAt).toLocaleTimeString()
  byId('latency').textContent =
    state.latencySeconds === undefined ? '–' : `${state.latencySeconds.toFixed(2)} s`
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
