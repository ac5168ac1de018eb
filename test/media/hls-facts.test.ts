/** What an HLS media playlist lists, held to the parser of a player, and to hostile ones. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Parser } from 'm3u8-parser'
import { isBad } from '../../src/media/facts.ts'
import { TAIL_SEGMENTS } from '../../src/media/hls-facts.ts'
import { MAX_LISTED, MAX_LISTING } from '../../src/media/listing.ts'
import { readManifest } from '../../src/media/manifest.ts'
import { weightOf } from '../../src/media/weight.ts'
import { mediaFacts } from '../support/media-facts.ts'
import fc from '../support/properties.ts'

const HEAD = '#EXTM3U\n#EXT-X-TARGETDURATION:6\n'
const read = (text: string) => readManifest('hls-playlist', new TextEncoder().encode(text))

test('a range without an offset begins where the last of its file ended', () => {
  const facts = mediaFacts(
    `${HEAD}#EXTINF:6,\n#EXT-X-BYTERANGE:100@50\na.mp4\n#EXT-X-BYTERANGE:10\n#EXTINF:6,\na.mp4\n#EXTINF:6,\n#EXT-X-BYTERANGE:7\nb.mp4\n#EXTINF:6,\nc.mp4\n`,
  )
  assert.deepEqual(
    facts.tail.map(({ range }) => range),
    [{ first: 50, last: 149 }, { first: 150, last: 159 }, { first: 0, last: 6 }, undefined],
  )
  assert.equal(facts.listing.lines, '\na.mp4\t50-149\na.mp4\t150-159\nb.mp4\t0-6\nc.mp4\n')
})

test('the key and the map in force hold until others come, and gaps are not listed', () => {
  const facts = mediaFacts(`${HEAD}#EXT-X-MAP:URI="i1.mp4",BYTERANGE="100@0"
#EXTINF:6,
0.m4s
#EXT-X-KEY:METHOD=AES-128,URI="k1"
#EXTINF:6,
1.m4s
#EXT-X-GAP
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="i2.mp4"
#EXTINF:6,
2.m4s
#EXT-X-KEY:METHOD=NONE
#EXTINF:6,
3.m4s
`)
  assert.deepEqual(
    facts.tail.map(({ key, map, isGap, isDiscontinuity }) => [key, map?.address, isGap, isDiscontinuity]),
    [
      [undefined, 'i1.mp4', false, false],
      ['k1', 'i1.mp4', false, false],
      ['k1', 'i2.mp4', true, true],
      [undefined, 'i2.mp4', false, false],
    ],
  )
  assert.deepEqual(facts.tail[0]?.map?.range, { first: 0, last: 99 })
  assert.equal(facts.listing.lines, '\n0.m4s\n1.m4s\n3.m4s\n')
})

test('the map of a long playlist holds for the tail, however far above it stands', () => {
  const many = Array.from({ length: 100 }, (_, at) => `#EXTINF:6,\n${at}.m4s\n`).join('')
  const facts = mediaFacts(`${HEAD}#EXT-X-MAP:URI="i.mp4"\n#EXT-X-KEY:METHOD=AES-128,URI="k"\n${many}`)
  assert.deepEqual([facts.tail.length, facts.segments, facts.listing.count], [TAIL_SEGMENTS, 100, 100])
  assert.deepEqual([facts.tail[0]?.sequence, facts.tail[0]?.address], [68, '68.m4s'])
  for (const { map, key } of facts.tail) assert.deepEqual([map?.address, key], ['i.mp4', 'k'])
})

test('parts are those of their segment, and hints and reports tell what they say', () => {
  const facts = mediaFacts(`${HEAD}#EXT-X-PART-INF:PART-TARGET=1
#EXT-X-PART:DURATION=1,URI="a0.mp4",INDEPENDENT=YES
#EXT-X-PART:DURATION=1,URI="a1.mp4",GAP=YES
#EXTINF:2,
a.mp4
#EXT-X-PART:DURATION=1,URI="b.mp4",BYTERANGE="100@0"
#EXT-X-PART:DURATION=1,URI="b.mp4",BYTERANGE="50"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="b.mp4",BYTERANGE-START=150
#EXT-X-PRELOAD-HINT:TYPE=MAP,URI="i.mp4",BYTERANGE-START=0,BYTERANGE-LENGTH=9
#EXT-X-RENDITION-REPORT:URI="../o.m3u8",LAST-MSN=7,LAST-PART=1
`)
  assert.deepEqual(
    facts.tail[0]?.parts.map(({ address, isGap, isIndependent }) => [address, isGap, isIndependent]),
    [
      ['a0.mp4', false, true],
      ['a1.mp4', true, false],
    ],
  )
  assert.deepEqual(
    facts.openParts.map(({ range }) => range),
    [
      { first: 0, last: 99 },
      { first: 100, last: 149 },
    ],
  )
  assert.deepEqual(facts.hints, [
    { type: 'PART', address: 'b.mp4', start: 150, length: undefined },
    { type: 'MAP', address: 'i.mp4', start: 0, length: 9 },
  ])
  assert.deepEqual(facts.reports, [{ address: '../o.m3u8', lastSequence: 7, lastPart: 1 }])
})

test('the date of the last segment follows from the last that is written', () => {
  const dated = `${HEAD}#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.500+01:00\n#EXTINF:6,\na\n#EXTINF:4.5,\nb\n#EXTINF:6,\nc\n`
  assert.equal(mediaFacts(dated).programDateTimeMs, Date.parse('2025-12-31T23:00:11Z'))
  assert.equal(mediaFacts(dated.replace('2026', 'x')).programDateTimeMs, undefined)
})

test('what a player reads is what is read here', () => {
  const entry = fc.record({
    duration: fc.constantFrom('6', '6.006', '5.99999,title', ' 4', '0'),
    range: fc.option(fc.tuple(fc.integer({ min: 1, max: 999 }), fc.option(fc.nat(9999))), { freq: 2 }),
    gap: fc.boolean(),
    name: fc.constantFrom('a.ts', 'dir/b.ts?x=1', 'https://h.example/c.ts'),
  })
  fc.assert(
    fc.property(
      fc.array(entry, { minLength: 1, maxLength: 80 }),
      fc.nat(1e6),
      fc.boolean(),
      (entries, first, crlf) => {
        // Only the first of a file needs an offset; RFC 8216 section 4.3.2.2 asks for one there.
        const lines = entries.flatMap(({ duration, range, gap, name }, at) => [
          `#EXTINF:${duration}`,
          ...(range === null ? [] : [`#EXT-X-BYTERANGE:${range[0]}@${range[1] ?? at}`]),
          ...(gap ? ['#EXT-X-GAP'] : []),
          name,
        ])
        const text = `${HEAD}#EXT-X-MEDIA-SEQUENCE:${first}\n${lines.join('\n')}\n`
        const facts = mediaFacts(crlf ? text.replaceAll('\n', '\r\n') : text)
        const parser = new Parser()
        parser.push(text)
        parser.end()
        const { segments, mediaSequence } = parser.manifest
        assert.deepEqual([facts.segments, facts.mediaSequence], [segments.length, mediaSequence])
        facts.tail.forEach((segment, at) => {
          const theirs = segments[segments.length - facts.tail.length + at]
          assert.equal(segment.address, theirs?.uri)
          const range = segment.range && {
            offset: segment.range.first,
            length: segment.range.last - segment.range.first + 1,
          }
          assert.deepEqual({ ...range }, { ...theirs?.byterange })
        })
        assert.equal(facts.listing.count, entries.filter(({ gap }) => !gap).length)
      },
    ),
  )
})

test('a listing is bounded, and what is kept are the last', () => {
  const many = Array.from({ length: MAX_LISTED + 5 }, (_, at) => `#EXTINF:1,\n${at}.ts\n`).join('')
  const facts = mediaFacts(HEAD + many)
  assert.deepEqual([facts.listing.count, facts.listing.isWhole], [MAX_LISTED, false])
  assert.ok(
    facts.listing.lines.startsWith('\n5.ts\n') && facts.listing.lines.endsWith(`\n${MAX_LISTED + 4}.ts\n`),
  )
  const wide = mediaFacts(HEAD + `#EXTINF:1,\n${'x'.repeat(8191)}\n`.repeat(300)).listing
  assert.deepEqual([wide.count, wide.isWhole], [256, false])
  assert.ok(wide.lines.length <= MAX_LISTING + 2)
})

test('a segment with thousands of tags of its own is refused', () => {
  const parts = '#EXT-X-PART:DURATION=1,URI="a"\n'.repeat(2000)
  const facts = read(`${HEAD}${parts}#EXTINF:6,\na.ts\n`)
  assert.ok(isBad(facts))
  assert.match(facts.bad, /^expected a segment with at most 1024 tags .*, came one with more$/)
})

test('numbers below zero, beyond 2^64 or that jump are taken for what can be made of them', () => {
  const sequence = (value: string) => mediaFacts(`${HEAD}#EXT-X-MEDIA-SEQUENCE:${value}\n#EXTINF:6,\na.ts\n`)
  assert.equal(sequence('-5').mediaSequence, 0)
  assert.equal(sequence('18446744073709551616').mediaSequence, 2 ** 64)
  assert.equal(sequence('x').mediaSequence, 0)
  assert.equal(sequence('9'.repeat(400)).mediaSequence, 0)
  const durations = mediaFacts(
    `${HEAD}#EXTINF:-6,\na.ts\n#EXTINF:${'9'.repeat(500)},\nb.ts\n#EXTINF:NaN,\nc.ts\n`,
  )
  assert.ok(Number.isFinite(durations.windowMs) && durations.windowMs >= 0)
  const skip = mediaFacts(`${HEAD}#EXT-X-SKIP:SKIPPED-SEGMENTS=18446744073709551616\n#EXTINF:6,\na.ts\n`)
  assert.ok(Number.isFinite(skip.lastSequence))
})

test('variables stay as they are written', () => {
  const facts = mediaFacts(`${HEAD}#EXT-X-DEFINE:NAME="v",VALUE="x"\n#EXTINF:6,\n{$v}/a.ts\n`)
  assert.equal(facts.tail[0]?.address, '{$v}/a.ts')
})

test('a million lines, a line of ten megabytes and unclosed quotes are facts or a reason, of bounded weight', () => {
  const texts = [
    HEAD + '#EXTINF:6,\na.ts\n'.repeat(500_000),
    `${HEAD}#EXTINF:6,\n${'a'.repeat(10_000_000)}\n`,
    `${HEAD}#EXT-X-KEY:METHOD=AES-128,URI="${'a,'.repeat(5_000_000)}\n#EXTINF:6,\na.ts\n`,
    HEAD + '#EXT-X-KEY:METHOD=AES-128,URI="k\n#EXT-X-MAP:URI="m\n#EXTINF:6,\na.ts\n'.repeat(50_000),
    HEAD + '#EXT-X-RENDITION-REPORT:URI="a"\n'.repeat(200_000),
    `#EXTM3U\n${'#EXT-X-STREAM-INF:BANDWIDTH=1\nself.m3u8\n'.repeat(200_000)}`,
    `${HEAD}${'\n'.repeat(2_000_000)}`,
  ]
  for (const text of texts) {
    const facts = read(text)
    if (!isBad(facts)) assert.ok(weightOf(facts) < 8 * 1024 * 1024, `${weightOf(facts)} ${text.slice(0, 80)}`)
  }
})
