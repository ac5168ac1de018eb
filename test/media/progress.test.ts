/** A live stream never goes backwards for a viewer, and begins anew when it does begin anew. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HlsMediaFacts } from '../../src/media/facts.ts'
import { compare, isStalled } from '../../src/media/progress.ts'
import { dashFacts, mediaFacts } from '../support/media-facts.ts'

interface Form {
  readonly count?: number
  readonly name?: string
  readonly target?: number
  readonly discontinuity?: number
  readonly parts?: number
  readonly date?: string
  readonly end?: boolean
}

function playlist(first: number, form: Form = {}): HlsMediaFacts {
  const { count = 6, name = 'seg', target = 6, discontinuity = 0, parts = 0, date, end = false } = form
  const segments = Array.from(
    { length: count },
    (_, at) => `#EXTINF:6,\n${name}_${first + at}.ts?token=${Math.random()}\n`,
  )
  const open = Array.from({ length: parts }, (_, at) => `#EXT-X-PART:DURATION=1,URI="p${at}.mp4"\n`)
  return mediaFacts(`#EXTM3U
#EXT-X-TARGETDURATION:${target}
#EXT-X-PART-INF:PART-TARGET=1
#EXT-X-MEDIA-SEQUENCE:${first}
#EXT-X-DISCONTINUITY-SEQUENCE:${discontinuity}
${date === undefined ? '' : `#EXT-X-PROGRAM-DATE-TIME:${date}\n`}${segments.join('')}${open.join('')}${end ? '#EXT-X-ENDLIST\n' : ''}`)
}

test('a playlist that lists more is newer, one that lists less is older', () => {
  assert.equal(compare(playlist(10), playlist(11), 0), 'newer')
  assert.equal(compare(playlist(11), playlist(10), 0), 'older')
  assert.equal(compare(playlist(10), playlist(10), 0), 'same')
  assert.equal(compare(playlist(10), playlist(5000), 0), 'newer', 'a jump')
})

test('a part more is newer, a part less older', () => {
  assert.equal(compare(playlist(10, { parts: 1 }), playlist(10, { parts: 2 }), 0), 'newer')
  assert.equal(compare(playlist(10, { parts: 2 }), playlist(10, { parts: 1 }), 0), 'older')
  assert.equal(compare(playlist(10, { parts: 2 }), playlist(11), 0), 'newer', 'the segment is whole')
})

test('a window that has slid on is newer, and one that has not slid yet is older', () => {
  assert.equal(compare(playlist(10, { count: 6 }), playlist(11, { count: 5 }), 0), 'newer')
  assert.equal(compare(playlist(11, { count: 5 }), playlist(10, { count: 6 }), 0), 'older')
})

test('the end of a stream is newer, and an origin that has not heard of it older', () => {
  assert.equal(compare(playlist(10), playlist(10, { end: true }), 0), 'newer')
  assert.equal(compare(playlist(10, { end: true }), playlist(10), 0), 'older')
  assert.equal(compare(playlist(10, { end: true }), playlist(12), 0), 'newer', 'it goes on after all')
})

test('hosts and queries that differ from origin to origin make no other stream', () => {
  const other = playlist(9, { name: 'seg' })
  assert.equal(
    compare(playlist(10, { name: 'https://one.example/x/seg' }), playlist(11, { name: '/x/seg' }), 0),
    'newer',
  )
  assert.equal(compare(playlist(10), other, 0), 'older')
})

test('other segments under the same numbers are a restart', () => {
  assert.equal(compare(playlist(10), playlist(10, { name: 'run2' }), 0), 'restarted')
  assert.equal(compare(playlist(10), playlist(8, { name: 'run2' }), 0), 'restarted')
})

test('a lower sequence is a restart when both counts began again', () => {
  assert.equal(compare(playlist(900, { discontinuity: 4 }), playlist(0, { count: 3 }), 0), 'restarted')
  assert.equal(compare(playlist(900), playlist(0, { count: 3 }), 0), 'older', 'nothing tells yet')
})

test('a lower sequence is a restart when its clock is later, even under the same names', () => {
  const kept = playlist(0, { date: '2026-01-01T00:00:00Z' })
  assert.equal(compare(kept, playlist(0, { count: 2, date: '2026-01-01T01:00:00Z' }), 0), 'restarted')
  assert.equal(compare(kept, playlist(0, { count: 2, date: '2026-01-01T00:00:00Z' }), 0), 'older')
  const level = playlist(0, { count: 2, date: '2026-01-01T00:00:24Z' })
  assert.equal(level.programDateTimeMs, kept.programDateTimeMs)
  assert.equal(compare(kept, level, 0), 'older', 'not later')
})

test('who lags is believed when nobody has said more for three target durations', () => {
  assert.equal(compare(playlist(900), playlist(0), 18_000), 'older')
  assert.equal(compare(playlist(900), playlist(0), 18_001), 'restarted')
})

test('another target duration is another stream, unless its segments are those that were there', () => {
  assert.equal(compare(playlist(10), playlist(30, { target: 8 }), 0), 'restarted')
  assert.equal(compare(playlist(10), playlist(11, { target: 8 }), 0), 'newer')
  assert.equal(compare(playlist(11), playlist(10, { target: 8 }), 0), 'older')
})

test('a live playlist has stalled after one and a half target durations, an ended one never', () => {
  assert.equal(isStalled(playlist(10), 1000, 10_000), false)
  assert.equal(isStalled(playlist(10), 1000, 10_001), true)
  assert.equal(isStalled(playlist(10, { end: true }), 0, 1e9), false)
})

function mpd(attributes: string, timeline = '<S d="2" r="5"/>', period = 'id="p" start="PT0S"') {
  return dashFacts(`<MPD type="dynamic" minimumUpdatePeriod="PT2S" ${attributes}><Period ${period}><AdaptationSet>
    <SegmentTemplate media="$Time$"><SegmentTimeline>${timeline}</SegmentTimeline></SegmentTemplate>
    <Representation id="v"/></AdaptationSet></Period></MPD>`)
}

test('an MPD is ordered by when it was published', () => {
  const [early, late] = ['2026-01-01T00:00:02Z', '2026-01-01T00:00:04.5Z'].map((at) =>
    mpd(`publishTime="${at}"`),
  )
  assert.ok(early && late)
  assert.deepEqual(
    [compare(early, late, 0), compare(late, early, 0), compare(late, late, 0)],
    ['newer', 'older', 'same'],
  )
})

test('without a time of publishing an MPD is ordered by its timelines and Periods', () => {
  assert.equal(compare(mpd(''), mpd('', '<S d="2" r="6"/>'), 0), 'newer')
  assert.equal(compare(mpd('', '<S d="2" r="6"/>'), mpd(''), 0), 'older')
  assert.equal(compare(mpd(''), mpd('', '<S d="2"/>', 'id="q" start="PT12S"'), 0), 'newer')
})

test('another start of availability is a restart', () => {
  const [one, two] = ['2026-01-01T00:00:00Z', '2026-01-01T08:00:00Z'].map((at) =>
    mpd(`availabilityStartTime="${at}"`),
  )
  assert.ok(one && two)
  assert.deepEqual([compare(one, two, 0), compare(one, one, 0)], ['restarted', 'same'])
})

/** Published at a second of a day. */
function published(second: number, timeline: string, period?: string) {
  return mpd(`publishTime="${new Date(second * 1000).toISOString()}"`, timeline, period)
}

