/** What manifests have told reaches the things below them, and nothing else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Streams, type Version } from '../../src/cache/streams.ts'
import type { HlsMediaFacts } from '../../src/media/facts.ts'
import { mediaFacts, multivariantFacts } from '../support/media-facts.ts'
import { routeOf } from './support/route.ts'

const ROUTE = routeOf()

function playlist(targetDurationMs: number, live = true): HlsMediaFacts {
  const end = live ? '' : '#EXT-X-ENDLIST\n'
  return mediaFacts(`#EXTM3U\n#EXT-X-TARGETDURATION:${targetDurationMs / 1000}\n#EXTINF:4,\na.ts\n${end}`)
}

function version(readAt: number, isRecalled = false): Version {
  return { readAt, askedAt: readAt, variant: {}, isRecalled }
}

test('segments beside and below a manifest are of its stream', () => {
  const streams = new Streams()
  streams.learn(ROUTE, '/live/one/index.m3u8?a=1', playlist(4_000), version(0))
  for (const target of ['/live/one/a.ts', '/live/one/video/a.ts', '/live/one/video/1080/a.ts?x=/..'])
    assert.equal(streams.timingOf(target)?.targetDurationMs, 4_000, target)
  for (const target of ['/live/two/a.ts', '/live/a.ts', '/a.ts', '/live/one.ts'])
    assert.equal(streams.timingOf(target), undefined, target)
})

test('the nearest manifest above speaks', () => {
  const streams = new Streams()
  streams.learn(ROUTE, '/live/index.m3u8', playlist(4_000), version(0))
  streams.learn(ROUTE, '/live/low/index.m3u8', playlist(2_000), version(0))
  assert.equal(streams.timingOf('/live/low/a.ts')?.targetDurationMs, 2_000)
  assert.equal(streams.timingOf('/live/high/a.ts')?.targetDurationMs, 4_000)
})

test('what is newer is believed', () => {
  const streams = new Streams()
  streams.learn(ROUTE, '/live/index.m3u8', playlist(4_000), version(0))
  streams.learn(ROUTE, '/live/index.m3u8', playlist(4_000, false), version(5_000))
  assert.equal(streams.timingOf('/live/a.ts')?.live, false)
  assert.deepEqual(
    streams.list().map(({ manifest, readAt }) => [manifest, readAt]),
    [['/live/index.m3u8', 5_000]],
  )
})

test('a multivariant playlist is a stream and tells no timing', () => {
  const streams = new Streams()
  streams.learn(
    ROUTE,
    '/live/main.m3u8',
    multivariantFacts('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n'),
    version(0),
  )
  assert.equal(streams.timingOf('/live/a.ts'), undefined)
  assert.equal(streams.list().length, 1)
})

test('what is recalled from store is known where nothing else is, takes the place of none that is newer, and is told apart', () => {
  const streams = new Streams()
  const heard: [boolean, number][] = []
  streams.onNews(({ isRecalled, readAt }) => heard.push([isRecalled, readAt]))
  streams.learn(ROUTE, '/live/a.m3u8', playlist(4_000), version(1_000, true))
  assert.equal(streams.timingOf('/live/a.ts')?.targetDurationMs, 4_000)
  streams.learn(ROUTE, '/live/a.m3u8', playlist(2_000), version(5_000))
  streams.learn(ROUTE, '/live/a.m3u8?token=1', playlist(4_000), version(1_000, true))
  assert.equal(streams.timingOf('/live/a.ts')?.targetDurationMs, 2_000)
  assert.equal(streams.of('/live/a.m3u8')?.readAt, 5_000)
  assert.deepEqual(heard, [
    [true, 1_000],
    [false, 5_000],
    [true, 1_000],
  ])
})
