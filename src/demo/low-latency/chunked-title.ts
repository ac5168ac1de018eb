/** The demo title cut into CMAF chunks once, and any chunk of the endless loop made of it. */
import type { FixtureFiles } from '../fixture-files.ts'
import { moveInTime } from '../mp4-timestamps.ts'
import type { Title, Track } from '../title.ts'
import { durationTicks, loopTicks, placeOf } from '../title.ts'
import { chunkStart, chunksOf, samplesIn } from './cmaf-chunks.ts'
import { PARTS_PER_SEGMENT, type PartPlace } from './part-clock.ts'

/** One segment of the title, cut. */
interface CutSegment {
  readonly samples: number
  readonly chunks: readonly Uint8Array[]
}

export interface ChunkPlace {
  /** Where it begins in its segment, in bytes. */
  readonly offset: number
  readonly size: number
  readonly seconds: number
}

export class ChunkedTitle {
  /** The facts of the title with the rates that its segments have in chunks: movie fragments weigh something. */
  readonly title: Title
  readonly #segments: ReadonlyMap<string, readonly CutSegment[]>

  /** Throws when a fixture is missing or is not as ffmpeg writes it. */
  constructor(files: FixtureFiles, folder: string, title: Title) {
    const cut = (track: Track): readonly CutSegment[] =>
      track.durations.map((_, index) => {
        const path = `${folder}fmp4/${track.name}/${index}.m4s`
        const file = files.get(path)
        if (file === undefined) throw new Error(`The demo needs ${path}; scripts/make-fixtures.sh makes it.`)
        return { samples: samplesIn(file.bytes), chunks: chunksOf(file.bytes, PARTS_PER_SEGMENT) }
      })
    this.#segments = new Map([...title.video, title.audio].map((track) => [track.name, cut(track)]))
    this.title = {
      ...title,
      video: title.video.map((track) => ({ ...track, ...this.#ratesOf(track) })),
      audio: { ...title.audio, ...this.#ratesOf(title.audio) },
    }
  }

  /** The bytes of one chunk, at its time in the endless loop. */
  chunk(track: Track, { number, part }: PartPlace): Uint8Array {
    const chunk = this.#at(track, number).chunks[part]
    if (chunk === undefined)
      throw new RangeError(`A segment has ${PARTS_PER_SEGMENT} parts; this is ${part}.`)
    const ticks = placeOf(this.title, number).loop * loopTicks(this.title, track)
    return moveInTime(chunk, { ticks, sequence: (number * PARTS_PER_SEGMENT + part + 1) % 2 ** 32 })
  }

  /** All chunks of a segment in order: the whole of it. */
  segment(track: Track, number: number): Uint8Array {
    return Buffer.concat(
      Array.from({ length: PARTS_PER_SEGMENT }, (_, part) => this.chunk(track, { number, part })),
    )
  }

  /** Where a chunk lies in its segment and how long it lasts, without making it. */
  placeOf(track: Track, { number, part }: PartPlace): ChunkPlace {
    const { samples, chunks } = this.#at(track, number)
    const sampleSeconds = durationTicks(this.title, track, number) / track.timescale / samples
    const count =
      chunkStart(samples, PARTS_PER_SEGMENT, part + 1) - chunkStart(samples, PARTS_PER_SEGMENT, part)
    return {
      offset: sizeOf(chunks.slice(0, part)),
      size: chunks[part]?.byteLength ?? 0,
      seconds: count * sampleSeconds,
    }
  }

  segmentBytes(track: Track, number: number): number {
    return sizeOf(this.#at(track, number).chunks)
  }

  #at(track: Track, number: number): CutSegment {
    const segment = this.#segments.get(track.name)?.[placeOf(this.title, number).index]
    if (segment === undefined) throw new RangeError(`There is no segment ${number} of ${track.name}.`)
    return segment
  }

  #ratesOf({ name, durations, timescale }: Track): { peak: number; average: number } {
    const bits = (this.#segments.get(name) ?? []).map(({ chunks }) => 8 * sizeOf(chunks))
    const seconds = durations.map((ticks) => ticks / timescale)
    const sum = (values: readonly number[]): number => values.reduce((one, other) => one + other, 0)
    return {
      peak: Math.ceil(Math.max(...bits.map((value, at) => value / (seconds[at] ?? Number.NaN)))),
      average: Math.ceil(sum(bits) / sum(seconds)),
    }
  }
}

function sizeOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { byteLength }) => sum + byteLength, 0)
}
