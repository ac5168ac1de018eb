/** The things in an HLS playlist that a cache fetches, or tells viewers of. */
import type { ByteRange } from '../rfc/range.ts'

/** How many of the last segments are known one by one; the others stand in the listing. */
export const TAIL_SEGMENTS = 32
/** Real ladders have twenty. */
export const MAX_RENDITIONS = 1000

/** Breaks of a day, one in six minutes. */
export const MAX_ASSET_LISTS = 256

/** A file, or a range of one; the address as it is written. */
export interface Piece {
  readonly address: string
  /** Undefined: the whole file. */
  readonly range: ByteRange | undefined
}

export interface HlsPart extends Piece {
  readonly durationMs: number
  /** It is missing, and may answer 404. */
  readonly isGap: boolean
  readonly isIndependent: boolean
}

export interface HlsSegment extends Piece {
  /** Its media sequence number. */
  readonly sequence: number
  readonly durationMs: number
  /** It is missing, and may answer 404; or its address is longer than any is, and '' stands for it. */
  readonly isGap: boolean
  /** An EXT-X-DISCONTINUITY stands before it. */
  readonly isDiscontinuity: boolean
  /** EXT-X-KEY:URI in force; undefined: not encrypted. */
  readonly key: string | undefined
  /** EXT-X-MAP in force. */
  readonly map: Piece | undefined
  /** Those still listed; a whole segment's leave the playlist before it does. */
  readonly parts: readonly HlsPart[]
}

export interface PreloadHint {
  readonly type: 'PART' | 'MAP'
  readonly address: string
  /** Of the first byte, 0 when not said. */
  readonly start: number
  /** In bytes. Undefined: to the end of what lies there. */
  readonly length: number | undefined
}

/** Where another rendition is. */
export interface RenditionReport {
  readonly address: string
  /** Undefined: as far as this playlist. */
  readonly lastSequence: number | undefined
  readonly lastPart: number | undefined
}

/** EXT-X-SERVER-CONTROL. */
export interface ServerControl {
  readonly canBlockReload: boolean
  /** Undefined: no delta updates. */
  readonly canSkipUntilMs: number | undefined
  readonly canSkipDateRanges: boolean
  readonly holdBackMs: number | undefined
  readonly partHoldBackMs: number | undefined
}

export interface HlsRendition {
  readonly kind: 'variant' | 'i-frame' | 'audio' | 'video' | 'subtitles'
  /** Of its playlist. */
  readonly address: string
  /** Bits a second; of variants. */
  readonly bandwidth: number | undefined
  readonly codecs: string | undefined
  /** Of the picture, by RESOLUTION. */
  readonly height: number | undefined
  /** NAME. */
  readonly name: string | undefined
  /** GROUP-ID of what is chosen beside a variant. */
  readonly group: string | undefined
  /** The groups that a variant is played with. */
  readonly groups: readonly string[]
}
