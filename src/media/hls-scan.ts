/** One pass over a media playlist of any length: what is needed of each line, and which lines are worth parsing. */
import type { ByteRange } from '../rfc/range.ts'
import { attributesOf } from './attributes.ts'
import { MAX_ASSET_LISTS, TAIL_SEGMENTS } from './hls-facts.ts'
import { lineOf } from './listing.ts'
import { LONGEST_ADDRESS } from './place.ts'

/** Longer than any tag that the facts are made of. */
const LONGEST_TAG = 4096

const LONGEST_DURATION = 30
const LONGEST_DATE = 64
const BYTE_RANGE = /^(\d{1,16})(?:@(\d{1,16}))?$/

/** What a segment's own tags said, read by hand because there are many. */
export interface ScannedSegment {
  readonly address: string
  readonly range: ByteRange | undefined
  readonly durationMs: number
  readonly isGap: boolean
  readonly isDiscontinuity: boolean
  readonly key: string | undefined
}

export interface Scan {
  /** The last tag of each name that stands once in a playlist, whole. */
  readonly once: ReadonlyMap<string, string>
  readonly segments: number
  readonly listedMs: number
  readonly longestMs: number
  /** When the last segment begins, in ms since the epoch. */
  readonly programDateTimeMs: number | undefined
  /** As a listing wants them. */
  readonly lines: readonly string[]
  readonly tail: readonly ScannedSegment[]
  /** Tags of the tail and of what follows it, an address for each segment among them; in the order of the playlist. */
  readonly tailLines: readonly string[]
  /** X-ASSET-LIST of date ranges, the last of them. */
  readonly assetLists: readonly string[]
  /** The playlist stopped between an EXTINF and its address. */
  readonly isCutShort: boolean
  /** More tags than any segment has: the tail is not to be trusted. */
  readonly isOverfull: boolean
}

/** Of one segment; parts of a tenth of a second make sixty. */
const MAX_LINES_PER_SEGMENT = 1024

const ONCE: ReadonlySet<string> = new Set([
  '#EXT-X-VERSION',
  '#EXT-X-TARGETDURATION',
  '#EXT-X-MEDIA-SEQUENCE',
  '#EXT-X-DISCONTINUITY-SEQUENCE',
  '#EXT-X-PLAYLIST-TYPE',
  '#EXT-X-ENDLIST',
  '#EXT-X-PART-INF',
  '#EXT-X-SERVER-CONTROL',
  '#EXT-X-SKIP',
])

/** Never throws; each line is looked at once, and of a line that is too long only its beginning. */
export class Scanner implements Scan {
  readonly once = new Map<string, string>()
  readonly lines: string[] = []
  readonly assetLists: string[] = []
  segments = 0
  listedMs = 0
  longestMs = 0
  isCutShort = false
  isOverfull = false

  /** Rings of the last segments; the oldest is overwritten. */
  readonly #tail: ScannedSegment[] = []
  readonly #tailLines: string[][] = []
  #mapLine: string | undefined
  #pending: string[] = []
  #durationMs: number | undefined
  #range: string | undefined
  #isGap = false
  #isDiscontinuity = false
  #key: string | undefined
  /** Of the last segment that has one, and of the next; read when somebody asks, for each may have one. */
  #dateTime: string | undefined
  #nextDateTime: string | undefined
  #sinceDateTimeMs = 0
  #previousMs = 0
  #lastAddress = ''
  #lastEnd = 0

  get tail(): readonly ScannedSegment[] {
    return this.#inOrder(this.#tail)
  }

