/** What a blocking reload asks for, and whether a stored playlist is the answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  answers,
  firstWanted,
  isBadDirectives,
  outOfWindow,
  parseDirectives,
  withDirectives,
} from '../../src/media/directives.ts'
import { mediaFacts } from '../support/media-facts.ts'
import fc from '../support/properties.ts'

const part = (name: string): string => `#EXT-X-PART:DURATION=0.5,URI="${name}.mp4"\n`

/** Segments 100 to 103, the last of four parts, and two parts of 104. */
const LIVE = `#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:100
#EXTINF:2,
100.mp4
#EXTINF:2,
101.mp4
#EXTINF:2,
102.mp4
${['a', 'b', 'c', 'd'].map(part).join('')}#EXTINF:2,
103.mp4
${part('e')}${part('f')}`
const facts = mediaFacts(LIVE)

const at = (sequence: number, part?: number) => ({ sequence, part })

test('the directives of a target are read, and other parameters left alone', () => {
  assert.deepEqual(parseDirectives('/a.m3u8'), { wanted: undefined, skip: undefined })
  assert.deepEqual(parseDirectives('/a.m3u8?x=_HLS_'), { wanted: undefined, skip: undefined })
  assert.deepEqual(parseDirectives('/a.m3u8?t=1&_HLS_msn=104&_HLS_part=2&_HLS_skip=YES&_HLS_primary_id=x'), {
    wanted: { sequence: 104, part: 2 },
    skip: 'YES',
  })
  assert.deepEqual(parseDirectives('/a.m3u8?_HLS_skip=v2&_HLS_msn=0'), {
    wanted: { sequence: 0, part: undefined },
    skip: 'v2',
  })
})

test('a directive that is none is refused, and the reason says what came', () => {
  for (const [query, why] of [
    ['_HLS_part=1', /expected _HLS_msn beside _HLS_part/],
    ['_HLS_msn=', /whole number as _HLS_msn, came ""/],
    ['_HLS_msn=-1', /came "-1"/],
    ['_HLS_msn=1.5', /came "1.5"/],
    ['_HLS_msn=1e3', /came "1e3"/],
    ['_HLS_msn=%20', /came " "/],
    ['_HLS_msn=1&_HLS_msn=2', /_HLS_msn once/],
    ['_HLS_msn=1&_HLS_part=x', /as _HLS_part/],
    ['_HLS_skip=NO', /YES or v2 as _HLS_skip, came "NO"/],
    ['_HLS_skip=YES&_HLS_skip=YES', /_HLS_skip once/],
    [`_HLS_msn=${'9'.repeat(5000)}`, /came "9{40}"$/],
  ] as const) {
    const read = parseDirectives(`/a.m3u8?${query}`)
    assert.ok(isBadDirectives(read), query)
    assert.match(read.bad, why)
  }
})

test('what a playlist lists it answers, and what it does not list yet has to wait', () => {
  for (const wanted of [undefined, at(0), at(103), at(103, 3), at(104, 0), at(104, 1), at(101, 99)])
    assert.equal(answers(facts, wanted), true, JSON.stringify(wanted))
  for (const wanted of [at(104), at(104, 2), at(105), at(105, 0)])
    assert.equal(answers(facts, wanted), false, JSON.stringify(wanted))
})

test('a part past the last of its segment is the first of the next', () => {
  assert.equal(answers(facts, at(103, 4)), true, 'part 0 of 104')
  const closed = mediaFacts(LIVE.slice(0, LIVE.indexOf(part('e'))))
  assert.equal(answers(closed, at(103, 3)), true)
  assert.equal(answers(closed, at(103, 4)), false, 'part 0 of 104 is not there')
  assert.deepEqual(firstWanted(closed, [at(103, 4)]), at(104, 0))
})

test('a playlist that has ended answers whatever is asked for', () => {
  const ended = mediaFacts(`${LIVE}#EXTINF:1,\n104.mp4\n#EXT-X-ENDLIST\n`)
  assert.equal(answers(ended, at(9999, 9)), true)
  assert.equal(outOfWindow(ended, at(9999, 9), 0), undefined)
})

