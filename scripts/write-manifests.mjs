/** Reads the segments that ffmpeg made and writes what stands around them: manifests, single files, subtitles, facts. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = process.argv[2]
const SEGMENT_SECONDS = 2
const VIDEO = [
  { name: '144p', width: 256, height: 144 },
  { name: '270p', width: 480, height: 270 },
  { name: '360p', width: 640, height: 360 },
]
const LANGUAGES = [
  { code: 'en', name: 'English', text: (from, to) => `From second ${from} to second ${to}` },
  { code: 'fr', name: 'Français', text: (from, to) => `De la seconde ${from} à la seconde ${to}` },
]

const video = VIDEO.map((shape) => ({ ...shape, ...track(shape.name) }))
const audio = track('audio')
const count = audio.segments.length
const total = audio.durations.reduce((sum, duration) => sum + duration, 0) / audio.timescale
if (video.some(({ segments }) => segments.length !== count)) throw new Error('The tracks differ in segments.')
if (video.some((one) => one.durations.some((duration) => duration !== SEGMENT_SECONDS * one.timescale))) {
  throw new Error('A video segment is not exactly two seconds long.')
}
if (total !== count * SEGMENT_SECONDS)
  throw new Error(`Audio is ${total} s, video ${count * SEGMENT_SECONDS} s.`)

for (const one of video) one.ts = tsSizes(one.name)
writeSubtitles()
writeSegmented()
writeSingle()
writeTs()
write('title.json', `${JSON.stringify(facts(), null, 2)}\n`)

/** What the segments of one track say of themselves. ffmpeg puts a sidx with one reference before each fragment. */
function track(name) {
  const folder = join(root, 'fmp4', name)
  const numbers = readdirSync(folder)
    .filter((file) => file.endsWith('.m4s'))
    .map((file) => Number.parseInt(file, 10))
  const init = readFileSync(join(folder, 'init.mp4'))
  const segments = numbers.sort((a, b) => a - b).map((number) => readFileSync(join(folder, `${number}.m4s`)))
  const indexes = segments.map((segment) => boxes(segment).find(({ type }) => type === 'sidx'))
  const sidx = indexes.map(({ at }, number) => segments[number].subarray(at))
  const timescale = sidx[0].readUInt32BE(16)
  // Version 1: 8 + 4 version and flags, 4 id, 4 timescale, 8 time, 8 offset, 2 reserved, 2 count, then size, duration.
  const durations = sidx.map((box) => box.readUInt32BE(44))
  return { name, init, segments, timescale, durations, codecs: codecsOf(init) }
}

function codecsOf(init) {
  const avcC = init.indexOf('avcC')
  if (avcC < 0) return 'mp4a.40.2'
  return `avc1.${init.toString('hex', avcC + 5, avcC + 8).toUpperCase()}`
}

function boxes(bytes) {
  const found = []
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at)
    found.push({ type: bytes.toString('latin1', at + 4, at + 8), at, end: at + size })
    at += size
  }
  return found
}

function write(path, content) {
  const file = join(root, path)
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, content)
}

function tsSizes(name) {
  return Array.from(
    { length: count },
    (_, number) => readFileSync(join(root, 'ts', name, `${number}.ts`)).length,
  )
}

function rates(sizes, seconds) {
  const peak = Math.max(...sizes.map((size, number) => (size * 8) / seconds[number]))
  const average =
    (sizes.reduce((sum, size) => sum + size, 0) * 8) / seconds.reduce((sum, one) => sum + one, 0)
  return { peak: Math.ceil(peak), average: Math.ceil(average) }
}

function seconds({ durations, timescale }) {
  return durations.map((duration) => duration / timescale)
}

function trackRates(one) {
  return rates(
    one.segments.map(({ length }) => length),
    seconds(one),
  )
}

function exact(duration) {
  return duration.toFixed(6)
}

function facts() {
  const describe = (one) => ({
    name: one.name,
    codecs: one.codecs,
    timescale: one.timescale,
    durations: one.durations,
    ...trackRates(one),
  })
  return {
    title: 'Bars',
    segmentSeconds: SEGMENT_SECONDS,
    segments: count,
    video: video.map((one) => ({
      ...describe(one),
      width: one.width,
      height: one.height,
      ts: rates(one.ts, seconds(one)),
    })),
    audio: describe(audio),
  }
}

