/** Walks the boxes of an MP4 file, as far as the fixtures have them: 32-bit sizes, boxes whole. */

export interface Mp4Box {
  readonly type: string
  readonly at: number
  /** One past its last byte. */
  readonly end: number
}

/** The boxes side by side in [from, to). Throws a RangeError when one is cut short: the fixtures are then wrong. */
export function* boxesIn(view: DataView, from: number, to: number): Generator<Mp4Box> {
  for (let at = from; at < to; ) {
    const size = at + 8 <= to ? view.getUint32(at) : 0
    // Sizes 0 (to the end) and 1 (64 bits) do not occur in the fixtures.
    if (size < 8 || at + size > to)
      throw new RangeError(`A box of ${size} bytes at ${at} does not fit in ${to}.`)
    const type = String.fromCharCode(...[4, 5, 6, 7].map((offset) => view.getUint8(at + offset)))
    yield { type, at, end: at + size }
    at += size
  }
}

/** The first box of that type among them. Throws a RangeError when there is none. */
export function boxIn(view: DataView, from: number, to: number, type: string): Mp4Box {
  for (const box of boxesIn(view, from, to)) if (box.type === type) return box
  throw new RangeError(`There is no ${type} in the ${to - from} bytes at ${from}.`)
}
