/** The contract of the cellar: how responses are kept, and how their bytes are read. */
import type { Freshness, SilentLifetime } from '../rfc/freshness.ts'
import type { Fields, Instant, RequestHead } from '../rfc/heads.ts'
import type { ByteRange } from '../rfc/range.ts'
import type { Variant } from '../rfc/vary.ts'

/** One key for all requests that mean the same resource; made by cache/key.ts, opaque here. */
export type CacheKey = string

/** All that is known of a stored response except its bytes. Plain data: it survives JSON unchanged. */
export interface StoredHead {
  readonly key: CacheKey
  readonly status: number
  /** End-to-end fields as they will be sent, without those a cache must not keep (RFC 9111 section 3.1). */
  readonly fields: Fields
  /** What the request had in the fields named by Vary (RFC 9111 section 4.1); empty without Vary. */
  readonly variant: Variant
  readonly freshness: Freshness
  /** What stands in where the origin is silent about lifetimes; kept so that a 304 can renew them. */
  readonly silent: SilentLifetime
  /** What the library took it for, for logs and counters; the cellar does not interpret it. */
  readonly kind: string
  /** `always`: room is made for it (the live edge). `when-wanted`: it must not push out what is asked for more often. */
  readonly admission: 'always' | 'when-wanted'
  readonly storedAt: Instant
  /** What the origin calls the body by, where it was changed here and so has a validator of our own. */
  readonly validators?: Fields | undefined
  /** The manifest of a live stream: no viewer may keep it for longer than it is fresh here. */
  readonly isLive?: true
  /** The body lies in slices with keys of their own (cache/slice.ts), and the response of this head is empty. */
  readonly sliced?: Sliced | undefined
  /**
   * When the request was sent that brought it, or that last confirmed it: what came to pass at the origin before then, it
   * knows. Absent: storedAt.
   */
  readonly askedAt?: Instant
  /** Which purges it was asked for after, when it came or was last confirmed: a later one covers it. Absent: after none. */
  readonly mark?: number
  /**
   * Another node keeps it. `kept`: here it lies in memory alone, in the part for copies. `passing`: it is held for those
   * who read it while it comes, and then not kept. Absent: it is for this node to keep.
   */
  readonly copy?: 'kept' | 'passing'
}

/** How a large body is cut. */
export interface Sliced {
  /** Length of the whole body in bytes. */
  readonly size: number
  /** Length of each slice, save for the last one, which may be shorter. */
  readonly sliceBytes: number
  /** Slices of one generation belong together; another one has other keys. */
  readonly generation: string
}

/**
 * Bytes that may be read many times and from anywhere, even while they still arrive: a reader at the tip waits for
 * more.
 *
 * A reader sees all bytes of its range or an error, never a silent end before it. What a reader was handed stays
 * unchanged for as long as it is held.
 */
export interface Body {
  /** Length in bytes; undefined while it grows and its source did not say how far. */
  readonly size: number | undefined
  /** The whole body when it lies in memory, to be written without a copy; undefined otherwise. */
  readonly chunks: readonly Uint8Array[] | undefined
  /** The bytes of `range` (all without one) where they lie in memory though not all of the body does; else undefined. */
  held?(range?: ByteRange): readonly Uint8Array[] | undefined
  /**
   * Says that a connection holds what `chunks` or `held` answered (or only `piece` of it, as it reads on), so that its bytes
   * are counted when the store lets them go, until they are given back. Absent where bytes are nobody's but the reader's.
   */
  lend?(recall: Recall | undefined, piece?: Uint8Array): GiveBack
  /**
   * Reads `range` (both ends inclusive and within the body; all of it when absent).
   * Throws what broke the body when it ends before its time, and the signal's reason when that is aborted.
   *
   * What was handed out last counts as held by the reader until he asks for more, or ends; one who may take long over it
   * says by `recall` how it is had back.
   */
  read(range?: ByteRange, signal?: AbortSignal, recall?: Recall): AsyncIterable<Uint8Array>
}

/** Breaks off an answer, visibly: what its connection holds has been evicted, and its memory is needed. Called once at most. */
export type Recall = () => void

/** To be called when the connection has let go of what was lent; does nothing a second time. */
export type GiveBack = () => void

export interface StoredResponse {
  readonly head: StoredHead
  readonly body: Body
}

