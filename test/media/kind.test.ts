/** What kind of thing a response is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isManifest, kindOf, type MediaKind, mayBeManifest } from '../../src/media/kind.ts'
import fc from '../support/properties.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** A box of an MP4 with `size` bytes of body, of which all are there. */
function box(type: string, size = 8): Uint8Array {
  const bytes = new Uint8Array(8 + size)
  new DataView(bytes.buffer).setUint32(0, bytes.length)
  bytes.set(text(type), 4)
  return bytes
}

function packets(count: number): Uint8Array {
  const bytes = new Uint8Array(188 * count)
  for (let packet = 0; packet < count; packet++) bytes[188 * packet] = 0x47
  return bytes
}

const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))

test('the ending of the path tells the kind, in either case and whatever the query says', () => {
  const kinds: Record<string, MediaKind> = {
    '/live/index.m3u8': 'hls-playlist',
    '/live/INDEX.M3U8?_HLS_msn=4': 'hls-playlist',
    '/radio.m3u': 'hls-playlist',
    '/a/manifest.mpd?token=a.ts': 'dash-mpd',
    '/a/manifest.mpp?publishTime=2026-01-01T00:00:00Z': 'dash-patch',
    '/a/seg_1.ts': 'segment',
    '/a/1.m4s': 'segment',
    '/a/v1;jsessionid=1.2': 'other',
    '/a/1.cmfv;v=1': 'segment',
    '/a/audio.aac': 'segment',
    '/a/subtitles_1.vtt': 'text',
    '/a/subtitles.ttml': 'text',
    '/a/enc.key': 'key',
    '/drm/license?kid=1': 'key',
    '/steering?_HLS_pathway=a': 'steering',
    '/a/list.dcsm': 'steering',
    '/poster.jpg': 'other',
    '/time?iso': 'other',
    '/': 'other',
    '': 'other',
    '/m3u8': 'other',
    '/live.m3u8/player.html': 'other',
  }
  for (const [target, kind] of Object.entries(kinds)) assert.equal(kindOf(target), kind, target)
})

test('a media file is a segment, an init or a whole file by the looks of its name', () => {
  const kinds: Record<string, MediaKind> = {
    '/a/init.mp4': 'init',
    '/a/init-stream0.m4s': 'init',
    '/a/video_init.mp4': 'init',
    '/a/v720/init0.webm': 'init',
    '/a/seg-12.mp4': 'segment',
    '/a/chunk-stream0-00001.webm': 'segment',
    '/a/video_part3.mp4': 'segment',
    '/a/filePart271.1.mp4': 'segment',
    '/a/fileSequence271.mp4': 'segment',
    '/a/00017.mp4': 'segment',
    '/a/7.m4v': 'segment',
    '/a/movie.mp4': 'progressive',
    '/a/movie_1080.mp4': 'progressive',
    '/a/initial-d.mp4': 'progressive',
    '/a/party.mp4': 'progressive',
    '/a/song.mp3': 'progressive',
  }
  for (const [target, kind] of Object.entries(kinds)) assert.equal(kindOf(target), kind, target)
})

test('the type of a playlist makes a playlist of any name', () => {
  assert.equal(kindOf('/live', 'application/vnd.apple.mpegurl'), 'hls-playlist')
  assert.equal(kindOf('/live', 'Application/X-MpegURL; charset=utf-8'), 'hls-playlist')
  assert.equal(kindOf('/live/1.ts', 'audio/mpegurl'), 'hls-playlist')
  assert.equal(kindOf('/live', 'application/dash+xml;profiles="x"'), 'dash-mpd')
  assert.equal(kindOf('/live', 'application/dash-patch+xml'), 'dash-patch')
})

test('the type tells the kind of what has no telling name', () => {
  assert.equal(kindOf('/v/1', 'video/mp2t'), 'segment')
  assert.equal(kindOf('/v/1', 'video/mp4'), 'progressive')
  assert.equal(kindOf('/v/1', 'text/vtt; charset=utf-8'), 'text')
  assert.equal(kindOf('/v/1', 'application/vnd.apple.steering-list'), 'steering')
  assert.equal(kindOf('/v/1', 'image/jpeg'), 'other')
})

test('a page in the place of media is not media', () => {
  for (const type of ['text/html', 'TEXT/HTML; charset=utf-8', 'application/json']) {
    for (const target of ['/a/1.ts', '/a/init.mp4', '/a/1.vtt', '/a/movie.mp4']) {
      assert.equal(kindOf(target, type), 'other', `${target} as ${type}`)
    }
  }
  assert.equal(kindOf('/a/1', 'text/html', text('#EXTM3U\n')), 'other')
})

test("a page in a manifest's place stays a manifest, for readManifest to refuse", () => {
  assert.equal(kindOf('/a/index.m3u8', 'text/html'), 'hls-playlist')
  assert.equal(kindOf('/a/index.mpd', 'text/html'), 'dash-mpd')
})

