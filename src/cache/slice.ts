/** Where the slices of a large body lie: which bytes each one has, and the key it is stored by. */
import type { ByteRange } from '../rfc/range.ts'
import type { CacheKey, Sliced, StoredHead } from '../store/store.ts'

/** No request target contains a space, so no key of a response looks like that of a slice. */
const MARK = ' slice '

/** A body of more slices is not cut: whoever claims to have one must not make us count to its end. */
const MAX_SLICES = 2 ** 20

export function isSliceable({ size, sliceBytes }: Pick<Sliced, 'size' | 'sliceBytes'>): boolean {
  return size <= sliceBytes * MAX_SLICES
}

export function indexOfSlice(sliced: Pick<Sliced, 'sliceBytes'>, at: number): number {
  return Math.floor(at / sliced.sliceBytes)
}

/** The bytes of a slice within the whole body; of the last one those that there are. */
export function rangeOfSlice(sliced: Pick<Sliced, 'size' | 'sliceBytes'>, index: number): ByteRange {
  const first = index * sliced.sliceBytes
  return { first, last: Math.min(first + sliced.sliceBytes, sliced.size) - 1 }
}

export function lengthOf(range: ByteRange): number {
  return range.last - range.first + 1
}

/** The indices of the slices that have a byte of `range`, in order. */
export function* slicesWithin(sliced: Sliced, range: ByteRange): Generator<number> {
  for (let index = indexOfSlice(sliced, range.first); index <= indexOfSlice(sliced, range.last); index++) {
    yield index
  }
}

/** Example: `http://origin/film.mp4 slice 3q2-7wAB1cD4 17`. */
export function sliceKey(key: CacheKey, sliced: Sliced, index: number): CacheKey {
  return `${key}${MARK}${sliced.generation} ${index}`
}

/** What a slice is stored with: it is as fresh as the whole, and its fields are those of the whole. */
export function headOfSlice(whole: StoredHead, sliced: Sliced, index: number): StoredHead {
  const { fields: _, sliced: __, copy: ___, ...rest } = whole
  return { ...rest, key: sliceKey(whole.key, sliced, index), status: 206, fields: {}, variant: {} }
}
