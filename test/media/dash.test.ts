/** Facts from DASH media presentation descriptions. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { MAX_REPRESENTATIONS } from '../../src/media/dash-facts.ts'
import { type DashFacts, isBad } from '../../src/media/facts.ts'
import { parseIsoDuration } from '../../src/media/iso-duration.ts'
import { readManifest } from '../../src/media/manifest.ts'
import { weightOf } from '../../src/media/weight.ts'
import fc from '../support/properties.ts'

const read = (text: string) => readManifest('dash-mpd', new TextEncoder().encode(text))

function mpd(text: string): DashFacts {
  const facts = read(text)
  assert.ok(!isBad(facts) && facts.role === 'presentation', inspect(facts))
  return facts
}

function badOf(text: string): string {
  const facts = read(text)
  assert.ok(isBad(facts), inspect(facts))
  return facts.bad
}

test('a dynamic MPD is live, and tells its pace and its window', () => {
  const facts = mpd(`<?xml version="1.0" encoding="UTF-8"?>
<!-- packaged -->
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" minimumUpdatePeriod="PT2S" timeShiftBufferDepth="PT1M"
     publishTime="2026-01-01T00:00:00Z" maxSegmentDuration="PT9S">
  <Period id="1" start="PT0S">
    <AdaptationSet>
      <SegmentTemplate timescale="90000" duration="180000" media="$RepresentationID$/$Number$.m4s"/>
      <Representation id="v" bandwidth="1"/>
    </AdaptationSet>
  </Period>
  <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="https://time.example/?iso /time"/>
  <UTCTiming schemeIdUri="urn:mpeg:dash:utc:direct:2014" value="2026-01-01T00:00:00Z"/>
</MPD>`)
  const { representations, ...rest } = facts
  assert.deepEqual(rest, {
    protocol: 'dash',
    role: 'presentation',
    live: true,
    minimumUpdatePeriodMs: 2000,
    windowMs: 60_000,
    segmentDurationMs: 2000,
    publishTime: '2026-01-01T00:00:00Z',
    clocks: ['https://time.example/?iso', '/time'],
    id: undefined,
    publishedAt: 1_767_225_600_000,
    availabilityStartAt: undefined,
    periods: [{ id: '1', startMs: 0 }],
    location: undefined,
    patchLocation: undefined,
    steering: undefined,
  })
  assert.deepEqual(
    representations.map(({ id, bandwidth, template }) => [
      id,
      bandwidth,
      template?.media,
      template?.duration,
    ]),
    [['v', 1, '$RepresentationID$/$Number$.m4s', 180_000]],
  )
})

test('a static MPD is not live, and its window is the presentation', () => {
  const facts = mpd('<MPD mediaPresentationDuration="PT1H2M3.5S" maxSegmentDuration="PT4S"><Period/></MPD>')
  assert.deepEqual(
    [facts.live, facts.windowMs, facts.segmentDurationMs, facts.minimumUpdatePeriodMs],
    [false, 3_723_500, 4000, undefined],
  )
})

test('no update period and an update period of zero are two things', () => {
  assert.equal(mpd('<MPD type="dynamic"/>').minimumUpdatePeriodMs, undefined)
  assert.equal(mpd('<MPD type="dynamic" minimumUpdatePeriod="PT0S"/>').minimumUpdatePeriodMs, 0)
})

test('a timeline is counted in the timescale of the nearest level above', () => {
  const facts = mpd(`<MPD>
    <Period>
      <AdaptationSet>
        <SegmentTemplate timescale="1000"/>
        <Representation>
          <SegmentTemplate><SegmentTimeline><S t="0" d="1920" r="5"/><S d="3840"/></SegmentTimeline></SegmentTemplate>
        </Representation>
        <Representation>
          <SegmentTemplate timescale="48000"><SegmentTimeline><S d="96000"/></SegmentTimeline></SegmentTemplate>
        </Representation>
      </AdaptationSet>
      <AdaptationSet><SegmentTemplate duration="2"/></AdaptationSet>
    </Period>
  </MPD>`)
  assert.equal(facts.segmentDurationMs, 3840)
  assert.equal(mpd('<MPD><Period><SegmentList duration="7"/></Period></MPD>').segmentDurationMs, 7000)
})

test('names may carry a prefix', () => {
  const facts = mpd('<d:MPD xmlns:d="urn:mpeg:dash:schema:mpd:2011" type="dynamic"><d:Period/></d:MPD>')
  assert.equal(facts.live, true)
})

test('a patch tells when it was published', () => {
  const text =
    '<Patch xmlns="urn:mpeg:dash:schema:mpd-patch:2020" mpdId="a" publishTime="2026-01-01T00:00:02Z"/>'
  assert.deepEqual(readManifest('dash-patch', new TextEncoder().encode(text)), {
    protocol: 'dash',
    role: 'patch',
    publishTime: '2026-01-01T00:00:02Z',
  })
  assert.match(badOf(text), /root element MPD, came <Patch>$/)
})

test('what is no MPD is refused, and the reason says what came instead', () => {
  assert.match(badOf(''), /came nothing$/)
  assert.match(badOf('#EXTM3U\n'), /came an HLS playlist$/)
  assert.match(badOf('<!DOCTYPE html><html><body></html>'), /came HTML$/)
  assert.match(badOf('<html><body>'), /came HTML$/)
  assert.match(badOf('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), /came <Error>$/)
  assert.match(badOf('{}'), /came JSON$/)
  assert.match(badOf('MPD'), /came "MPD"$/)
})

test('a truncated MPD is refused', () => {
  const whole = '<MPD type="dynamic"><Period><AdaptationSet a="1"/></Period></MPD>'
  mpd(whole)
  for (let length = 1; length < whole.length; length++) {
    assert.match(badOf(whole.slice(0, length)), /^expected .+, came .+/, whole.slice(0, length))
  }
})

test('a document type declaration is refused before any entity is made of entities', () => {
  const laughs = Array.from({ length: 20 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`).join(
    '',
  )
  assert.match(
    badOf(`<?xml version="1.0"?><!DOCTYPE MPD [<!ENTITY l0 "lol">${laughs}]><MPD>&l20;</MPD>`),
    /came a document type declaration$/,
  )
})

test('an MPD tells where its updates are, its Periods, and which run of the stream it is of', () => {
  const facts =
    mpd(`<MPD type="dynamic" id="channel" availabilityStartTime="2026-01-01T00:00:00" publishTime="2026-01-01T01:00:00+01:00">
    <Location>https://one.example/a.mpd?x=1&amp;y=2</Location><Location>two.mpd</Location>
    <PatchLocation ttl="60"> patch.mpp?publishTime=1 </PatchLocation>
    <Period id="p1" start="PT0S" duration="PT60S"><AdaptationSet><SegmentTemplate media="old/$Number$" duration="2"/><Representation id="old"/></AdaptationSet></Period>
    <Period id="p2"><AdaptationSet><SegmentTemplate media="new/$Number$" duration="2"/><Representation id="new"/></AdaptationSet></Period>
  </MPD>`)
  const midnight = Date.parse('2026-01-01T00:00:00Z')
  assert.deepEqual(
    [facts.id, facts.availabilityStartAt, facts.publishedAt],
    ['channel', midnight, midnight],
    'without a zone it is UTC',
  )
  assert.deepEqual(
    [facts.location, facts.patchLocation],
    ['https://one.example/a.mpd?x=1&y=2', 'patch.mpp?publishTime=1'],
  )
  assert.deepEqual(facts.periods, [
    { id: 'p1', startMs: 0 },
    { id: 'p2', startMs: 60_000 },
  ])
  assert.deepEqual(
    facts.representations.map(({ id }) => id),
    ['new'],
    'of the last Period',
  )
})

test('an MPD of a hundred thousand of anything has facts of bounded weight', () => {
  const many = (one: string): string => one.repeat(100_000)
  const own =
    '<Representation><SegmentTemplate media="$Time$"><SegmentTimeline><S t="0" d="1"/><S t="9" d="2"/></SegmentTimeline></SegmentTemplate></Representation>'
  for (const inner of [
    many('<Period/>'),
    `<Period><AdaptationSet>${own.repeat(20_000)}</AdaptationSet></Period>`,
    `<Period><AdaptationSet>${many('<BaseURL>a/</BaseURL>')}<Representation/></AdaptationSet></Period>`,
    `<Period ${Array.from({ length: 20_000 }, (_, at) => `a${at}="1"`).join(' ')}/>`,
    `<Period xmlns:xlink="x" xlink:href="self.mpd" xlink:actuate="onLoad"/>`,
  ]) {
    const facts = mpd(`<MPD type="dynamic">${inner}</MPD>`)
    assert.ok(weightOf(facts) < 8 * 1024 * 1024, `${weightOf(facts)}`)
    assert.ok(facts.representations.length <= MAX_REPRESENTATIONS)
  }
})

test('elements a million deep are refused', () => {
  assert.match(badOf(`<MPD>${'<a>'.repeat(1_000_000)}`), /more than 64 deep$/)
})

test('whatever comes is facts or a reason', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '<MPD',
      '>',
      '/>',
      '</MPD>',
      '<S d="1"/>',
      '<!--',
      '-->',
      '<![CDATA[',
      '&amp;',
      '&x;',
      ' type="dynamic"',
    ),
  )
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const facts = read(pieces.join(''))
      if (isBad(facts)) assert.match(facts.bad, /^expected .+, came .+/s)
    }),
  )
})

test('a duration is read as ISO 8601 writes it', () => {
  for (const [written, ms] of [
    ['PT0S', 0],
    ['PT2S', 2000],
    ['PT1.92S', 1920],
    ['PT1H2M3.5S', 3_723_500],
    ['P1D', 86_400_000],
    ['P1DT1H', 90_000_000],
    ['P1W', 604_800_000],
    ['P0Y0M0DT0H0M30.000S', 30_000],
    [' PT5M ', 300_000],
  ] as const) {
    assert.equal(parseIsoDuration(written), ms, written)
  }
  for (const written of [
    '',
    'P',
    'PT',
    'P1DT',
    '2S',
    'PT2',
    '-PT2S',
    'PT-2S',
    'PT2s',
    'P1S',
    'PT1D',
    `PT${'1'.repeat(200)}S`,
  ]) {
    assert.equal(parseIsoDuration(written), undefined, written)
  }
})
