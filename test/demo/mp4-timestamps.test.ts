import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeTimeOf, moveInTime } from '../../src/demo/mp4-timestamps.ts'
import { readBars } from './bars.ts'

const { files } = await readBars()

function fixture(path: string): Uint8Array {
  const file = files.get(`/vod/bars/${path}`)
  assert.ok(file, path)
  return file.bytes
}

function box(type: string, ...parts: (Uint8Array | readonly number[])[]): Uint8Array {
  const body = Buffer.concat(parts.map((part) => Uint8Array.from(part)))
  const head = Buffer.alloc(8)
  head.writeUInt32BE(8 + body.length)
  head.write(type, 4, 'latin1')
  return Buffer.concat([head, body])
}

/** A fragment with 32-bit times, as other encoders write it. */
function narrowFragment(time: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(time)
  return box('moof', box('mfhd', [0, 0, 0, 0, 0, 0, 0, 1]), box('traf', box('tfdt', [0, 0, 0, 0], bytes)))
}

test('moving a segment adds to its decode time and leaves the fixture as it was', () => {
  const segment = fixture('fmp4/360p/3.m4s')
  const before = Buffer.from(segment)
  assert.equal(decodeTimeOf(segment), 3 * 25600)
  const ticks = 74_809_530 * 24 * 12800
  assert.equal(decodeTimeOf(moveInTime(segment, { ticks, sequence: 9 })), 3 * 25600 + ticks)
  assert.ok(before.equals(segment))
})

test('moving a segment changes its times and its sequence number, and no other byte', () => {
  const segment = fixture('fmp4/audio/1.m4s')
  const moved = moveInTime(segment, { ticks: 0x0101_0101_0101, sequence: 0x02020202 })
  assert.equal(moved.length, segment.length)
  const view = Buffer.from(moved)
  const changed = [...moved.keys()].filter((at) => moved[at] !== segment[at])
  const fields = [
    { name: 'sidx', at: view.indexOf('sidx') + 16, bytes: 8 },
    { name: 'mfhd', at: view.indexOf('mfhd') + 8, bytes: 4 },
    { name: 'tfdt', at: view.indexOf('tfdt') + 8, bytes: 8 },
  ]
  for (const { name, at, bytes } of fields) {
    assert.ok(
      changed.some((position) => position >= at && position < at + bytes),
      name,
    )
  }
  const inFields = (position: number) =>
    fields.some(({ at, bytes }) => position >= at && position < at + bytes)
  assert.deepEqual(
    changed.filter((position) => !inFields(position)),
    [],
  )
  assert.equal(view.readUInt32BE(view.indexOf('mfhd') + 8), 0x02020202)
  assert.equal(view.readBigUInt64BE(view.indexOf('sidx') + 16), BigInt(96256 + 0x0101_0101_0101))
})

test('a 32-bit decode time is moved while it fits, and an overflow is an error rather than a wrap', () => {
  assert.equal(decodeTimeOf(moveInTime(narrowFragment(5), { ticks: 7, sequence: 1 })), 12)
  assert.throws(() => moveInTime(narrowFragment(5), { ticks: 0xfffffffb, sequence: 1 }), RangeError)
})

test('a box that is cut short is an error, and an empty one does not hang', () => {
  const segment = fixture('fmp4/360p/0.m4s')
  assert.throws(() => moveInTime(segment.subarray(0, 100), { ticks: 1, sequence: 1 }), RangeError)
  assert.throws(() => moveInTime(new Uint8Array(16), { ticks: 1, sequence: 1 }), RangeError)
})