test('an MPD that is published later and whose timeline went back is a restart, though nothing else has changed', () => {
  const kept = published(100, '<S t="80" d="2" r="9"/>')
  assert.equal(compare(kept, published(102, '<S t="82" d="2" r="9"/>'), 2_000), 'newer')
  assert.equal(compare(kept, published(102, '<S t="0" d="2"/>'), 2_000), 'restarted')
  assert.equal(
    compare(kept, published(102, '<S t="0" d="2" r="-1"/>'), 2_000),
    'newer',
    'it goes by the clock',
  )
  assert.equal(
    compare(kept, published(102, '<S t="80" d="2" r="8"/><S d="1"/>'), 2_000),
    'newer',
    'corrected',
  )
})

test('an origin that publishes later and is a few segments behind lags, until nobody has said more for three segments', () => {
  const kept = published(100, '<S t="80" d="2" r="9"/>')
  const behind = published(101, '<S t="78" d="2" r="9"/>')
  assert.equal(compare(kept, behind, 6_000), 'older')
  assert.equal(compare(kept, behind, 6_001), 'restarted')
})

test('neither a Period that departs nor one that begins is a restart, one that lies before all others is', () => {
  const two = '<S t="0" d="2" r="40"/>'
  const program = published(100, two, 'id="b" start="PT100S"')
  const advertisement = '<S t="0" d="2"/>'
  assert.equal(compare(program, published(102, advertisement, 'id="c" start="PT182S"'), 0), 'newer', 'begins')
  const announced = dashFacts(
    `<MPD type="dynamic" publishTime="1970-01-01T00:01:40Z"><Period id="a" start="PT0S"/><Period id="b" start="PT100S">
    <AdaptationSet><SegmentTemplate media="$Time$"><SegmentTimeline>${two}</SegmentTimeline></SegmentTemplate>
    <Representation id="v"/></AdaptationSet></Period></MPD>`,
  )
  assert.equal(compare(announced, published(102, two, 'id="a" start="PT0S"'), 0), 'newer', 'departs')
  assert.equal(compare(program, published(102, advertisement, 'id="a" start="PT0S"'), 0), 'restarted')
})

