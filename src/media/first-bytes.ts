/** What the first bytes of a body tell when neither its name nor its type does. */

const TEXT_WINDOW = 4096
const SYNC_BYTE = 0x47
const TS_PACKET = 188

/** Boxes that begin a CMAF segment or chunk (ISO 14496-12 section 8.16, ISO 23009-1 section 6.3.4). */
const SEGMENT_BOXES: ReadonlySet<string> = new Set(['styp', 'moof', 'sidx', 'ssix', 'emsg', 'prft'])
/** Boxes that may stand beside ftyp and moov without making a file more than an init. */
const INIT_BOXES: ReadonlySet<string> = new Set(['ftyp', 'moov', 'free', 'skip', 'uuid', 'meta', 'pdin'])

/** Undefined: they tell nothing. Looks at no more than the first 4 KiB, and at the heads of the boxes of an MP4. */
export function kindOfBytes(
  bytes: Uint8Array,
):
  | 'hls-playlist'
  | 'dash-mpd'
  | 'dash-patch'
  | 'dash-fragment'
  | 'text'
  | 'segment'
  | 'init'
  | 'progressive'
  | undefined {
  return kindOfMp4(bytes) ?? kindOfStream(bytes) ?? kindOfText(bytes)
}

function kindOfMp4(bytes: Uint8Array): 'segment' | 'init' | 'progressive' | undefined {
  const first = boxType(bytes, 0)
  if (first === undefined) return undefined
  if (SEGMENT_BOXES.has(first)) return 'segment'
  if (first !== 'ftyp') return undefined
  let hasMovie = false
  for (let at = 0; at < bytes.length; ) {
    const type = boxType(bytes, at)
    // Media data after all, or more boxes than were handed in: a whole file.
    if (type === undefined || !INIT_BOXES.has(type)) return 'progressive'
    hasMovie ||= type === 'moov'
    const size = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0)
    // 0 is "to the end of the file" and 1 a 64-bit size: neither is the box of an init.
    if (size < 8) return 'progressive'
    at += size
    if (at > bytes.length) return 'progressive'
  }
  return hasMovie ? 'init' : 'progressive'
}

/** The four letters of the box at an offset; undefined when no box head lies there. */
function boxType(bytes: Uint8Array, at: number): string | undefined {
  if (at + 8 > bytes.length) return undefined
  const type = latin1(bytes.subarray(at + 4, at + 8))
  return /^[a-zA-Z0-9 ]{4}$/.test(type) ? type : undefined
}

function kindOfStream(bytes: Uint8Array): 'segment' | 'progressive' | undefined {
  const [first = -1, second = -1, third = -1, fourth = -1] = bytes
  if (
    first === SYNC_BYTE &&
    (bytes.length <= TS_PACKET ? bytes.length === TS_PACKET : bytes[TS_PACKET] === SYNC_BYTE)
  ) {
    return 'segment'
  }
  // ADTS: twelve bits of sync, layer 0. HLS packs audio so.
  if (first === 0xff && (second & 0xf6) === 0xf0) return 'segment'
  // Packed audio begins with an ID3 tag that carries its timestamp (RFC 8216 section 3.4); an .mp3 has other tags.
  const isTagged = first === 0x49 && second === 0x44 && third === 0x33
  if (isTagged) return latin1(bytes.subarray(0, 256)).includes('com.apple.streaming') ? 'segment' : undefined
  // EBML: WebM and Matroska.
  return first === 0x1a && second === 0x45 && third === 0xdf && fourth === 0xa3 ? 'progressive' : undefined
}

function kindOfText(
  bytes: Uint8Array,
): 'hls-playlist' | 'dash-mpd' | 'dash-patch' | 'dash-fragment' | 'text' | undefined {
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  const text = latin1(bytes.subarray(hasMark ? 3 : 0, TEXT_WINDOW))
  if (/^#EXTM3U(?:\s|$)/.test(text)) return 'hls-playlist'
  if (/^WEBVTT(?:\s|$)/.test(text)) return 'text'
  const root = rootOf(text)
  // Other documents have elements of the other names.
  if (root === 'Period') return 'dash-fragment'
  switch (root) {
    case 'MPD':
      return 'dash-mpd'
    case 'Patch':
      return 'dash-patch'
    case 'tt':
      return 'text'
    default:
      return undefined
  }
}

/** Elements of an MPD that may stand in a document of their own, many of them without a root (ISO/IEC 23009-1 section 5.5). */
export const REMOTE_ELEMENTS: ReadonlySet<string> = new Set([
  'Period',
  'AdaptationSet',
  'SegmentList',
  'EventStream',
  'InitializationSet',
])

/** The local name of an XML document's root element; undefined when none begins within `text`. */
export function rootOf(text: string): string | undefined {
  let at = 0
  for (;;) {
    at += /^\s*/.exec(text.slice(at))?.[0].length ?? 0
    const end = text.startsWith('<?', at) ? '?>' : text.startsWith('<!--', at) ? '-->' : undefined
    if (end === undefined) break
    const closed = text.indexOf(end, at)
    if (closed === -1) return undefined
    at = closed + end.length
  }
  return /^<(?:[\w-]+:)?([\w-]+)[\s/>]/.exec(text.slice(at))?.[1]
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