test('more than two segments ahead is out of the window', () => {
  assert.equal(outOfWindow(facts, at(106), 0), undefined)
  assert.match(outOfWindow(facts, at(107), 0) ?? '', /at most 106, came 107/)
  assert.match(outOfWindow(facts, at(2 ** 64), 0) ?? '', /at most 106/)
  assert.equal(
    outOfWindow(facts, at(0), 0),
    undefined,
    'what has long gone is answered with the whole playlist',
  )
})

test('three seconds of parts ahead are in the window, more are not', () => {
  assert.equal(outOfWindow(facts, at(104, 7), 0), undefined, 'six parts of half a second')
  assert.match(outOfWindow(facts, at(104, 8), 0) ?? '', /at most 6 parts ahead, came 8 of segment 104/)
  assert.equal(outOfWindow(facts, at(105, 5), 0), undefined)
  assert.match(outOfWindow(facts, at(105, 6), 0) ?? '', /parts ahead/)
  const slow = mediaFacts(LIVE.replace('PART-TARGET=0.5', 'PART-TARGET=1'))
  assert.equal(outOfWindow(slow, at(104, 4), 0), undefined)
  assert.match(outOfWindow(slow, at(104, 5), 0) ?? '', /at most 3 parts/)
})

test('what is here is in the window, also of a segment that no longer lists the parts it was made of', () => {
  const bare = mediaFacts(LIVE.replace(/#EXT-X-PART:.*\n/g, ''))
  assert.equal(outOfWindow(bare, at(103, 9), 0), undefined)
  assert.equal(answers(bare, at(103, 9)), true)
  assert.match(outOfWindow(bare, at(104, 6), 0) ?? '', /at most 6 parts ahead/)
})

test('what was read a while ago lets through what may have come since', () => {
  assert.equal(outOfWindow(facts, at(107), 1), undefined)
  assert.equal(outOfWindow(facts, at(111), 10_000), undefined)
  assert.match(outOfWindow(facts, at(112), 10_000) ?? '', /at most 111/)
  assert.equal(outOfWindow(facts, at(104, 9), 1000), undefined)
})

test('of those who wait the first is asked for, and of nobody nothing', () => {
  assert.deepEqual(firstWanted(facts, [at(105, 0), at(104), at(104, 3), at(104, 2), at(103)]), at(104, 2))
  assert.deepEqual(firstWanted(facts, [at(105), at(104)]), at(104))
  assert.equal(firstWanted(facts, [at(104, 1), at(50)]), undefined)
})

test('other directives leave the rest of a target byte for byte', () => {
  const signed = '/a%2Fb.m3u8?t=~a/b==&_HLS_msn=1&e=%7e&_HLS_part=2&_HLS_skip=YES&_HLS_primary_id=x'
  assert.equal(
    withDirectives(signed, { wanted: at(7, 1), skip: undefined }),
    '/a%2Fb.m3u8?t=~a/b==&e=%7e&_HLS_primary_id=x&_HLS_msn=7&_HLS_part=1',
  )
  assert.equal(withDirectives('/a.m3u8?_HLS_msn=1', { wanted: undefined, skip: undefined }), '/a.m3u8')
  assert.equal(withDirectives('/a.m3u8', { wanted: at(7), skip: 'v2' }), '/a.m3u8?_HLS_msn=7&_HLS_skip=v2')
})

test('what is written is what is read', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.option(fc.nat(), { nil: undefined }),
      fc.webQueryParameters(),
      (sequence, part, query) => {
        const directives = { wanted: { sequence, part }, skip: undefined }
        const target = `/a?${query.replaceAll('_HLS_', '')}`
        assert.deepEqual(parseDirectives(withDirectives(target, directives)), directives)
      },
    ),
  )
})

test('whatever is asked for is a directive or a reason', () => {
  fc.assert(
    fc.property(fc.string(), (query) => {
      const read = parseDirectives(`/a?_HLS_msn=${query}`)
      if (isBadDirectives(read)) assert.match(read.bad, /^expected .+, came .+/s)
    }),
  )
})
