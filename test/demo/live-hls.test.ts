import assert from 'node:assert/strict'
import { test } from 'node:test'
import { liveMediaPlaylist, liveMultivariant } from '../../src/demo/live-hls.ts'
import { liveResource } from '../../src/demo/live-streams.ts'
import { WINDOW_SEGMENTS } from '../../src/demo/live-window.ts'
import { addressesOf, readBars, tagValue } from './bars.ts'

const bars = await readBars()
const { title } = bars
const LOOP = title.segments
const START = 1_795_428_000_000

/** Every segment duration over two loops and a half. */
const INSTANTS = Array.from({ length: 2.5 * LOOP }, (_, step) => START + step * 2000 + 1)

/** The playlists of a live stream, by name, at an instant. */
function playlistsAt(now: number): { path: string; text: string }[] {
  const names = ['ts/144p', 'ts/270p', 'ts/360p', 'fmp4/144p', 'fmp4/270p', 'fmp4/360p', 'fmp4/audio']
  return names.map((name) => {
    const found = liveResource(bars, `/live/${name}.m3u8`, now)
    assert.ok(found, `${name} at ${now}`)
    return { path: `/live/${name}.m3u8`, text: new TextDecoder().decode(found.bytes) }
  })
}

test('a live playlist lists the whole window, numbered by the wall clock', () => {
  for (const { path, text } of playlistsAt(START)) {
    const addresses = addressesOf(text)
    assert.equal(addresses.length, WINDOW_SEGMENTS, path)
    assert.equal(tagValue(text, 'EXT-X-MEDIA-SEQUENCE'), START / 2000 - WINDOW_SEGMENTS)
    assert.match(addresses.at(-1) ?? '', new RegExp(`/${START / 2000 - 1}\\.`))
    assert.doesNotMatch(text, /ENDLIST/)
  }
})

test('the media sequence grows by one a segment, and the discontinuity sequence never goes back', () => {
  let before = { media: START / 2000 - WINDOW_SEGMENTS - 1, discontinuity: 0 }
  for (const now of INSTANTS) {
    const text = liveMediaPlaylist(title, title.audio, 'ts', now)
    const media = tagValue(text, 'EXT-X-MEDIA-SEQUENCE')
    const discontinuity = tagValue(text, 'EXT-X-DISCONTINUITY-SEQUENCE')
    assert.equal(media, before.media + 1)
    assert.ok(discontinuity >= before.discontinuity)
    before = { media, discontinuity }
  }
})

test('discontinuities are counted from 2026 on, for players that walk through them all', () => {
  const begins = Date.UTC(2026, 0, 1)
  const atLoop = (loop: number) => {
    const now = begins + (loop * LOOP + WINDOW_SEGMENTS) * 2000
    return tagValue(liveMediaPlaylist(title, title.audio, 'ts', now), 'EXT-X-DISCONTINUITY-SEQUENCE')
  }
  assert.deepEqual([-5, 0, 1, 1000].map(atLoop), [0, 0, 1, 1000])
})

test('a segment keeps its discontinuity number for as long as it is listed', () => {
  const known = new Map<string, number>()
  let seen = 0
  for (const now of INSTANTS) {
    const text = liveMediaPlaylist(title, title.audio, 'ts', now)
    let discontinuity = tagValue(text, 'EXT-X-DISCONTINUITY-SEQUENCE')
    for (const line of text.split('\n')) {
      if (line === '#EXT-X-DISCONTINUITY') discontinuity += 1
      if (line === '' || line.startsWith('#')) continue
      assert.equal(known.get(line) ?? discontinuity, discontinuity, line)
      known.set(line, discontinuity)
      seen += 1
    }
  }
  assert.equal(seen, INSTANTS.length * WINDOW_SEGMENTS)
  assert.ok(new Set(known.values()).size >= 3)
})

test('the discontinuity stands where the title begins anew, and nowhere in fMP4', () => {
  for (const now of INSTANTS) {
    const lines = liveMediaPlaylist(title, title.audio, 'ts', now).split('\n')
    const after = lines.flatMap((line, at) => (line === '#EXT-X-DISCONTINUITY' ? [lines.slice(at + 1)] : []))
    for (const rest of after) {
      const number = Number(/(\d+)\.ts/.exec(addressesOf(rest.join('\n'))[0] ?? '')?.[1])
      assert.equal(number % LOOP, 0)
    }
    assert.doesNotMatch(liveMediaPlaylist(title, title.audio, 'fmp4', now), /DISCONTINUITY/)
  }
})

test('every segment listed is there at that instant, and the next one is not yet', () => {
  for (const now of INSTANTS) {
    for (const { path, text } of playlistsAt(now)) {
      const addresses = addressesOf(text)
      const map = /#EXT-X-MAP:URI="([^"]+)"/.exec(text)?.[1]
      for (const address of map === undefined ? addresses : [map, ...addresses]) {
        const at = new URL(address, `http://demo${path}`).pathname
        assert.ok(liveResource(bars, at, now), `${at} at ${now}`)
      }
      const newest = new URL(addresses.at(-1) ?? '', `http://demo${path}`).pathname
      const next = newest.replace(/\d+(?=\.\w+$)/, (number) => String(Number(number) + 1))
      assert.equal(liveResource(bars, next, now), undefined, next)
    }
  }
})

test('durations round to no more than the target, and say when the next segment was on air', () => {
  for (const { text } of playlistsAt(START + 12_000)) {
    const durations = [...text.matchAll(/#EXTINF:([\d.]+),/g)].map((match) => Number(match[1]))
    const dates = [...text.matchAll(/#EXT-X-PROGRAM-DATE-TIME:(.+)/g)].map((match) =>
      Date.parse(match[1] ?? ''),
    )
    assert.equal(dates.length, durations.length)
    for (const [at, duration] of durations.entries()) {
      assert.ok(Math.round(duration) <= tagValue(text, 'EXT-X-TARGETDURATION'))
      const next = dates[at + 1]
      if (next !== undefined) assert.ok(Math.abs((dates[at] ?? 0) + duration * 1000 - next) <= 1)
    }
  }
})

test('a multivariant playlist leads to media playlists that exist', () => {
  for (const container of ['ts', 'fmp4'] as const) {
    const text = liveMultivariant(title, container)
    const media = [...text.matchAll(/URI="([^"]+)"/g)].map((match) => match[1] ?? '')
    assert.equal(media.length, container === 'fmp4' ? 1 : 0)
    for (const address of [...addressesOf(text), ...media]) {
      assert.ok(liveResource(bars, `/live/${container}/${address}`, START), address)
    }
  }
})
