/** How long a thing is kept when its origin does not say. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isBad, type ManifestFacts, type StreamTiming } from '../../src/media/facts.ts'
import type { MediaKind } from '../../src/media/kind.ts'
import { admissionOf, silentLifetime } from '../../src/media/lifetimes.ts'
import { readManifest } from '../../src/media/manifest.ts'
import fc from '../support/properties.ts'

const SECOND = 1000
const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 24 * HOUR
const NEVER = { freshMs: 0, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }

const KINDS: readonly MediaKind[] = [
  'hls-playlist',
  'dash-mpd',
  'dash-patch',
  'segment',
  'init',
  'text',
  'key',
  'steering',
  'progressive',
  'other',
]

/** Six seconds a segment, five of them listed. */
const LIVE: StreamTiming = {
  live: true,
  targetDurationMs: 6 * SECOND,
  partTargetMs: undefined,
  windowMs: 30 * SECOND,
  segmentDurationMs: 6 * SECOND,
  minimumUpdatePeriodMs: undefined,
}
const ENDED: StreamTiming = { ...LIVE, live: false }

function facts(kind: MediaKind, text: string): ManifestFacts {
  const read = readManifest(kind, new TextEncoder().encode(text))
  assert.ok(!isBad(read), JSON.stringify(read))
  return read
}
const playlist = (tags: string): ManifestFacts =>
  facts('hls-playlist', `#EXTM3U\n#EXT-X-TARGETDURATION:6\n${tags}\n#EXTINF:6,\na.ts\n`)
const mpd = (attributes: string): ManifestFacts =>
  facts('dash-mpd', `<MPD ${attributes}><Period><SegmentTemplate duration="4"/></Period></MPD>`)

const fresh = (kind: MediaKind, manifest: ManifestFacts, stream?: StreamTiming): number =>
  silentLifetime(kind, { manifest, stream }, 200).freshMs

test('a live playlist is fresh for half a target duration, and stale for one more when the origin fails', () => {
  const live = { freshMs: 3 * SECOND, staleWhileRevalidateMs: 0, staleIfErrorMs: 6 * SECOND }
  assert.deepEqual(silentLifetime('hls-playlist', { manifest: playlist('') }, 200), live)
  assert.deepEqual(
    silentLifetime('hls-playlist', { manifest: playlist('#EXT-X-PLAYLIST-TYPE:EVENT') }, 200),
    live,
  )
})

test('a playlist that has ended is fresh for a minute, a VOD for an hour', () => {
  assert.equal(fresh('hls-playlist', playlist('#EXT-X-ENDLIST')), MINUTE)
  assert.equal(fresh('hls-playlist', playlist('#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-ENDLIST')), HOUR)
})

test('a multivariant playlist is taken for live until its stream is known to have ended', () => {
  const manifest = facts('hls-playlist', '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n')
  assert.equal(fresh('hls-playlist', manifest), 10 * SECOND)
  assert.equal(fresh('hls-playlist', manifest, LIVE), 10 * SECOND)
  assert.equal(fresh('hls-playlist', manifest, ENDED), 5 * MINUTE)
})

test('a dynamic MPD is fresh for half of what comes first, the next update or the next segment', () => {
  assert.equal(fresh('dash-mpd', mpd('type="dynamic" minimumUpdatePeriod="PT3S"')), 1500)
  assert.equal(fresh('dash-mpd', mpd('type="dynamic" minimumUpdatePeriod="PT10S"')), 2 * SECOND)
})

test('a dynamic MPD is fresh for half a second at least, and a minute when it is never updated', () => {
  assert.equal(fresh('dash-mpd', mpd('type="dynamic" minimumUpdatePeriod="PT0S"')), 500)
  assert.equal(fresh('dash-mpd', mpd('type="dynamic"')), MINUTE)
  assert.equal(fresh('dash-mpd', mpd('type="static"')), 5 * MINUTE)
})

test('a patch is fresh as long as the MPD of its stream', () => {
  const patch = facts('dash-patch', '<Patch/>')
  const stream = { ...LIVE, minimumUpdatePeriodMs: 2 * SECOND }
  assert.equal(fresh('dash-patch', patch, stream), SECOND)
  assert.equal(fresh('dash-patch', patch), 500)
})

test('a manifest that could not be read is not kept', () => {
  for (const stream of [LIVE, ENDED, undefined]) {
    assert.deepEqual(silentLifetime('hls-playlist', { stream }, 200), NEVER)
    assert.deepEqual(silentLifetime('dash-mpd', { stream }, 200), NEVER)
  }
})

