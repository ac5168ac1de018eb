/** What viewers ask for next, found in what manifests say. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listingOf, lists } from '../../src/media/listing.ts'
import { placeOf } from '../../src/media/place.ts'
import { type Upcoming, upcomingDash, upcomingListed, upcomingLive } from '../../src/media/upcoming.ts'
import { dashFacts, mediaFacts } from '../support/media-facts.ts'
import fc from '../support/properties.ts'

const HEAD = '#EXTM3U\n#EXT-X-TARGETDURATION:6\n'
const targets = (list: readonly Upcoming[]): string[] =>
  list.map(({ place, what }) => `${what} ${place.kind === 'here' ? place.target : `! ${place.url}`}`)

test('an address leads where a player goes with it', () => {
  const manifest = '/live/one/index.m3u8?token=1'
  for (const [address, target] of [
    ['a.ts', '/live/one/a.ts'],
    ['../two/a.ts?x=~a/b=', '/live/two/a.ts?x=~a/b='],
    ['/a.ts', '/a.ts'],
    ['?part=2', '/live/one/index.m3u8?part=2'],
    ['a b.ts', '/live/one/a%20b.ts'],
    ['a%2Fb.ts', '/live/one/a%2Fb.ts'],
    ['../../../../etc', '/etc'],
  ] as const)
    assert.deepEqual(placeOf(manifest, address), { kind: 'here', target }, address)
  assert.deepEqual(placeOf(manifest, '//cdn.example/a.ts'), {
    kind: 'elsewhere',
    url: 'http://cdn.example/a.ts',
  })
  assert.deepEqual(placeOf(manifest, 'https://cdn.example/v/', '../a.ts'), {
    kind: 'elsewhere',
    url: 'https://cdn.example/a.ts',
  })
  for (const address of [
    'data:,x',
    'skd://key',
    'file:///etc/passwd',
    'http://',
    '{$v}/a.ts',
    'http://u:p@h/',
    'a'.repeat(9000),
  ])
    assert.equal(placeOf(manifest, address), undefined, address.slice(0, 20))
})

test('an address of this machine, of a link or of the metadata of a cloud is somebody else’s', () => {
  for (const host of ['127.0.0.1:80', '[::1]', '169.254.169.254', 'localhost', '0x7f.1', '2130706433'])
    assert.equal(placeOf('/a.m3u8', `http://${host}/latest/meta-data`)?.kind, 'elsewhere', host)
})

test('any address is a place or none', () => {
  fc.assert(
    fc.property(fc.string(), fc.webUrl(), (address, url) => {
      const place = placeOf('/a/b.m3u8', address)
      if (place?.kind === 'here') assert.ok(place.target.startsWith('/'))
      assert.equal(placeOf('/a/b.m3u8', url)?.kind, 'elsewhere')
    }),
  )
})

const VOD = mediaFacts(
  `${HEAD}${['s1.ts', 's10.ts', './s11.ts', '/vod/s12.ts?t=1', '../vod/s13.ts', 'https://cdn.example/s14.ts', 's15.ts'].map((name) => `#EXTINF:6,\n${name}\n`).join('')}#EXT-X-ENDLIST\n`,
)

test('after a segment of a listed stream come the next of its playlist', () => {
  const after = (target: string, count = 2) => targets(upcomingListed(VOD, '/vod/a.m3u8', { target }, count))
  assert.deepEqual(after('/vod/s1.ts'), ['segment /vod/s10.ts', 'segment /vod/s11.ts'])
  assert.deepEqual(after('/vod/s11.ts'), ['segment /vod/s12.ts?t=1', 'segment /vod/s13.ts'])
  assert.deepEqual(after('/vod/s12.ts?t=1', 1), ['segment /vod/s13.ts'])
  assert.deepEqual(after('/vod/s13.ts'), ['segment ! https://cdn.example/s14.ts', 'segment /vod/s15.ts'])
  assert.deepEqual(after('/vod/s15.ts'), [], 'the last')
  for (const target of ['/vod/s.ts', '/vod/s1', '/s1.ts', '/vod/1.ts', '/vod/s12.ts', '/vod/s1.ts?x']) {
    assert.deepEqual(after(target), [], target)
    assert.equal(lists(VOD.listing, '/vod/a.m3u8', target), false, target)
  }
})

test('after a range of a file comes the next one of it', () => {
  const ranges = mediaFacts(
    `${HEAD}${Array.from({ length: 4 }, () => '#EXTINF:6,\n#EXT-X-BYTERANGE:100\nall.mp4\n').join('')}#EXT-X-ENDLIST\n`,
  )
  const after = (first: number) =>
    upcomingListed(ranges, '/a.m3u8', { target: '/all.mp4', range: { first, last: first + 9 } }, 1).map(
      ({ range }) => range?.first,
    )
  assert.deepEqual([after(0), after(100), after(150), after(300)], [[100], [200], [200], []])
  assert.ok(lists(ranges.listing, '/a.m3u8', '/all.mp4'))
})

test('whatever is listed is found, and what follows it is what is listed next', () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z0-9]{1,3}(\/[a-z0-9]{1,2})?\.ts$/), { minLength: 1 })
  fc.assert(
    fc.property(names, fc.constantFrom('', '/x/', './', '../y/', 'http://h.example/'), (list, prefix) => {
      const listing = listingOf(list.map((name) => prefix + name))
      const facts = { ...VOD, listing }
      list.forEach((name, at) => {
        const place = placeOf('/x/m.m3u8', prefix + name)
        if (place?.kind !== 'here') return
        const next = upcomingListed(facts, '/x/m.m3u8', { target: place.target }, 1)
        const expected = list.slice(at + 1, at + 2).map((after) => placeOf('/x/m.m3u8', prefix + after))
        assert.deepEqual(
          next.map((one) => one.place),
          expected,
        )
      })
    }),
  )
})

const window = (first: number, count: number, extra = ''): string =>
  `${HEAD}#EXT-X-MEDIA-SEQUENCE:${first}\n#EXT-X-MAP:URI="i.mp4"\n${Array.from({ length: count }, (_, at) => `#EXTINF:6,\n${first + at}.m4s\n`).join('')}${extra}`

test('a new version of a live playlist brings its new segments, three at most, and no gaps', () => {
  const [one, two, far] = [window(0, 3), window(1, 3), window(50, 9)].map(mediaFacts)
  assert.ok(one && two && far)
  assert.deepEqual(targets(upcomingLive(undefined, one, '/l/m.m3u8')), ['init /l/i.mp4', 'segment /l/2.m4s'])
  assert.deepEqual(targets(upcomingLive(one, two, '/l/m.m3u8')), ['segment /l/3.m4s'])
  assert.deepEqual(targets(upcomingLive(two, two, '/l/m.m3u8')), [])
  assert.deepEqual(
    targets(upcomingLive(one, far, '/l/m.m3u8')),
    [56, 57, 58].map((at) => `segment /l/${at}.m4s`),
  )
  const gap = mediaFacts(window(1, 2, '#EXT-X-GAP\n#EXTINF:6,\n3.m4s\n'))
  assert.deepEqual(targets(upcomingLive(one, gap, '/l/m.m3u8')), [])
})

test('in low latency the new parts and the hints come, a hint with its range', () => {
  const low = (extra: string) =>
    mediaFacts(window(0, 3, extra).replace(HEAD, `${HEAD}#EXT-X-PART-INF:PART-TARGET=1\n`))
  const part = (name: string): string => `#EXT-X-PART:DURATION=1,URI="${name}"\n`
  const before = low(part('3.0.mp4'))
  const after = low(`${part('3.0.mp4')}${part('3.1.mp4')}#EXT-X-PRELOAD-HINT:TYPE=PART,URI="3.2.mp4"\n`)
  assert.deepEqual(targets(upcomingLive(before, after, '/l/m.m3u8')), ['part /l/3.1.mp4', 'hint /l/3.2.mp4'])
  const closed = low(
    `${part('3.0.mp4')}${part('3.1.mp4')}#EXTINF:2,\n3.m4s\n${part('4.0.mp4')}#EXT-X-PRELOAD-HINT:TYPE=PART,URI="4.mp4",BYTERANGE-START=9\n`,
  )
  const upcoming = upcomingLive(before, closed, '/l/m.m3u8')
  assert.deepEqual(targets(upcoming), ['part /l/3.1.mp4', 'part /l/4.0.mp4', 'hint /l/4.mp4'])
  assert.deepEqual(upcoming.at(-1)?.range, { first: 9, last: undefined })
})

const START = Date.parse('2026-01-01T00:00:00Z')
const MPD =
  dashFacts(`<MPD type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z" minimumUpdatePeriod="PT2S">
  <BaseURL>../cdn/</BaseURL><Period id="1" start="PT0S">
  <AdaptationSet><SegmentTemplate media="$RepresentationID$/$Number%05d$.m4s" duration="2"/><Representation id="v1"/><Representation id="v2"/></AdaptationSet>
  <AdaptationSet><SegmentTemplate media="https://127.0.0.1/$Number$.m4s" duration="2"/><Representation id="evil"/></AdaptationSet>
  </Period></MPD>`)

test('after a segment of a representation come the next of the same, as far as they can be there', () => {
  const after = (target: string, elapsed: number) =>
    targets(upcomingDash(MPD, '/live/m.mpd', target, 3, START + elapsed))
  assert.deepEqual(
    after('/cdn/v2/00004.m4s', 60_000),
    [5, 6, 7].map((at) => `segment /cdn/v2/0000${at}.m4s`),
  )
  assert.deepEqual(after('/cdn/v2/00004.m4s', 10_000), ['segment /cdn/v2/00005.m4s'])
  for (const target of ['/cdn/v3/00004.m4s', '/cdn/v2/x.m4s', '/live/v2/00004.m4s', '/127.0.0.1/4.m4s'])
    assert.deepEqual(after(target, 60_000), [], target)
})
