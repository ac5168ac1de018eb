/** Facts from HLS playlists. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type HlsMediaFacts, isBad } from '../../src/media/facts.ts'
import { readManifest } from '../../src/media/manifest.ts'
import fc from '../support/properties.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const read = (text: string) => readManifest('hls-playlist', bytes(text))

function media(text: string): HlsMediaFacts {
  const facts = read(text)
  assert.ok(!isBad(facts) && facts.role === 'media', JSON.stringify(facts))
  return facts
}

function badOf(text: string): string {
  const facts = read(text)
  assert.ok(isBad(facts), JSON.stringify(facts))
  return facts.bad
}

const SLIDING = `#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:2680
#EXTINF:5.96,
seg_2680.ts?token=a~b/c=
#EXTINF:6.006,The title, with a comma
https://cdn.example/seg_2681.ts
# a comment
#EXTINF:4
seg_2682.ts
`

test('a sliding playlist is live, and tells its pace and its window', () => {
  const { tail, listing, control, ...facts } = media(SLIDING)
  assert.deepEqual(facts, {
    protocol: 'hls',
    role: 'media',
    live: true,
    type: undefined,
    targetDurationMs: 6000,
    partTargetMs: undefined,
    windowMs: 15_966,
    segmentDurationMs: 6006,
    mediaSequence: 2680,
    segments: 3,
    skippedSegments: 0,
    canBlockReload: false,
    version: 3,
    discontinuitySequence: 0,
    lastSequence: 2682,
    openParts: [],
    hints: [],
    reports: [],
    assetLists: [],
    programDateTimeMs: undefined,
  })
  assert.deepEqual(
    tail.map(({ sequence, address, durationMs }) => [sequence, address, durationMs]),
    [
      [2680, 'seg_2680.ts?token=a~b/c=', 5960],
      [2681, 'https://cdn.example/seg_2681.ts', 6006],
      [2682, 'seg_2682.ts', 4000],
    ],
  )
  assert.deepEqual([listing.count, listing.isWhole], [3, true])
  assert.deepEqual([control.canSkipUntilMs, control.holdBackMs], [undefined, undefined])
})

test('lines may end in CR LF, and a byte order mark is looked over', () => {
  assert.deepEqual(media(SLIDING.replaceAll('\n', '\r\n')), media(SLIDING))
  assert.deepEqual(media(`\ufeff${SLIDING}`), media(SLIDING))
})

test('EXT-X-ENDLIST anywhere ends a stream', () => {
  assert.equal(media(`${SLIDING}#EXT-X-ENDLIST\n`).live, false)
  assert.equal(media(SLIDING.replace('#EXT-X-VERSION:3', '#EXT-X-ENDLIST')).live, false)
  assert.equal(media(`${SLIDING}#EXT-X-ENDLIST`).live, false, 'without a line end')
})

test('a VOD is not live even before its end is listed, an EVENT is until then', () => {
  const vod = media(SLIDING.replace('#EXT-X-VERSION:3', '#EXT-X-PLAYLIST-TYPE:VOD'))
  assert.deepEqual([vod.live, vod.type], [false, 'vod'])
  const event = SLIDING.replace('#EXT-X-VERSION:3', '#EXT-X-PLAYLIST-TYPE:EVENT')
  assert.deepEqual([media(event).live, media(event).type], [true, 'event'])
  assert.equal(media(`${event}#EXT-X-ENDLIST\n`).live, false)
})

test('a low-latency delta update tells its parts, and counts what it skips into the window', () => {
  const facts = media(`#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0,CAN-SKIP-UNTIL=24.0
#EXT-X-PART-INF:PART-TARGET=0.33334
#EXT-X-MEDIA-SEQUENCE:266
#EXT-X-SKIP:SKIPPED-SEGMENTS=3
#EXTINF:4.00008,
fileSequence269.mp4
#EXT-X-PART:DURATION=0.33334,URI="filePart270.0.mp4",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="filePart270.1.mp4"
`)
  assert.equal(facts.live, true)
  assert.equal(facts.partTargetMs, 333)
  assert.equal(facts.canBlockReload, true)
  assert.equal(facts.segments, 1)
  assert.equal(facts.skippedSegments, 3)
  assert.equal(facts.windowMs, 16_000)
  assert.equal(facts.lastSequence, 269)
  assert.deepEqual(
    facts.openParts.map(({ address, isIndependent }) => [address, isIndependent]),
    [['filePart270.0.mp4', true]],
  )
  assert.deepEqual(facts.hints, [{ type: 'PART', address: 'filePart270.1.mp4', start: 0, length: undefined }])
  assert.deepEqual(
    [facts.control.canSkipUntilMs, facts.control.partHoldBackMs, facts.control.canSkipDateRanges],
    [24_000, 1000, false],
  )
})

test('a live playlist may list nothing yet', () => {
  const facts = media('#EXTM3U\n#EXT-X-TARGETDURATION:6\n')
  assert.deepEqual(
    [facts.live, facts.segments, facts.windowMs, facts.segmentDurationMs],
    [true, 0, 0, undefined],
  )
})

test('without a target duration the longest segment stands for it', () => {
  assert.equal(media('#EXTM3U\n#EXTINF:9.2,\na.ts\n#EXTINF:3,\nb.ts\n').targetDurationMs, 10_000)
})

test('a multivariant playlist tells its variants, and nothing of being live', () => {
  const facts = read(`#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",URI="audio.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="cc",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=1280000,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="a"
# a comment
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=7680000
high.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=86000,URI="iframe.m3u8"
`)
  assert.ok(!isBad(facts) && facts.role === 'multivariant')
  assert.equal(facts.variants, 3)
  assert.deepEqual(
    facts.renditions.map(({ kind, address, bandwidth, codecs, group, groups }) =>
      [kind, address, bandwidth, codecs, group, groups.join()].map(String),
    ),
    [
      ['audio', 'audio.m3u8', 'undefined', 'undefined', 'a', ''],
      ['variant', 'low.m3u8', '1280000', 'avc1.4d401f,mp4a.40.2', 'undefined', 'a'],
      ['variant', 'high.m3u8', '7680000', 'undefined', 'undefined', ''],
      ['i-frame', 'iframe.m3u8', '86000', 'undefined', 'undefined', ''],
    ],
  )
})

test('a group named like a property of every object harms none', () => {
  const facts = read(`#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="__proto__",NAME="polluted",URI="a.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="__proto__"
v.m3u8
`)
  assert.ok(!isBad(facts) && facts.role === 'multivariant')
  assert.equal(facts.renditions.length, 2)
  assert.equal(Reflect.get({}, 'polluted'), undefined)
})

test('of renditions beyond a thousand only the count is known', () => {
  const facts = read(`#EXTM3U\n${'#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n'.repeat(1500)}`)
  assert.ok(!isBad(facts) && facts.role === 'multivariant')
  assert.deepEqual([facts.variants, facts.renditions.length], [1500, 1000])
})

test('what does not begin with #EXTM3U is refused, and the reason says what came instead', () => {
  assert.match(badOf(''), /first line .* came nothing$/)
  assert.match(badOf(' \n '), /came white space$/)
  assert.match(badOf('<!DOCTYPE html><html>'), /came HTML$/)
  assert.match(badOf('{"error":"expired"}'), /came JSON$/)
  assert.match(badOf('Not found'), /came "Not found"$/)
  assert.match(badOf('#EXTM3U8\n#EXTINF:1,\na.ts\n'), /first line/)
  assert.match(badOf('\n#EXTM3U\n#EXTINF:1,\na.ts\n'), /first line/)
  assert.match(badOf('x'.repeat(1_000_000)), /came "x{60}…"$/)
})

test('a playlist of both kinds or of neither is refused', () => {
  assert.match(badOf('#EXTM3U\n'), /came the tags of neither$/)
  assert.match(badOf('#EXTM3U\na.ts\nb.ts\n'), /came the tags of neither$/)
  assert.match(badOf(`${SLIDING}#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n`), /came the tags of both$/)
})

test('a playlist that stops within a segment is refused', () => {
  assert.match(
    badOf('#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\na.ts\n#EXTINF:6,\n'),
    /came the end of the playlist$/,
  )
})

test('compressed bytes and kinds that are no manifest are refused', () => {
  assert.match(JSON.stringify(readManifest('hls-playlist', new Uint8Array([0x1f, 0x8b, 8]))), /gzip/)
  assert.match(JSON.stringify(readManifest('segment', bytes(SLIDING))), /came \\"segment\\"/)
})

test('a malformed attribute list is looked over, and the rest is read', () => {
  for (const list of [
    '',
    ',',
    'A=,',
    'A=B,',
    '=B',
    'A="b',
    'SKIPPED-SEGMENTS=x',
    ','.repeat(3000),
    'A=B '.repeat(900),
  ]) {
    const facts = media(
      SLIDING.replace('#EXT-X-VERSION:3', `#EXT-X-SKIP:${list}\n#EXT-X-SERVER-CONTROL:${list}`),
    )
    assert.deepEqual(
      [facts.segments, facts.skippedSegments, facts.canBlockReload],
      [3, 0, false],
      list.slice(0, 20),
    )
  }
})

test('a line of a megabyte is read as any other', () => {
  const long = 'u'.repeat(1_000_000)
  const facts = media(SLIDING.replace('seg_2682.ts', long))
  const last = facts.tail.at(-1)
  assert.deepEqual([facts.segments, facts.windowMs, facts.listing.count], [3, 15_966, 2])
  assert.deepEqual([last?.address, last?.isGap], ['', true], 'counted, and not kept')
  assert.deepEqual(
    media(SLIDING.replace('# a comment', `#EXT-X-DATERANGE:${','.repeat(1_000_000)}`)),
    media(SLIDING),
  )
})

test('whatever comes is facts or a reason', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(
      ...SLIDING.split('\n'),
      '#EXT-X-STREAM-INF:',
      '#EXT-X-ENDLIST',
      '#EXT-X-PART-INF:PART-TARGET=1',
    ),
    fc
      .tuple(
        fc.constantFrom(
          'EXTINF',
          'EXT-X-TARGETDURATION',
          'EXT-X-SKIP',
          'EXT-X-MEDIA-SEQUENCE',
          'EXT-X-PART-INF',
        ),
        fc.string(),
      )
      .map(([tag, value]) => `#${tag}:${value}`),
  )
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const facts = read(['#EXTM3U', ...lines].join('\n'))
      if (isBad(facts)) assert.match(facts.bad, /^expected .+, came .+/s)
      else if (facts.role === 'media') assert.ok(facts.targetDurationMs > 0 && facts.windowMs >= 0)
    }),
  )
})