test('a live segment is fresh while it may be listed, from six segments to an hour', () => {
  const segment = (stream: Partial<StreamTiming>): number =>
    silentLifetime('segment', { stream: { ...LIVE, ...stream } }, 200).freshMs
  assert.equal(segment({ windowMs: 60 * SECOND }), 66 * SECOND)
  assert.equal(segment({ windowMs: 12 * SECOND }), 36 * SECOND)
  assert.equal(segment({ windowMs: 5 * HOUR }), HOUR)
  assert.equal(segment({ windowMs: undefined }), 10 * MINUTE)
})

test('a segment of a stream that has ended is fresh for thirty days, of an unknown stream for an hour', () => {
  for (const kind of ['segment', 'init', 'text', 'progressive'] as const) {
    assert.equal(silentLifetime(kind, { stream: ENDED }, 206).freshMs, 30 * DAY, kind)
    assert.equal(silentLifetime(kind, {}, 200).freshMs, HOUR, kind)
  }
})

test('a live init is fresh for six segments, for an encoder may write another under its name', () => {
  assert.deepEqual(silentLifetime('init', { stream: LIVE }, 200), {
    freshMs: 36 * SECOND,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: HOUR,
  })
})

test('keys, steering and what is no media are never kept, whatever the status', () => {
  for (const kind of ['key', 'steering', 'other'] as const) {
    for (const status of [200, 206, 404, 410, 500]) {
      for (const stream of [LIVE, ENDED, undefined]) {
        assert.deepEqual(silentLifetime(kind, { stream }, status), NEVER, `${kind} ${status}`)
      }
    }
  }
})

test('what is missing at the live edge is asked for again within a second, or within a part', () => {
  for (const kind of ['segment', 'init', 'text', 'dash-mpd', 'dash-patch'] as const) {
    assert.equal(silentLifetime(kind, { stream: LIVE }, 404).freshMs, SECOND, kind)
    assert.equal(silentLifetime(kind, {}, 410).freshMs, SECOND, kind)
  }
  assert.equal(silentLifetime('segment', { stream: { ...LIVE, partTargetMs: 333 } }, 404).freshMs, 333)
  assert.equal(silentLifetime('hls-playlist', { stream: LIVE }, 404).freshMs, 2 * SECOND)
})

test('what is missing of a stream that has ended stays missing for ten seconds', () => {
  assert.equal(silentLifetime('segment', { stream: ENDED }, 404).freshMs, 10 * SECOND)
  assert.equal(silentLifetime('hls-playlist', { stream: ENDED }, 404).freshMs, 10 * SECOND)
})

test('a permanent redirect is kept for an hour, a temporary one not at all', () => {
  assert.equal(silentLifetime('other', {}, 301).freshMs, HOUR)
  assert.equal(silentLifetime('segment', { stream: LIVE }, 308).freshMs, HOUR)
  assert.deepEqual(silentLifetime('key', {}, 301), NEVER)
  for (const status of [302, 303, 307]) assert.deepEqual(silentLifetime('segment', {}, status), NEVER)
})

test('a refusal or a failure is never kept', () => {
  for (const kind of KINDS) {
    for (const status of [204, 400, 401, 403, 407, 416, 425, 429, 451, 500, 502, 503, 504]) {
      for (const stream of [LIVE, ENDED, undefined]) {
        assert.deepEqual(silentLifetime(kind, { stream }, status), NEVER, `${kind} ${status}`)
      }
    }
  }
})

test('whatever a stream says of itself, a lifetime is whole, positive, and at the live edge an hour at most', () => {
  const duration = fc.option(fc.integer({ min: 0, max: 1e9 }), { nil: undefined })
  const timing = fc.record({
    live: fc.constant(true),
    targetDurationMs: duration,
    partTargetMs: duration,
    windowMs: duration,
    segmentDurationMs: duration,
    minimumUpdatePeriodMs: duration,
  })
  fc.assert(
    fc.property(fc.constantFrom(...KINDS), timing, fc.constantFrom(200, 404), (kind, stream, status) => {
      const silent = silentLifetime(kind, { stream }, status)
      for (const ms of Object.values(silent))
        assert.ok(Number.isSafeInteger(ms) && ms >= 0 && ms <= HOUR, `${ms}`)
    }),
  )
})

test('room is always made for manifests and the live edge, for the rest when it is wanted', () => {
  assert.equal(admissionOf('hls-playlist', {}), 'always')
  assert.equal(admissionOf('dash-mpd', { stream: ENDED }), 'always')
  assert.equal(admissionOf('segment', { stream: LIVE }), 'always')
  assert.equal(admissionOf('segment', { stream: ENDED }), 'when-wanted')
  assert.equal(admissionOf('segment', {}), 'when-wanted')
})
