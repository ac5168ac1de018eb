/** Moves an fMP4 segment in time by rewriting its boxes, so that a looped title has timestamps that only go on. */
import { boxesIn } from './mp4-boxes.ts'

/** Boxes that hold nothing but boxes, on the way to those with times. */
const CONTAINERS: ReadonlySet<string> = new Set(['moof', 'traf'])

export interface Mp4Shift {
  /** Added to every decode time and earliest presentation time, in the track's own ticks. */
  readonly ticks: number
  /** The sequence number its movie fragment gets. */
  readonly sequence: number
}

/**
 * A copy of the segment, moved: `tfdt` and `sidx` are added to, `mfhd` is set; sizes and offsets stay, so an index over
 * its bytes stays true. Throws when a 32-bit field would overflow or a box is cut short: the fixtures are then wrong.
 */
export function moveInTime(segment: Uint8Array, shift: Mp4Shift): Uint8Array {
  const moved = Uint8Array.from(segment)
  const view = new DataView(moved.buffer)
  moveBoxes(view, 0, moved.length, shift)
  return moved
}

/** The first base media decode time in the segment; undefined without one. */
export function decodeTimeOf(segment: Uint8Array): number | undefined {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength)
  return findDecodeTime(view, 0, segment.byteLength)
}

function moveBoxes(view: DataView, from: number, to: number, shift: Mp4Shift): void {
  for (const { type, at, end } of boxesIn(view, from, to)) {
    if (CONTAINERS.has(type)) moveBoxes(view, at + 8, end, shift)
    else if (type === 'mfhd') view.setUint32(at + 12, shift.sequence)
    else if (type === 'tfdt') addTicks(view, at, 12, shift.ticks)
    // After version and flags stand the reference id and the timescale.
    else if (type === 'sidx') addTicks(view, at, 20, shift.ticks)
  }
}

function addTicks(view: DataView, box: number, offset: number, ticks: number): void {
  if (view.getUint8(box + 8) === 1) {
    view.setBigUint64(box + offset, view.getBigUint64(box + offset) + BigInt(ticks))
    return
  }
  const time = view.getUint32(box + offset) + ticks
  if (time > 0xffffffff) throw new RangeError(`The time ${time} does not fit the 32 bits that its box has.`)
  view.setUint32(box + offset, time)
}

function findDecodeTime(view: DataView, from: number, to: number): number | undefined {
  for (const { type, at, end } of boxesIn(view, from, to)) {
    if (type === 'tfdt') {
      return view.getUint8(at + 8) === 1 ? Number(view.getBigUint64(at + 12)) : view.getUint32(at + 12)
    }
    const inside = CONTAINERS.has(type) ? findDecodeTime(view, at + 8, end) : undefined
    if (inside !== undefined) return inside
  }
  return undefined
}