  get tailLines(): readonly string[] {
    const map = this.#mapLine === undefined ? [] : [this.#mapLine]
    return [...map, ...this.#inOrder(this.#tailLines).flat(), ...this.#pending]
  }

  get programDateTimeMs(): number | undefined {
    const instant = this.#dateTime === undefined ? Number.NaN : Date.parse(this.#dateTime)
    return Number.isNaN(instant) ? undefined : instant + this.#sinceDateTimeMs
  }

  /** EXTINF, of which `text` from `start` on is the value. */
  duration(text: string, start: number, end: number): void {
    this.#durationMs = durationMs(text, start, end)
    this.isCutShort = true
  }

  /** EXT-X-PROGRAM-DATE-TIME, likewise: that of the next segment. */
  dateTime(text: string, start: number, end: number): void {
    this.#nextDateTime = text.slice(start, Math.min(end, start + LONGEST_DATE)).trim()
  }

  /** `name` is up to the colon; all other tags that the facts are made of. */
  tag(name: string, line: string): void {
    switch (name) {
      case '#EXT-X-BYTERANGE':
        this.#range = line.slice(17, 64).trim()
        break
      case '#EXT-X-GAP':
        this.#isGap = true
        break
      case '#EXT-X-DISCONTINUITY':
        this.#isDiscontinuity = true
        break
      case '#EXT-X-KEY':
        this.#key = keyOf(line)
        break
      case '#EXT-X-DATERANGE':
        this.#assetList(line)
        break
      case '#EXT-X-MAP':
      case '#EXT-X-PART':
      case '#EXT-X-PRELOAD-HINT':
      case '#EXT-X-RENDITION-REPORT':
        this.#keepLine(line)
        break
      default:
        if (ONCE.has(name) && line.length <= LONGEST_TAG) this.once.set(name, line)
    }
  }

  /** A line that is no tag and no comment. */
  address(address: string): void {
    // An address without an EXTINF is not a segment (RFC 8216 section 4.3.2.1), and players leave it out.
    if (this.#durationMs === undefined) return
    const durationMs = this.#durationMs
    const range = this.#rangeOf(address)
    const isGap = this.#isGap || address.length > LONGEST_ADDRESS
    this.isCutShort = false
    this.listedMs += durationMs
    this.longestMs = Math.max(this.longestMs, durationMs)
    this.#sinceDateTimeMs += this.#previousMs
    this.#previousMs = durationMs
    if (this.#nextDateTime !== undefined) {
      this.#dateTime = this.#nextDateTime
      this.#sinceDateTimeMs = 0
      this.#nextDateTime = undefined
    }
    if (!isGap) this.lines.push(lineOf(address, range))
    const slot = this.segments % TAIL_SEGMENTS
    // What falls out of the ring takes its tags with it; its map may still be in force.
    const map = this.#tailLines[slot]?.findLast((line) => line.startsWith('#EXT-X-MAP'))
    if (map !== undefined) this.#mapLine = map
    this.#tail[slot] = {
      address: address.length > LONGEST_ADDRESS ? '' : address,
      range,
      durationMs,
      isGap,
      isDiscontinuity: this.#isDiscontinuity,
      key: this.#key,
    }
    this.#pending.push('#EXTINF:1,', '-')
    this.#tailLines[slot] = this.#pending
    this.segments++
    this.#pending = []
    this.#durationMs = undefined
    this.#range = undefined
    this.#isGap = false
    this.#isDiscontinuity = false
  }

  #assetList(line: string): void {
    if (line.length > LONGEST_ADDRESS || !line.includes('X-ASSET-LIST="')) return
    const address = attributesOf(line.slice(line.indexOf(':') + 1)).get('X-ASSET-LIST')
    if (address === undefined) return
    if (this.assetLists.length === MAX_ASSET_LISTS) this.assetLists.shift()
    this.assetLists.push(address)
  }

  #keepLine(line: string): void {
    if (line.length > LONGEST_TAG) return
    if (this.#pending.length >= MAX_LINES_PER_SEGMENT) this.isOverfull = true
    else this.#pending.push(line)
  }

  /** Without an offset a range begins where the last one of the same file ended (RFC 8216 section 4.3.2.2). */
  #rangeOf(address: string): ByteRange | undefined {
    const [whole, length = '', offset] = (this.#range && BYTE_RANGE.exec(this.#range)) || []
    if (whole === undefined || Number(length) === 0) return undefined
    const first = offset === undefined ? (address === this.#lastAddress ? this.#lastEnd : 0) : Number(offset)
    const last = Math.min(first + Number(length), Number.MAX_SAFE_INTEGER) - 1
    this.#lastAddress = address
    this.#lastEnd = last + 1
    return first > last ? undefined : { first, last }
  }

  #inOrder<T>(ring: readonly T[]): readonly T[] {
    const oldest = this.segments % TAIL_SEGMENTS
    return ring.length < TAIL_SEGMENTS ? ring : [...ring.slice(oldest), ...ring.slice(0, oldest)]
  }
}

/** Seconds with decimals, in milliseconds; 0 when there are none. Digits by hand: there are as many as segments. */
function durationMs(text: string, start: number, end: number): number {
  let at = start
  while (at < end && text.charCodeAt(at) === 0x20) at++
  let digits = 0
  let decimals = -1
  for (const stop = Math.min(end, at + LONGEST_DURATION); at < stop; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x2e && decimals < 0) decimals = 0
    else if (code < 0x30 || code > 0x39) break
    else if (decimals < 9) {
      digits = digits * 10 + code - 0x30
      if (decimals >= 0) decimals++
    }
  }
  return digits * 10 ** (3 - Math.max(0, decimals))
}

function keyOf(line: string): string | undefined {
  if (line.length > LONGEST_TAG) return undefined
  const attributes = attributesOf(line.slice(line.indexOf(':') + 1))
  return attributes.get('METHOD') === 'NONE' ? undefined : attributes.get('URI')
}
