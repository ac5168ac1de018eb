import assert from 'node:assert/strict'
import { test } from 'node:test'
import { liveMpd } from '../../src/demo/live-dash.ts'
import { liveResource } from '../../src/demo/live-streams.ts'
import { completeAt, WINDOW_SEGMENTS } from '../../src/demo/live-window.ts'
import { decodeTimeOf } from '../../src/demo/mp4-timestamps.ts'
import { readBars } from './bars.ts'

const bars = await readBars()
const START = 1_795_428_000_000
const INSTANTS = Array.from({ length: 2.5 * bars.title.segments }, (_, step) => START + step * 2000)

interface Listed {
  readonly number: number
  readonly start: number
  readonly duration: number
}

/** The segments that each SegmentTemplate of an MPD lists: the first is video's, the second audio's. */
function timelinesOf(mpd: string): Listed[][] {
  return [...mpd.matchAll(/<SegmentTemplate [^>]*startNumber="(\d+)".*?<\/SegmentTemplate>/gs)].map(
    (template) => {
      const listed: Listed[] = []
      let start = 0
      for (const [, t, d, r] of template[0].matchAll(/<S(?: t="(\d+)")? d="(\d+)"(?: r="(\d+)")?\/>/g)) {
        if (t !== undefined) start = Number(t)
        for (let repeat = 0; repeat <= Number(r ?? 0); repeat += 1) {
          listed.push({ number: Number(template[1]) + listed.length, start, duration: Number(d) })
          start += Number(d)
        }
      }
      return listed
    },
  )
}

test('every segment that the MPD lists is there, and begins at the time it lists', () => {
  for (const now of INSTANTS) {
    const timelines = timelinesOf(liveMpd(bars.title, now))
    assert.equal(timelines.length, 2)
    for (const [at, names] of [['144p', '270p', '360p'], ['audio']].entries()) {
      assert.equal(timelines[at]?.length, WINDOW_SEGMENTS)
      for (const { number, start } of timelines[at] ?? []) {
        for (const name of names) {
          const segment = liveResource(bars, `/live/fmp4/${name}/${number}.m4s`, now)
          assert.ok(segment, `${name} ${number} at ${now}`)
          assert.equal(decodeTimeOf(segment.bytes), start, `${name} ${number}`)
        }
      }
    }
  }
})

test('decode times go on without a gap over the end of the loop', () => {
  for (const track of [...bars.title.video, bars.title.audio]) {
    let expected: number | undefined
    for (const now of INSTANTS) {
      const number = now / 2000 - 1
      const segment = liveResource(bars, `/live/fmp4/${track.name}/${number}.m4s`, now)
      assert.ok(segment)
      const time = decodeTimeOf(segment.bytes) ?? Number.NaN
      assert.equal(time, expected ?? time, `${track.name} ${number}`)
      expected = time + (track.durations[number % bars.title.segments] ?? Number.NaN)
    }
  }
})

test('times of sound and picture stay within one audio frame of the wall clock', () => {
  for (const now of INSTANTS) {
    const scales = [bars.title.video[0]?.timescale ?? Number.NaN, bars.title.audio.timescale]
    for (const [at, timeline] of timelinesOf(liveMpd(bars.title, now)).entries()) {
      for (const { number, start } of timeline) {
        const late = start / (scales[at] ?? Number.NaN) - number * 2
        assert.ok(late >= 0 && late < 1024 / 48000, `${number} begins ${late} s late`)
      }
    }
  }
})

test('the MPD changes once a segment, and between says the very same', () => {
  assert.equal(liveMpd(bars.title, START), liveMpd(bars.title, START + 1999))
  assert.notEqual(liveMpd(bars.title, START), liveMpd(bars.title, START + 2000))
})

test('the MPD says when it was published, how often it changes, and where the time is told', () => {
  const mpd = liveMpd(bars.title, START + 500)
  const published = completeAt(START / 2000 - 1, 2000)
  assert.match(mpd, /type="dynamic"/)
  assert.match(mpd, new RegExp(`publishTime="${new Date(published).toISOString()}"`))
  assert.match(mpd, /minimumUpdatePeriod="PT2S"/)
  assert.match(mpd, new RegExp(`timeShiftBufferDepth="PT${2 * WINDOW_SEGMENTS}S"`))
  assert.match(mpd, /<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-xsdate:2014" value="\.\.\/time"\/>/)
})
