/** The names of DASH segments, held to the parser of a player. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'mpd-parser'
import { MAX_RUNS } from '../../src/media/dash-facts.ts'
import { edgeOf, expand, positionOf, positionsAfter } from '../../src/media/dash-segments.ts'
import { endOf } from '../../src/media/dash-timeline.ts'
import { dashFacts } from '../support/media-facts.ts'
import fc from '../support/properties.ts'

const START = Date.parse('2026-01-01T00:00:00Z')

function live(template: string, period = 'id="1" start="PT0S"'): string {
  return `<MPD type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z" minimumUpdatePeriod="PT2S">
    <BaseURL>a/</BaseURL><Period ${period}><AdaptationSet mimeType="video/mp4">${template}
    <Representation id="v 1" bandwidth="5000" codecs="avc1"/></AdaptationSet></Period></MPD>`
}

function only<T>(list: readonly T[]): T {
  const [first] = list
  assert.ok(first !== undefined && list.length === 1, `${list.length}`)
  return first
}

test('a template names segments by what the standard lets it', () => {
  const one = only(dashFacts(live('<SegmentTemplate media="x" duration="2"/>')).representations)
  const position = { number: 7, time: 90_000n }
  assert.equal(expand('$RepresentationID$/$Number%05d$-$Time$.m4s', one, position), 'v 1/00007-90000.m4s')
  assert.equal(expand('$Bandwidth$/$$$Number$', one, position), '5000/$7')
  assert.equal(expand('$Unknown$/$Number%5d$', one, position), '$Unknown$/$Number%5d$')
  assert.equal(expand('$Number%099d$', one, position).length, 32)
})

test('the edge of numbers goes on by the clock, as early as the offsets of all levels allow', () => {
  const text = live(
    '<BaseURL availabilityTimeOffset="0.5">v/</BaseURL><SegmentTemplate media="$Number$" startNumber="10" timescale="1000" duration="2000" availabilityTimeOffset="1" availabilityTimeComplete="false"/>',
  )
  const facts = dashFacts(text)
  const one = only(facts.representations)
  assert.deepEqual([one.availabilityTimeOffsetMs, one.availabilityTimeComplete], [1500, false])
  assert.deepEqual(one.bases, ['a/', 'v/'])
  assert.equal(edgeOf(facts, one, START), undefined)
  assert.equal(edgeOf(facts, one, START + 499), undefined)
  assert.deepEqual(edgeOf(facts, one, START + 500), { number: 10, time: 0n })
  assert.deepEqual(edgeOf(facts, one, START + 10_000), { number: 14, time: 8000n })
})

test('an offset without an end, or no start of the stream, tells no edge', () => {
  const facts = dashFacts(
    live('<SegmentTemplate media="$Number$" duration="2" availabilityTimeOffset="INF"/>'),
  )
  assert.equal(edgeOf(facts, only(facts.representations), START + 60_000), undefined)
  const early = dashFacts(live('<SegmentTemplate media="$Number$" duration="2"/>', 'id="early"'))
  assert.equal(edgeOf(early, only(early.representations), START + 60_000), undefined)
})

test('after the last of a timeline comes what the next version will list, if the pace stays', () => {
  const facts = dashFacts(
    live(
      '<SegmentTemplate media="$Time$" startNumber="5"><SegmentTimeline><S t="17661024000000000" d="20000000" r="2"/><S d="19200000"/></SegmentTimeline></SegmentTemplate>',
    ),
  )
  const one = only(facts.representations)
  const edge = edgeOf(facts, one, START)
  assert.deepEqual(edge, { number: 8, time: 17661024060000000n }, 'beyond 2^53 to the tick')
  assert.ok(edge !== undefined)
  assert.deepEqual(positionsAfter(facts, one, edge, 2), [
    { number: 9, time: 17661024079200000n },
    { number: 10, time: 17661024098400000n },
  ])
})

test('a presentation that has ended goes no further than its end', () => {
  const facts = dashFacts(`<MPD mediaPresentationDuration="PT9S"><Period><AdaptationSet>
    <SegmentTemplate media="$Number$" duration="2"/><Representation id="v"/></AdaptationSet></Period></MPD>`)
  const numbers = positionsAfter(facts, only(facts.representations), { number: 3, time: 4n }, 9).map(
    ({ number }) => number,
  )
  assert.deepEqual(numbers, [4, 5])
})

test('a template below another level adds to it, and a BaseURL is the first of its level', () => {
  const facts =
    dashFacts(`<MPD type="dynamic"><BaseURL>https://one.example/x/</BaseURL><BaseURL>https://two.example/</BaseURL>
    <Period start="PT5S"><SegmentTemplate timescale="90000" startNumber="3"/><AdaptationSet contentType="audio">
    <Representation id="r" codecs="mp4a.40.2"><BaseURL>r/</BaseURL><SegmentTemplate media="$Number$.m4s" duration="180000"/>
    </Representation></AdaptationSet></Period></MPD>`)
  const one = only(facts.representations)
  assert.deepEqual(one.bases, ['https://one.example/x/', 'r/'])
  assert.deepEqual([one.type, one.codecs], ['audio', 'mp4a.40.2'])
  assert.deepEqual(
    [one.template?.timescale, one.template?.startNumber, one.template?.duration],
    [90_000, 3, 180_000],
  )
})

test('every segment that a player lists is found by its address, and the next one follows', () => {
  const element = fc.record({ d: fc.integer({ min: 1, max: 9 }), r: fc.integer({ min: 0, max: 4 }) })
  const template = fc.constantFrom(
    'v/$Time$.m4s',
    'v/$Number$.m4s',
    'v/$Number%06d$-x.m4s',
    '$RepresentationID$-$Time$',
  )
  fc.assert(
    fc.property(
      fc.array(element, { minLength: 1, maxLength: 6 }),
      template,
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 50 }),
      (elements, media, startNumber, t) => {
        const timeline = elements
          .map(({ d, r }, at) => `<S ${at === 0 ? `t="${t}" ` : ''}d="${d}" r="${r}"/>`)
          .join('')
        const total = elements.reduce((sum, { d, r }) => sum + d * (r + 1), 0)
        const text = `<MPD type="static" mediaPresentationDuration="PT${t + total}S"><Period><AdaptationSet mimeType="video/mp4"><SegmentTemplate media="${media}" initialization="i" startNumber="${startNumber}"><SegmentTimeline>${timeline}</SegmentTimeline></SegmentTemplate><Representation id="r" bandwidth="1" codecs="avc1"/></AdaptationSet></Period></MPD>`
        const listed = only(parse(text, { NOW: 0 }).playlists).segments.map(({ uri }) => uri)
        const facts = dashFacts(text)
        const one = only(facts.representations)
        listed.forEach((address, at) => {
          const position = positionOf(one, address, media)
          assert.ok(position !== undefined, address)
          assert.equal(expand(media, one, position), address)
          const next = positionsAfter(facts, one, position, 1).map((after) => expand(media, one, after))
          assert.deepEqual(next, listed.slice(at + 1, at + 2), address)
        })
      },
    ),
  )
})

test('numbers by the clock are those of a player', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 500 }), (seconds, elapsed) => {
      const text = live(
        `<SegmentTemplate media="$Number$.m4s" initialization="i" duration="${seconds}" startNumber="4"/>`,
      )
      const now = START + elapsed * 1000
      const facts = dashFacts(text)
      const one = only(facts.representations)
      const edge = edgeOf(facts, one, now)
      const listed = only(parse(text, { NOW: now }).playlists).segments
      assert.equal(edge === undefined ? undefined : expand('$Number$.m4s', one, edge), listed.at(-1)?.uri)
    }),
  )
})

test('a hundred thousand S elements leave the last two thousand runs, and the count of all', () => {
  const timeline = Array.from({ length: 100_000 }, (_, at) => `<S d="${1 + (at % 2)}"/>`).join('')
  const facts = dashFacts(
    live(
      `<SegmentTemplate media="$Number$"><SegmentTimeline>${timeline}</SegmentTimeline></SegmentTemplate>`,
    ),
  )
  const timelineFacts = only(facts.representations).template?.timeline
  assert.deepEqual(
    [timelineFacts?.runs.length, timelineFacts?.before, timelineFacts?.count],
    [MAX_RUNS, 98_000, 100_000],
  )
  assert.equal(edgeOf(facts, only(facts.representations), START)?.number, 100_000)
})

test('a run of two thousand million segments is one run', () => {
  const facts = dashFacts(
    live(
      '<SegmentTemplate media="$Time$"><SegmentTimeline><S t="0" d="2" r="2147483648"/></SegmentTimeline></SegmentTemplate>',
    ),
  )
  const one = only(facts.representations)
  const [run] = one.template?.timeline?.runs ?? []
  assert.ok(run !== undefined)
  assert.equal(endOf(run), 2n * 2_147_483_649n)
  assert.equal(edgeOf(facts, one, START)?.number, 2_147_483_649)
  assert.deepEqual(positionOf(one, '4000000000', '$Time$'), { number: 2_000_000_001, time: 4_000_000_000n })
})

test('numbers that are none are looked over, and a run without an end ends where the next begins', () => {
  const facts = dashFacts(
    live(
      '<SegmentTemplate media="$Time$"><SegmentTimeline><S t="-4" d="2"/><S d="-2"/><S d="0"/><S d="x"/><S t="10" d="4" r="-1"/><S t="30" d="5"/></SegmentTimeline></SegmentTemplate>',
    ),
  )
  assert.deepEqual(only(facts.representations).template?.timeline?.runs, [
    { start: 0n, duration: 2n, count: 1 },
    { start: 10n, duration: 4n, count: 5 },
    { start: 30n, duration: 5n, count: 1 },
  ])
})
