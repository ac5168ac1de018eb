import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunksOf } from '../../../src/demo/low-latency/cmaf-chunks.ts'
import { PARTS_PER_SEGMENT } from '../../../src/demo/low-latency/part-clock.ts'
import { boxesIn, boxIn } from '../../../src/demo/mp4-boxes.ts'
import { decodeTimeOf } from '../../../src/demo/mp4-timestamps.ts'
import { bars, chunked, NUMBER, tracks } from './demo.ts'

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function typesOf(bytes: Uint8Array): string[] {
  return [...boxesIn(viewOf(bytes), 0, bytes.byteLength)].map(({ type }) => type)
}

/** The media of all mdat boxes, one after the other. */
function mediaOf(bytes: Uint8Array): Buffer {
  const mdats = [...boxesIn(viewOf(bytes), 0, bytes.byteLength)].filter(({ type }) => type === 'mdat')
  return Buffer.concat(mdats.map(({ at, end }) => bytes.subarray(at + 8, end)))
}

interface Run {
  /** Its first sample is said to be other than the rest: a picture that needs no other. */
  readonly isFirstFlagged: boolean
  readonly sampleBytes: number
  readonly samples: number
  readonly dataOffset: number
  readonly moofAt: number
}

/** What the fragment run of a chunk says: how many bytes its samples have, and where they begin. */
function runOf(chunk: Uint8Array): Run {
  const view = viewOf(chunk)
  const moof = boxIn(view, 0, chunk.byteLength, 'moof')
  const traf = boxIn(view, moof.at + 8, moof.end, 'traf')
  const trun = boxIn(view, traf.at + 8, traf.end, 'trun')
  const samples = view.getUint32(trun.at + 12)
  const sizesAt = trun.end - 4 * samples
  let sampleBytes = 0
  for (let at = 0; at < samples; at += 1) sampleBytes += view.getUint32(sizesAt + 4 * at)
  const isFirstFlagged = (view.getUint32(trun.at + 8) & 0x4) !== 0
  return { isFirstFlagged, sampleBytes, samples, dataOffset: view.getInt32(trun.at + 16), moofAt: moof.at }
}

test('the chunks of a segment hold its media byte for byte, each with its own fragment', () => {
  for (const { name, durations } of tracks) {
    for (const index of durations.keys()) {
      const fixture = bars.files.get(`${bars.folder}fmp4/${name}/${index}.m4s`)
      assert.ok(fixture)
      const chunks = chunksOf(fixture.bytes, PARTS_PER_SEGMENT)
      assert.equal(chunks.length, PARTS_PER_SEGMENT)
      assert.deepEqual(typesOf(chunks[0] ?? new Uint8Array(0)), ['styp', 'moof', 'mdat'])
      for (const chunk of chunks.slice(1)) assert.deepEqual(typesOf(chunk), ['moof', 'mdat'])
      assert.deepEqual(mediaOf(Buffer.concat(chunks)), mediaOf(fixture.bytes), `${name} ${index}`)
    }
  }
})

test('a chunk says of its samples what its media has: sizes, and where they begin', () => {
  for (const track of tracks) {
    for (let part = 0; part < PARTS_PER_SEGMENT; part += 1) {
      const chunk = chunked.chunk(track, { number: NUMBER, part })
      const { sampleBytes, dataOffset, moofAt } = runOf(chunk)
      const mdat = boxIn(viewOf(chunk), 0, chunk.byteLength, 'mdat')
      assert.equal(mdat.at + 8, moofAt + dataOffset, track.name)
      assert.equal(mdat.end - mdat.at - 8, sampleBytes, track.name)
    }
  }
})

test('only the first chunk of a segment says that it begins with a picture that needs no other', () => {
  for (const track of tracks) {
    const flagged = Array.from(
      { length: PARTS_PER_SEGMENT },
      (_, part) => runOf(chunked.chunk(track, { number: NUMBER, part })).isFirstFlagged,
    )
    const isVideo = track.name !== 'audio'
    assert.deepEqual(flagged, [isVideo, false, false, false, false], track.name)
  }
})

test('decode times go on from chunk to chunk without a gap, over the end of the loop too', () => {
  for (const track of tracks) {
    let expected: number | undefined
    for (let step = 0; step < 2.5 * PARTS_PER_SEGMENT * bars.title.segments; step += 1) {
      const place = { number: NUMBER + Math.floor(step / PARTS_PER_SEGMENT), part: step % PARTS_PER_SEGMENT }
      const time = decodeTimeOf(chunked.chunk(track, place)) ?? Number.NaN
      assert.equal(time, expected ?? time, `${track.name} ${place.number} ${place.part}`)
      expected = time + Math.round(chunked.placeOf(track, place).seconds * track.timescale)
    }
  }
})

test('a segment is its chunks in order, and each chunk lies where it is said to lie', () => {
  for (const track of tracks) {
    const segment = chunked.segment(track, NUMBER)
    assert.equal(segment.byteLength, chunked.segmentBytes(track, NUMBER))
    for (let part = 0; part < PARTS_PER_SEGMENT; part += 1) {
      const { offset, size } = chunked.placeOf(track, { number: NUMBER, part })
      const chunk = chunked.chunk(track, { number: NUMBER, part })
      assert.deepEqual(Buffer.from(segment.subarray(offset, offset + size)), Buffer.from(chunk))
    }
  }
})

test('the rates of a track are those of its chunks, which weigh more than the segments they were', () => {
  for (const [at, track] of tracks.entries()) {
    const before = [...bars.title.video, bars.title.audio][at]
    assert.ok(before)
    assert.ok(track.average > before.average && track.average < before.average * 1.1, track.name)
    assert.ok(track.peak >= track.average)
  }
})

test('what is no segment of ffmpeg is an error and not a wrong chunk', () => {
  const fixture = bars.files.get(`${bars.folder}fmp4/360p/0.m4s`)
  assert.ok(fixture)
  assert.throws(() => chunksOf(fixture.bytes.subarray(0, 100), 5), RangeError)
  assert.throws(() => chunksOf(chunked.segment(tracks[0] ?? assert.fail(), 0), 5), /One movie fragment/)
  const otherFlags = Uint8Array.from(fixture.bytes)
  const view = viewOf(otherFlags)
  const moof = boxIn(view, 0, otherFlags.byteLength, 'moof')
  const traf = boxIn(view, moof.at + 8, moof.end, 'traf')
  view.setUint32(boxIn(view, traf.at + 8, traf.end, 'trun').at + 8, 0x000f01)
  assert.throws(() => chunksOf(otherFlags, 5), /trun/)
})
