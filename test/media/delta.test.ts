/** Delta updates: what is skipped, and that the rest stays as it was. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Parser } from 'm3u8-parser'
import { deltaOf } from '../../src/media/delta.ts'
import { mediaFacts } from '../support/media-facts.ts'
import fc from '../support/properties.ts'

const HEAD = `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24
#EXT-X-MEDIA-SEQUENCE:100
# of the packager
#EXT-X-MAP:URI="init.mp4"
`
const segment = (at: number): string => `#EXTINF:4.0,\nseg_${at}.m4s\n`
const segments = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, at) => segment(from + at)).join('')

test('what lies wholly before the skip boundary is skipped, and the rest stays byte for byte', () => {
  assert.equal(
    deltaOf(HEAD + segments(100, 109)),
    `#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24
#EXT-X-MEDIA-SEQUENCE:100
# of the packager
#EXT-X-SKIP:SKIPPED-SEGMENTS=4
#EXT-X-MAP:URI="init.mp4"
${segments(104, 109)}`,
  )
})

test('the parts, hints and reports of the tail stay', () => {
  const tail = `#EXT-X-PART:DURATION=1,URI="p.mp4"\r\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI="q.mp4"\r\n#EXT-X-RENDITION-REPORT:URI="../o.m3u8"\r\n`
  const delta = deltaOf((HEAD + segments(100, 107)).replaceAll('\n', '\r\n') + tail)
  assert.ok(delta?.endsWith(`${segments(102, 107).replaceAll('\n', '\r\n')}${tail}`))
  assert.equal(delta?.replaceAll('\r\n', '').includes('\n'), false, 'line ends as they were')
})

test('date ranges are never skipped', () => {
  const range = '#EXT-X-DATERANGE:ID="ad",START-DATE="2026-01-01T00:00:00Z"\n'
  const delta = deltaOf(`${HEAD}${segments(100, 101)}${range}${segments(102, 109)}`)
  assert.equal(delta?.split(range).length, 2)
  assert.match(delta ?? '', /SKIPPED-SEGMENTS=4/)
})

test('the keys and the map that hold at the boundary stay, those before do not', () => {
  const key = (name: string): string =>
    `#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://${name}",KEYFORMAT="${name[0]}"\n`
  const delta = deltaOf(
    `${HEAD}${key('a1')}${key('b1')}${segments(100, 101)}${key('a2')}${key('b2')}#EXT-X-MAP:URI="two.mp4"\n${segments(102, 109)}`,
  )
  assert.ok(
    delta?.includes(`SKIPPED-SEGMENTS=4\n${key('a2')}${key('b2')}#EXT-X-MAP:URI="two.mp4"\n${segment(104)}`),
    delta,
  )
  assert.doesNotMatch(delta ?? '', /a1|b1|init\.mp4/)
})

test('the tags of the first segment that stays stay with it', () => {
  const tags = '#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n#EXT-X-VENDOR:x\n'
  assert.ok(
    deltaOf(HEAD + segments(100, 103) + tags + segments(104, 109))?.endsWith(tags + segments(104, 109)),
  )
})

test('there is none when nothing may be skipped, none is offered, or the stream has ended', () => {
  const whole = HEAD + segments(100, 109)
  assert.ok(deltaOf(whole))
  for (const text of [
    HEAD + segments(100, 105),
    whole.replace(',CAN-SKIP-UNTIL=24', ''),
    whole.replace('CAN-SKIP-UNTIL=24', 'CAN-SKIP-UNTIL=23.9'),
    whole.replace('CAN-SKIP-UNTIL=24', 'CAN-SKIP-UNTIL=-24'),
    whole.replace('#EXT-X-TARGETDURATION:4', ''),
    `${whole}#EXT-X-ENDLIST\n`,
    whole.replace('# of the packager', '#EXT-X-SKIP:SKIPPED-SEGMENTS=3'),
    HEAD,
    '',
    'x',
  ])
    assert.equal(deltaOf(text), undefined, text)
})

test('a delta update is read as the same end of the same stream', () => {
  const durations = fc.array(fc.constantFrom(4, 3.96, 2, 0.5), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(durations, fc.boolean(), (list, dated) => {
      const date = dated ? '#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n' : ''
      const text = HEAD + list.map((duration, at) => `${date}#EXTINF:${duration},\ns${at}.m4s\n`).join('')
      const whole = mediaFacts(text)
      const total = list.reduce((sum, duration) => sum + duration, 0)
      const delta = deltaOf(text)
      if (delta === undefined) {
        assert.ok(total - (list[0] ?? 0) < 24, 'the first may have been skipped')
        return
      }
      const facts = mediaFacts(delta)
      assert.equal(facts.lastSequence, whole.lastSequence)
      assert.equal(facts.skippedSegments + facts.segments, whole.segments)
      assert.ok(
        facts.windowMs - facts.skippedSegments * 4000 >= 24_000,
        'what stays is as long as was promised',
      )
      assert.deepEqual(facts.tail.at(-1), whole.tail.at(-1))
      const parser = new Parser()
      parser.push(delta)
      parser.end()
      assert.equal(parser.manifest.segments.length, facts.segments)
    }),
  )
})

test('whatever comes is a delta update or none', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(...HEAD.split('\n'), '#EXTINF:4,', 'a.ts', '#EXT-X-KEY:METHOD=NONE'),
  )
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      deltaOf([HEAD, ...lines].join('\n'))
    }),
  )
})
