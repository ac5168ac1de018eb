import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressesOf, tagValue } from '../bars.ts'
import { NUMBER, PART_MS, START, streams, textAt } from './demo.ts'

const NAMES = ['144p', '270p', '360p', 'audio']
const PLAYLISTS = ['parts', 'ranges'].flatMap((stream) => NAMES.map((name) => `/ll/${stream}/${name}.m3u8`))
/** Every part over a loop and a half of the title, each a little after it was made. */
const INSTANTS = Array.from({ length: 1.5 * 12 * 5 }, (_, step) => START + step * PART_MS + 3)

function attribute(line: string, name: string): string | undefined {
  return new RegExp(`[:,]${name}="?([^",]*)`).exec(line)?.[1]
}

function linesOf(text: string, tag: string): string[] {
  return text.split('\n').filter((line) => line.startsWith(`#${tag}:`))
}

test('a part is at most the part target long and at least 85 % of it, and a segment is the sum of its parts', () => {
  for (const path of PLAYLISTS) {
    for (const now of INSTANTS) {
      const text = textAt(path, now)
      const target = Number(attribute(linesOf(text, 'EXT-X-PART-INF')[0] ?? '', 'PART-TARGET'))
      let sum = 0
      for (const line of text.split('\n')) {
        if (line.startsWith('#EXT-X-PART:')) {
          const duration = Number(attribute(line, 'DURATION'))
          assert.ok(duration <= target && duration >= 0.85 * target, `${path} ${line}`)
          sum += duration
        }
        const seconds = Number(/^#EXTINF:([\d.]+)/.exec(line)?.[1])
        if (seconds > 0) {
          if (sum > 0) assert.ok(Math.abs(sum - seconds) < 1e-5, `${path} ${sum} ${seconds}`)
          sum = 0
        }
      }
    }
  }
})

test('the server control promises what the draft asks for, the same in every playlist of a stream', () => {
  for (const [stream, canSkip] of [
    ['parts', true],
    ['ranges', false],
  ] as const) {
    const controls = new Set(
      NAMES.map((name) => linesOf(textAt(`/ll/${stream}/${name}.m3u8`, START), 'EXT-X-SERVER-CONTROL')[0]),
    )
    assert.equal(controls.size, 1)
    const [control = ''] = controls
    assert.equal(attribute(control, 'CAN-BLOCK-RELOAD'), 'YES')
    assert.ok(Number(attribute(control, 'HOLD-BACK')) >= 3 * 2)
    assert.ok(Number(attribute(control, 'PART-HOLD-BACK')) >= 3 * 0.42)
    assert.equal(attribute(control, 'CAN-SKIP-UNTIL'), canSkip ? '12.0' : undefined)
  }
})

test('each version of a playlist adds exactly one part, the one that the version before hinted at', () => {
  for (const path of PLAYLISTS) {
    let hinted: { uri: string | undefined; start: string | undefined } | undefined
    for (const now of INSTANTS) {
      const text = textAt(path, now)
      const last = linesOf(text, 'EXT-X-PART').at(-1) ?? ''
      if (hinted !== undefined) {
        assert.equal(attribute(last, 'URI'), hinted.uri)
        assert.equal(attribute(last, 'BYTERANGE')?.split('@')[1], hinted.start)
      }
      const hints = linesOf(text, 'EXT-X-PRELOAD-HINT')
      assert.equal(hints.length, 1)
      hinted = {
        uri: attribute(hints[0] ?? '', 'URI'),
        start: attribute(hints[0] ?? '', 'BYTERANGE-START'),
      }
      assert.equal(textAt(path, now + PART_MS - 4), text, 'between two parts it says the very same')
    }
  }
})

test('everything listed is there at once, and what was listed stays for three target durations more', () => {
  for (const path of PLAYLISTS) {
    const text = textAt(path, START + 2 * PART_MS)
    const parts = linesOf(text, 'EXT-X-PART').map((line) => attribute(line, 'URI') ?? '')
    assert.equal(parts.length, 3 * 5 + 2)
    const segments = addressesOf(text)
    assert.equal(segments.length, 15)
    const address = (relative: string): string => new URL(relative, `http://demo${path}`).pathname
    for (const one of [...segments, ...(path.includes('/parts/') ? parts : [])]) {
      for (const later of [0, 6000]) {
        assert.equal(streams.find(address(one), '', START + 2 * PART_MS + later)?.kind, 'resource', one)
      }
    }
    assert.equal(streams.find(address(segments[0] ?? ''), '', START + 120_000), undefined)
    if (path.includes('/parts/'))
      assert.equal(streams.find(address(parts[0] ?? ''), '', START + 60_000), undefined)
  }
})

test('the reports say of every other rendition which part it has, and it has it', () => {
  for (const path of PLAYLISTS) {
    for (const [now, msn, part] of [
      [START + 100, NUMBER - 1, 4],
      [START + PART_MS, NUMBER, 0],
      [START + 2000 - 1, NUMBER, 3],
    ] as const) {
      const reports = linesOf(textAt(path, now), 'EXT-X-RENDITION-REPORT')
      assert.equal(reports.length, NAMES.length - 1)
      for (const report of reports) {
        assert.equal(attribute(report, 'LAST-MSN'), String(msn))
        assert.equal(attribute(report, 'LAST-PART'), String(part))
        const other = textAt(new URL(attribute(report, 'URI') ?? '', `http://demo${path}`).pathname, now)
        assert.equal(linesOf(other, 'EXT-X-PART').length, linesOf(textAt(path, now), 'EXT-X-PART').length)
      }
    }
  }
})

test('a delta update and the playlist before it make the playlist of now', () => {
  const segmentsOf = (text: string): string[] =>
    text.split(/(?=#EXT-X-PROGRAM-DATE-TIME)/).filter((one) => /^#EXT-X-PROGRAM.*#EXTINF/s.test(one))
  const mediaOf = (segment: string): string => segment.replace(/#EXT-X-PART:.*\n/g, '')
  for (const name of NAMES) {
    const path = `/ll/parts/${name}.m3u8`
    const before = textAt(path, START)
    for (const later of [0, PART_MS, 2000, 8000]) {
      const full = textAt(path, START + later)
      for (const directive of ['_HLS_skip=YES', '_HLS_skip=v2']) {
        const delta = textAt(path, START + later, directive)
        const skipped = Number(attribute(linesOf(delta, 'EXT-X-SKIP')[0] ?? '', 'SKIPPED-SEGMENTS'))
        assert.equal(skipped, 15 - 6)
        assert.equal(tagValue(delta, 'EXT-X-MEDIA-SEQUENCE'), tagValue(full, 'EXT-X-MEDIA-SEQUENCE'))
        assert.doesNotMatch(delta, /EXT-X-MAP/)
        const gone = tagValue(full, 'EXT-X-MEDIA-SEQUENCE') - tagValue(before, 'EXT-X-MEDIA-SEQUENCE')
        const kept = segmentsOf(before)
          .slice(gone, gone + skipped)
          .map(mediaOf)
        assert.deepEqual(
          [...kept, ...segmentsOf(delta).map(mediaOf)],
          segmentsOf(full).map(mediaOf),
          `${name} ${later}`,
        )
      }
    }
  }
})

test('a stream without delta updates answers a wish for one with all of it', () => {
  assert.equal(textAt('/ll/ranges/360p.m3u8', START, '_HLS_skip=YES'), textAt('/ll/ranges/360p.m3u8', START))
})

test('the range of a part is the place of its bytes in the segment that it becomes', () => {
  const text = textAt('/ll/ranges/270p.m3u8', START)
  const found = streams.find(`/ll/ranges/270p/${NUMBER - 1}.m4s`, '', START)
  assert.equal(found?.kind, 'resource')
  const bytes = found?.kind === 'resource' ? Buffer.from(found.resource.bytes) : Buffer.alloc(0)
  const ranges = linesOf(text, 'EXT-X-PART')
    .filter((line) => attribute(line, 'URI') === `270p/${NUMBER - 1}.m4s`)
    .map((line) => (attribute(line, 'BYTERANGE') ?? '').split('@').map(Number))
  let next = 0
  for (const [size = 0, offset = 0] of ranges) {
    assert.equal(offset, next)
    next = offset + size
    assert.match(bytes.toString('latin1', offset + 4, offset + 8), /moof|styp/)
  }
  assert.equal(next, bytes.byteLength)
})