/**
 * A place for responses.
 *
 * - Nothing is visible to `peek` and `get` before `commit`; without it no trace remains.
 * - The bytes held never exceed the configured bound, not even for a moment.
 * - No method throws or rejects because the place failed (full, unreadable, corrupt): it answers as if the response
 *   were not there, and counts it.
 * - What `peek` and `get` hand out is whole and unchanged, or is not handed out.
 */
export interface Store {
  /** What lies in memory for this key and matches the request's selecting fields; synchronous. */
  peek(key: CacheKey, request: RequestHead): StoredResponse | undefined
  /**
   * As peek, wherever it lies; undefined when there is nothing, or nothing that can be trusted. `part` is what will be
   * read of it, within its body, where that is known: then the rest need not be had for it.
   */
  get(key: CacheKey, request: RequestHead, part?: ByteRange): Promise<StoredResponse | undefined>
  /** Whether anything lies there for this key; synchronous, and not taken for a use. */
  has(key: CacheKey): boolean
  /** Says that what lies there is wanted, as if it had been read: what belongs together is kept together. */
  use(key: CacheKey): void
  /**
   * Says that what lies there will hardly be asked for again: it is evicted before anything else, unless it is read or
   * said to be wanted after all. Until then it is answered as before.
   */
  demote(key: CacheKey): void
  /**
   * A writer for a new response, which on commit takes the place of the same key and variant; undefined: declined.
   * `elsewhere` answers the same bytes in another place, for those who still read them when they have left this one.
   */
  open(
    head: StoredHead,
    size: number | undefined,
    elsewhere?: () => Body | undefined,
  ): Promise<StoreWriter | undefined>
  /**
   * Replaces the head of the response that was validated, its body stays (RFC 9111 section 4.3.4). False: it is no longer
   * here, or another one has taken its place (see same-response.ts).
   */
  refresh(head: StoredHead): Promise<boolean>
  /** Forgets every variant of a key. True when there was one. */
  delete(key: CacheKey): Promise<boolean>
  /** The heads of all that lies in one place, in no order; what comes or goes meanwhile may be among them or not. */
  heads(place: 'memory' | 'disk'): AsyncIterable<StoredHead>
  stats(): StoreStats
  /** Writes out what is pending and lets go of files. Calls after it answer as an empty store does. */
  close(): Promise<void>
}

/** One response on its way into a store. Ends with exactly one call of commit or abort. */
export interface StoreWriter {
  /**
   * Where what was written can be had again. `memory`: the chunks handed in are being kept. `disk`: `readBack` has
   * them. `nowhere`: the store has given this response up.
   */
  readonly held: 'memory' | 'disk' | 'nowhere'
  /**
   * Takes the next bytes of the body; they must stay unchanged from then on. A promise asks the caller to wait with
   * the next ones. Never throws: a store that can go no further (no room, a failing disk) forgets what it was given,
   * and `commit` answers undefined.
   */
  write(chunk: Uint8Array): void | Promise<void>
  /**
   * Bytes written before, while `held` is `disk`: for a viewer who is far behind a large fill. `range` must have been
   * written; rejects when it cannot be read.
   */
  readBack(range: ByteRange): Promise<Uint8Array>
  /** Makes the response visible. Undefined when the store had to give it up; the response is then in nobody's hands. */
  commit(): Promise<StoredResponse | undefined>
  abort(reason: Error): Promise<void>
}

/** What one place holds, in bytes and in entries (an entry is one stored response, so one variant of a key). */
export interface PlaceStats {
  readonly entries: number
  readonly bytes: number
  readonly maxBytes: number
  /** Responses dropped to make room. */
  readonly evictions: number
  /** Responses not kept although they might have been: too large, or asked for less often than what they would push out. */
  readonly declined: number
}

export interface MemoryStats extends PlaceStats {
  /** Bytes among `bytes` that were evicted, replaced or deleted while viewers' connections still hold them. */
  readonly lent: number
  /** Answers broken off because what they had to send was evicted, and its memory needed. */
  readonly recalled: number
}

export interface DiskStats extends PlaceStats {
  /** `off`: not configured. `failed`: turned off after errors; the proxy runs on without it. */
  readonly state: 'on' | 'off' | 'failed'
  /** Reads and writes that failed. */
  readonly errors: number
  /** Entries found damaged and dropped. */
  readonly corrupt: number
}

export interface StoreStats {
  readonly memory: MemoryStats
  readonly disk: DiskStats
}