test('a representation that comes late, or starts to be listed, does not make a restart of an MPD', () => {
  const sets = (video: string, audio: string) =>
    ['video', 'audio'].map((id, at) => {
      const timeline = [video, audio][at]
      const times = `<SegmentTemplate media="$Time$"><SegmentTimeline>${timeline}</SegmentTimeline></SegmentTemplate>`
      return timeline === '' ? '' : `<AdaptationSet>${times}<Representation id="${id}"/></AdaptationSet>`
    })
  const at = (second: number, video: string, audio: string) =>
    dashFacts(
      `<MPD type="dynamic" publishTime="1970-01-01T00:01:${second}Z"><Period id="p" start="PT0S">${sets(video, audio).join('')}</Period></MPD>`,
    )
  const kept = at(40, '<S t="80" d="2" r="9"/>', '<S t="70" d="2" r="9"/>')
  assert.equal(compare(kept, at(42, '', '<S t="72" d="2" r="9"/>'), 0), 'newer')
})

test('an MPD stalls when its timeline is not written on, and never when its numbers go by the clock', () => {
  assert.equal(isStalled(mpd(''), 0, 3001), true)
  assert.equal(isStalled(mpd(''), 0, 3000), false)
  const clocked = dashFacts(
    '<MPD type="dynamic" minimumUpdatePeriod="PT2S"><Period start="PT0S"><AdaptationSet><SegmentTemplate media="$Number$" duration="2"/><Representation id="v"/></AdaptationSet></Period></MPD>',
  )
  assert.equal(isStalled(clocked, 0, 1e9), false)
})

test('an origin that writes whole addresses says the same as one that writes relative ones', () => {
  const whole = playlist(11, { name: 'http://b.example/live/seg' })
  assert.equal(compare(playlist(10), whole, 0), 'newer')
  assert.equal(compare(whole, playlist(10), 0), 'older')
  assert.equal(compare(playlist(10), playlist(11, { name: '/other/take' }), 0), 'restarted')
})
