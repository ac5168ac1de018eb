/** Cuts an fMP4 segment into CMAF chunks: the same samples in several movie fragments, each of which decodes by itself. */
import { boxesIn, boxIn } from '../mp4-boxes.ts'

interface Fragment {
  readonly styp: Uint8Array
  readonly tfhd: Uint8Array
  readonly sampleTicks: number
  /** Flags of the first sample where they differ from the rest: a picture that needs no other. */
  readonly firstSampleFlags: number | undefined
  readonly decodeTime: number
  readonly sampleBytes: readonly number[]
  readonly media: Uint8Array
}

/** What ffmpeg writes, and all that is read here: default-base-is-moof, default duration, size and flags. */
const TFHD_FLAGS = 0x020038
const TRUN_DATA_OFFSET = 0x000001
const TRUN_FIRST_SAMPLE_FLAGS = 0x000004
const TRUN_SAMPLE_SIZES = 0x000200

/**
 * `count` chunks with the samples as evenly among them as whole samples allow; what stood before the fragment (`styp`)
 * begins the first, and the index (`sidx`), whose sizes would no longer be true, is left out. Throws a RangeError for
 * a segment that ffmpeg would not have written so: the fixtures are then wrong.
 */
export function chunksOf(segment: Uint8Array, count: number): Uint8Array[] {
  const fragment = readFragment(segment)
  const samples = fragment.sampleBytes.length
  const chunks: Uint8Array[] = []
  let mediaFrom = 0
  for (let index = 0; index < count; index += 1) {
    const first = chunkStart(samples, count, index)
    const sizes = fragment.sampleBytes.slice(first, chunkStart(samples, count, index + 1))
    const mediaTo = mediaFrom + sizes.reduce((sum, size) => sum + size, 0)
    chunks.push(writeChunk(fragment, first, sizes, fragment.media.subarray(mediaFrom, mediaTo)))
    mediaFrom = mediaTo
  }
  return chunks
}

/** The sample that chunk `index` of `count` begins with. */
export function chunkStart(samples: number, count: number, index: number): number {
  return Math.round((samples * index) / count)
}

/** How many samples the segment has. */
export function samplesIn(segment: Uint8Array): number {
  return readFragment(segment).sampleBytes.length
}

function readFragment(segment: Uint8Array): Fragment {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength)
  const bytes = (box: { at: number; end: number }): Uint8Array => segment.subarray(box.at, box.end)
  const moofs = [...boxesIn(view, 0, segment.byteLength)].filter(({ type }) => type === 'moof')
  const [moof] = moofs
  if (moof === undefined || moofs.length > 1)
    throw new RangeError(`One movie fragment is expected in a segment, and there are ${moofs.length}.`)
  const traf = boxIn(view, moof.at + 8, moof.end, 'traf')
  const tfhd = boxIn(view, traf.at + 8, traf.end, 'tfhd')
  const tfdt = boxIn(view, traf.at + 8, traf.end, 'tfdt')
  const trun = boxIn(view, traf.at + 8, traf.end, 'trun')
  const trunFlags = view.getUint32(trun.at + 8)
  if (view.getUint32(tfhd.at + 8) !== TFHD_FLAGS || view.getUint32(tfdt.at + 8) !== 0x01000000)
    throw new RangeError('A tfhd with defaults and a 64-bit tfdt are expected in a segment.')
  if ((trunFlags & ~TRUN_FIRST_SAMPLE_FLAGS) !== (TRUN_DATA_OFFSET | TRUN_SAMPLE_SIZES))
    throw new RangeError(`A trun of offset and sizes is expected, and its flags are ${trunFlags}.`)
  const isFirstFlagged = (trunFlags & TRUN_FIRST_SAMPLE_FLAGS) !== 0
  const sizesAt = trun.at + (isFirstFlagged ? 24 : 20)
  const mdat = boxIn(view, moof.end, segment.byteLength, 'mdat')
  return {
    styp: bytes(boxIn(view, 0, moof.at, 'styp')),
    tfhd: bytes(tfhd),
    sampleTicks: view.getUint32(tfhd.at + 16),
    firstSampleFlags: isFirstFlagged ? view.getUint32(trun.at + 20) : undefined,
    decodeTime: Number(view.getBigUint64(tfdt.at + 12)),
    sampleBytes: Array.from({ length: view.getUint32(trun.at + 12) }, (_, at) =>
      view.getUint32(sizesAt + 4 * at),
    ),
    media: segment.subarray(mdat.at + 8, mdat.end),
  }
}

function writeChunk(
  fragment: Fragment,
  first: number,
  sizes: readonly number[],
  media: Uint8Array,
): Uint8Array {
  const { styp, tfhd, firstSampleFlags, decodeTime, sampleTicks } = fragment
  const flags = first === 0 ? firstSampleFlags : undefined
  const tfdt = box('tfdt', 0x01000000, Math.floor((decodeTime + first * sampleTicks) / 2 ** 32), [
    (decodeTime + first * sampleTicks) % 2 ** 32,
  ])
  const trunFlags = TRUN_DATA_OFFSET | TRUN_SAMPLE_SIZES | (flags === undefined ? 0 : TRUN_FIRST_SAMPLE_FLAGS)
  const trunOf = (dataOffset: number): Uint8Array =>
    box('trun', trunFlags, sizes.length, [dataOffset, ...(flags === undefined ? [] : [flags]), ...sizes])
  const moofOf = (dataOffset: number): Uint8Array =>
    wrap('moof', box('mfhd', 0, 0, []), wrap('traf', tfhd, tfdt, trunOf(dataOffset)))
  // Its own size does not depend on the offset, which is that size and the head of the mdat.
  const moof = moofOf(moofOf(0).byteLength + 8)
  return Buffer.concat([first === 0 ? styp : new Uint8Array(0), moof, wrap('mdat', media)])
}

/** A full box of 32-bit words after its version and flags. */
function box(type: string, versionAndFlags: number, word: number, words: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(16 + 4 * words.length)
  bytes.writeUInt32BE(bytes.byteLength)
  bytes.write(type, 4, 'latin1')
  for (const [at, value] of [versionAndFlags, word, ...words].entries())
    bytes.writeUInt32BE(value, 8 + 4 * at)
  return bytes
}

function wrap(type: string, ...content: readonly Uint8Array[]): Uint8Array {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(content.reduce((sum, { byteLength }) => sum + byteLength, 8))
  head.write(type, 4, 'latin1')
  return Buffer.concat([head, ...content])
}