function multivariant(withAudio, ts) {
  const lines = ['#EXTM3U', `#EXT-X-VERSION:${ts ? 3 : 6}`, '#EXT-X-INDEPENDENT-SEGMENTS']
  if (withAudio) {
    lines.push(
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Tone",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="1",URI="audio.m3u8"',
    )
  }
  for (const { code, name } of LANGUAGES) {
    lines.push(
      `#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="${name}",LANGUAGE="${code}",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="../subtitles/${code}.m3u8"`,
    )
  }
  for (const one of video) {
    const own = ts ? rates(one.ts, seconds(one)) : trackRates(one)
    const sound = ts ? { peak: 0, average: 0 } : trackRates(audio)
    lines.push(
      `#EXT-X-STREAM-INF:BANDWIDTH=${own.peak + sound.peak},AVERAGE-BANDWIDTH=${own.average + sound.average},CODECS="${one.codecs},${audio.codecs}",RESOLUTION=${one.width}x${one.height},FRAME-RATE=25.000${withAudio ? ',AUDIO="sound"' : ''},SUBTITLES="subtitles"`,
      `${one.name}.m3u8`,
    )
  }
  return `${lines.join('\n')}\n`
}

function media(version, durations, segmentLines, head = []) {
  return `${[
    '#EXTM3U',
    `#EXT-X-VERSION:${version}`,
    `#EXT-X-TARGETDURATION:${SEGMENT_SECONDS}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    '#EXT-X-PLAYLIST-TYPE:VOD',
    ...head,
    ...durations.flatMap((duration, number) => [`#EXTINF:${exact(duration)},`, ...segmentLines(number)]),
    '#EXT-X-ENDLIST',
  ].join('\n')}\n`
}

function writeTs() {
  write('ts/main.m3u8', multivariant(false, true))
  for (const one of video) {
    write(
      `ts/${one.name}.m3u8`,
      media(3, seconds(one), (number) => [`${one.name}/${number}.ts`]),
    )
  }
}

function writeSegmented() {
  write('fmp4/main.m3u8', multivariant(true, false))
  for (const one of [...video, audio]) {
    const lines = (number) => [`${one.name}/${number}.m4s`]
    write(`fmp4/${one.name}.m3u8`, media(7, seconds(one), lines, [`#EXT-X-MAP:URI="${one.name}/init.mp4"`]))
  }
  write(
    'fmp4/manifest.mpd',
    mpd(
      'urn:mpeg:dash:profile:isoff-live:2011',
      (one) =>
        `        <SegmentTemplate timescale="${one.timescale}" startNumber="0" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number$.m4s">
          <SegmentTimeline>
${timeline(one.durations)}
          </SegmentTimeline>
        </SegmentTemplate>`,
    ),
  )
}

function timeline(durations) {
  const runs = []
  for (const duration of durations) {
    const last = runs.at(-1)
    if (last?.duration === duration) last.repeat += 1
    else runs.push({ duration, repeat: 0 })
  }
  return runs
    .map(({ duration, repeat }, at) => {
      const start = at === 0 ? ' t="0"' : ''
      return `            <S${start} d="${duration}"${repeat > 0 ? ` r="${repeat}"` : ''}/>`
    })
    .join('\n')
}

/** One file a track: ftyp, moov, one sidx for all, then the fragments. HLS points into it by byte range. */
function writeSingle() {
  write('single/main.m3u8', multivariant(true, false))
  for (const one of [...video, audio]) {
    const fragments = one.segments.map((segment) =>
      Buffer.concat(
        boxes(segment)
          .filter(({ type }) => type === 'moof' || type === 'mdat')
          .map(({ at, end }) => segment.subarray(at, end)),
      ),
    )
    const index = globalSidx(one, fragments)
    one.initRange = `0-${one.init.length - 1}`
    one.indexRange = `${one.init.length}-${one.init.length + index.length - 1}`
    write(`single/${one.name}.mp4`, Buffer.concat([one.init, index, ...fragments]))
    let at = one.init.length + index.length
    const lines = (number) => {
      const { length } = fragments[number]
      at += length
      return [`#EXT-X-BYTERANGE:${length}@${at - length}`, `${one.name}.mp4`]
    }
    const map = `#EXT-X-MAP:URI="${one.name}.mp4",BYTERANGE="${one.init.length}@0"`
    write(`single/${one.name}.m3u8`, media(7, seconds(one), lines, [map]))
  }
  write(
    'single/manifest.mpd',
    mpd(
      'urn:mpeg:dash:profile:isoff-on-demand:2011',
      undefined,
      (one) =>
        `        <BaseURL>${one.name}.mp4</BaseURL>
        <SegmentBase timescale="${one.timescale}" indexRange="${one.indexRange}">
          <Initialization range="${one.initRange}"/>
        </SegmentBase>`,
    ),
  )
}

