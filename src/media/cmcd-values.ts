/** The values of CMCD by their types: an ill-typed one is as if it were not there (CTA-5004-B section 6). */

/** All of it is a player's word: good for counting and for hints, never for what may be done. */
export interface CmcdFields {
  /** At most 64 characters. */
  readonly sid: string | undefined
  /** At most 128 characters. */
  readonly cid: string | undefined
  /** Object type: manifest, audio, video, audio and video, init, caption, timed text, key, other. */
  readonly ot: 'm' | 'a' | 'v' | 'av' | 'i' | 'c' | 'tt' | 'k' | 'o' | undefined
  /** Streaming format: DASH, HLS, … */
  readonly sf: 'd' | 'h' | 'e' | 's' | 'o' | undefined
  /** Stream type: VOD, live, low-latency live. */
  readonly st: 'v' | 'l' | 'll' | undefined
  /** Player state (version 2): starting, playing, seeking, rebuffering, paused, waiting, ended, fatal error, quit, preloading. */
  readonly sta: 's' | 'p' | 'k' | 'r' | 'a' | 'w' | 'e' | 'f' | 'q' | 'd' | undefined
  /** kbit/s: encoded, highest of all, measured, wished for at most. The first of a list. */
  readonly br: number | undefined
  readonly tb: number | undefined
  readonly mtp: number | undefined
  readonly rtp: number | undefined
  /** Milliseconds: buffered, until the buffer is empty, length of the object, delay of a live stream, of the start. */
  readonly bl: number | undefined
  readonly dl: number | undefined
  readonly d: number | undefined
  readonly ltc: number | undefined
  readonly msd: number | undefined
  /** Playback rate; 1 is real time. */
  readonly pr: number | undefined
  /** It stalled since the last request. */
  readonly bs: boolean
  /** It starts, seeks or has stalled: urgent. */
  readonly su: boolean
}

const OBJECT_TYPES = ['m', 'a', 'v', 'av', 'i', 'c', 'tt', 'k', 'o'] as const
const FORMATS = ['d', 'h', 'e', 's', 'o'] as const
const STREAM_TYPES = ['v', 'l', 'll'] as const
const STATES = ['s', 'p', 'k', 'r', 'a', 'w', 'e', 'f', 'q', 'd'] as const

interface EventFields {
  readonly e: string | undefined
  readonly ts: number | undefined
}

/** Never throws, whatever stands in the places of the keys. */
export function fieldsOf(data: Readonly<Record<string, unknown>>): CmcdFields & EventFields {
  return {
    sid: text(data.sid, 64),
    cid: text(data.cid, 128),
    ot: oneOf(OBJECT_TYPES, data.ot),
    sf: oneOf(FORMATS, data.sf),
    st: oneOf(STREAM_TYPES, data.st),
    sta: oneOf(STATES, data.sta),
    br: natural(data.br),
    tb: natural(data.tb),
    mtp: natural(data.mtp),
    rtp: natural(data.rtp),
    bl: natural(data.bl),
    dl: natural(data.dl),
    d: natural(data.d),
    ltc: natural(data.ltc),
    msd: natural(data.msd),
    pr: number(data.pr),
    bs: data.bs === true,
    su: data.su === true,
    e: text(data.e, 64),
    ts: natural(data.ts),
  }
}

/** Of a list (version 2 gives one a type of object) the first. */
function number(value: unknown): number | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : value
  const bare: unknown = typeof first === 'object' && first !== null ? Reflect.get(first, 'value') : first
  return typeof bare === 'number' && Number.isFinite(bare) && bare >= 0 ? bare : undefined
}

function natural(value: unknown): number | undefined {
  const found = number(value)
  return found !== undefined && Number.isSafeInteger(found) ? found : undefined
}

/** What is longer than it may be is ill-typed too. */
function text(value: unknown, longest: number): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= longest ? value : undefined
}

function oneOf<Word extends string>(words: readonly Word[], value: unknown): Word | undefined {
  return words.find((word) => word === value)
}