test('a vague type does not change what the name says', () => {
  for (const type of ['application/octet-stream', 'text/plain', 'binary/octet-stream', '', 'video/mp4']) {
    assert.equal(kindOf('/a/1.ts', type), 'segment')
    assert.equal(kindOf('/a/index.m3u8', type), 'hls-playlist')
  }
})

test('the first bytes tell the kind when nothing else does', () => {
  const cases: readonly (readonly [string, Uint8Array, MediaKind])[] = [
    ['a playlist', text('#EXTM3U\n#EXTINF'), 'hls-playlist'],
    ['a playlist behind a byte order mark', text('\ufeff#EXTM3U\r\n'), 'hls-playlist'],
    ['nearly a playlist', text('#EXTM3U8\n'), 'other'],
    ['an MPD', text('<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">'), 'dash-mpd'],
    [
      'an MPD behind declaration, comments and white space',
      text('\ufeff<?xml version="1.0"?>\n<!-- <html> --> \n<!--2--><MPD>'),
      'dash-mpd',
    ],
    ['an MPD with a prefix', text('<mpd:MPD xmlns:mpd="urn:mpeg:dash:schema:mpd:2011">'), 'dash-mpd'],
    ['a patch', text('<?xml version="1.0"?><Patch mpdId="a">'), 'dash-patch'],
    ['another document', text('<?xml version="1.0"?><MPDX/>'), 'other'],
    ['a page', text('<!DOCTYPE html><html><MPD>'), 'other'],
    ['an endless comment', text('<!-- MPD'), 'other'],
    ['WebVTT', text('WEBVTT\n\n'), 'text'],
    ['TTML', text('<tt xmlns="http://www.w3.org/ns/ttml">'), 'text'],
    ['styp', join(box('styp'), box('moof')), 'segment'],
    ['moof', box('moof'), 'segment'],
    ['sidx', box('sidx'), 'segment'],
    ['ftyp and moov', join(box('ftyp'), box('moov', 600)), 'init'],
    ['ftyp, moov and mdat', join(box('ftyp'), box('moov', 600), box('mdat')), 'progressive'],
    ['ftyp, moov and moof', join(box('ftyp'), box('moov', 600), box('moof')), 'progressive'],
    ['ftyp and the beginning of moov', join(box('ftyp'), box('moov', 600)).subarray(0, 300), 'progressive'],
    ['transport stream', packets(3), 'segment'],
    ['a G', text('Good morning. '.repeat(30)), 'other'],
    ['AAC', new Uint8Array([0xff, 0xf1, 0x50, 0x80]), 'segment'],
    ['Matroska', new Uint8Array([0x1a, 0x45, 0xdf, 0xa3]), 'progressive'],
    ['nothing', new Uint8Array(0), 'other'],
  ]
  for (const [name, bytes, kind] of cases) assert.equal(kindOf('/v/1', undefined, bytes), kind, name)
})

test('the first bytes tell a piece of a stream from a whole file', () => {
  assert.equal(kindOf('/movie.mp4', 'video/mp4', join(box('styp'), box('moof'))), 'segment')
  assert.equal(kindOf('/v/1', 'video/mp4', join(box('ftyp'), box('moov'))), 'init')
  assert.equal(kindOf('/movie.mp4', 'video/mp4', join(box('ftyp'), box('moov'), box('mdat'))), 'progressive')
})

test('what has no telling name and no telling type may be a manifest', () => {
  for (const [target, type] of [
    ['/a.m3u8', 'text/html'],
    ['/live', 'application/dash+xml'],
    ['/live', undefined],
    ['/live', 'text/plain; charset=utf-8'],
    ['/live', 'application/xml'],
  ] as const) {
    assert.ok(mayBeManifest(target, type), `${target} as ${type}`)
  }
  for (const [target, type] of [
    ['/a.ts', 'application/octet-stream'],
    ['/live', 'video/mp4'],
    ['/live', 'text/html'],
    ['/enc.key', undefined],
  ] as const) {
    assert.ok(!mayBeManifest(target, type), `${target} as ${type}`)
  }
})

test('any target, type and bytes have a kind', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.uint8Array(), (target, type, bytes) => {
      assert.equal(typeof isManifest(kindOf(target, type, bytes)), 'boolean')
    }),
  )
})

test('a name of a hundred thousand digits takes no longer to read than its length', () => {
  const before = process.cpuUsage()
  assert.equal(kindOf(`/${'1'.repeat(100_000)}x.mp4`), 'progressive')
  const { user } = process.cpuUsage(before)
  // Looked at from each of its digits it would take twenty seconds.
  assert.ok(user < 5_000_000, `${user} µs`)
})