function globalSidx({ timescale, durations }, fragments) {
  const box = Buffer.alloc(40 + 12 * fragments.length)
  box.writeUInt32BE(box.length, 0)
  box.write('sidx', 4, 'latin1')
  box.writeUInt8(1, 8)
  box.writeUInt32BE(1, 12)
  box.writeUInt32BE(timescale, 16)
  box.writeUInt16BE(fragments.length, 38)
  for (const [number, { length }] of fragments.entries()) {
    box.writeUInt32BE(length, 40 + 12 * number)
    box.writeUInt32BE(durations[number], 44 + 12 * number)
    box.writeUInt32BE(0x90000000, 48 + 12 * number)
  }
  return box
}

function mpd(profile, ofSet, ofRepresentation = undefined) {
  const open = (one, attributes) => {
    const inner = ofRepresentation === undefined ? '' : `\n${ofRepresentation(one)}\n      `
    return `      <Representation id="${one.name}" bandwidth="${trackRates(one).peak}" codecs="${one.codecs}" ${attributes}${inner === '' ? '/>' : `>${inner}</Representation>`}`
  }
  const template = (one) => (ofSet === undefined ? '' : `\n${ofSet(one).replace(/^ {2}/gm, '')}`)
  return `<?xml version="1.0" encoding="utf-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="${profile}" mediaPresentationDuration="PT${total}S" minBufferTime="PT2S">
  <Period id="0" start="PT0S">
    <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" frameRate="25" maxWidth="640" maxHeight="360" par="16:9">${template(video[0])}
${video.map((one) => open(one, `width="${one.width}" height="${one.height}" sar="1:1"`)).join('\n')}
    </AdaptationSet>
    <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" lang="en" segmentAlignment="true" startWithSAP="1">${template(audio)}
${open(audio, 'audioSamplingRate="48000"')}
    </AdaptationSet>
${LANGUAGES.map(
  ({ code }, at) => `    <AdaptationSet id="${at + 2}" contentType="text" mimeType="text/vtt" lang="${code}">
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="subtitle"/>
      <Representation id="${code}" bandwidth="256">
        <BaseURL>../subtitles/${code}.vtt</BaseURL>
      </Representation>
    </AdaptationSet>`,
).join('\n')}
  </Period>
</MPD>
`
}

function clock(at) {
  return `00:00:${String(at).padStart(2, '0')}.000`
}

/** Whole for DASH, and in pieces of four seconds for HLS; the video's timestamps begin at 0, so the map is 0 to 0. */
function writeSubtitles() {
  const piece = 2 * SEGMENT_SECONDS
  const pieces = Array.from({ length: total / piece }, (_, number) => number * piece)
  for (const { code, name, text } of LANGUAGES) {
    const cue = (from) => `${clock(from)} --> ${clock(from + piece)}\n${name}: ${text(from, from + piece)}\n`
    write(`subtitles/${code}.vtt`, `WEBVTT\n\n${pieces.map(cue).join('\n')}`)
    for (const [number, from] of pieces.entries()) {
      write(
        `subtitles/${code}/${number}.vtt`,
        `WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n${cue(from)}`,
      )
    }
    const list = media(
      3,
      pieces.map(() => piece),
      (number) => [`${code}/${number}.vtt`],
    )
    write(`subtitles/${code}.m3u8`, list.replace(/(TARGETDURATION:)\d+/, `$1${piece}`))
  }
}
