/** The contract of the road: those who can answer what we cannot. */
import type { ReceivedHead, RequestHead } from '../rfc/heads.ts'

/**
 * Who sets the pace of a body, and so how long it holds a connection.
 *
 * - `all`: a fill, which is read as fast as it comes.
 * - `one`: a single viewer, who may be slow.
 */
export type Readers = 'all' | 'one'

/** `now`: a viewer is about to see a stall, or sees one; such a request goes before others in a queue. */
export type Urgency = 'now' | 'soon'

/**
 * A request that its answerer holds until there is something to say (LL-HLS). It has connections of its own, and silence
 * within this bound is no fault.
 */
export interface Held {
  /** How long the head may take to come. */
  readonly headTimeoutMs: number
}

/** How something is asked for. */
export interface Manner {
  /** Absent: the body is for all. Bodies for one viewer may not take all connections. */
  readonly readers?: Readers
  /** Absent: nobody is in a hurry. */
  readonly urgency?: Urgency
  /** Settles when somebody in a hurry waits for it as well, and never rejects; absent: nobody joins. */
  readonly urged?: Promise<void> | undefined
  /** The answerer may let it wait; absent: it is to answer at once. */
  readonly held?: Held | undefined
  /** From now on no sibling is waited for; absent: nobody wants to know. */
  readonly onOrigin?: (() => void) | undefined
  /** What siblings choose the one by who fills it: the key of what is asked for. Absent: no sibling is asked. */
  readonly key?: string | undefined
  /** What this very request set out with already, and what is to be taken over. Absent: it has not set out. */
  readonly ride?: Ride | undefined
}

/** One who takes a body for one viewer as the connection brings it, without a stream in between. */
export interface Rider {
  /** The head has come. False: this is no answer for it, and whoever fetches takes the ride over. */
  heard(head: ReceivedHead): boolean
  /** The next bytes; they stay as they are until `giveBack` is called, once. */
  piece(bytes: Uint8Array, giveBack: () => void): void
  /** The body broke off; what is missing of it comes from elsewhere, or throws a RelaisError. */
  goesOn(rest: AsyncIterable<Uint8Array>): void
  /** No answer came that could be for it: whoever fetches takes the ride over. */
  declined(): void
}

/** A request on its way to one who has it, as far as is known, for one viewer. */
export interface Ride {
  /** Milliseconds for which its head is not late yet; after that it had better be fetched, which asks others as well. */
  readonly lateInMs: number
  /** Nobody waits for it any more: nothing more is heard. */
  leave(reason: unknown): void
}

/** A response that another node fills for all: how far this one may keep it. */
export interface Copy {
  /** It is asked for often enough to be kept here for a moment as well, whatever it is. */
  readonly isHot: boolean
}

/** Anyone who can answer what we cannot: an origin, or the sibling that owns the key. */
export interface Source {
  /** Its name in logs, /stats and Proxy-Status. */
  readonly name: string
  /**
   * Asks for `request.target`, here what follows the route's prefix, and answers when the head has come. Rejects with a
   * RelaisError when none came, and with the signal's reason when that is aborted first.
   */
  fetch(request: RequestHead, signal: AbortSignal, manner?: Manner): Promise<UpstreamResponse>
  /**
   * What came `from` there lags behind: for so long it is asked after those in good standing. True: another one stands
   * before it from now on. False: nobody better is there, or it was demoted already. Absent: there is nobody else.
   */
  demote?(from: string, forMs: number): boolean
  /**
   * How many requests that nobody waits for may be under way at once: `share` percent of the connections, at least one;
   * 0 while it fails or is busy. Absent: one at a time.
   */
  spare?(share: number): number
  /**
   * How many siblings, one behind the other, may have to be waited for until what has this key is here, 0 to 2. What
   * waits for siblings must not be waited for by one, or two that take each other for the owner would wait for ever.
   * Absent: none.
   */
  hopsTo?(key: string): number
  /**
   * Sets out on behalf of one viewer for what lies elsewhere, and is not to be kept here. Undefined: it is to be fetched.
   * Absent: all is.
   */
  ride?(request: RequestHead, key: string, rider: Rider): Ride | undefined
}

/** A response whose head is here and whose body is on its way. */
export interface UpstreamResponse {
  readonly head: ReceivedHead
  /** The source that gave it. */
  readonly from: string
  /** The absolute URL that was asked for: what relative addresses in the body are relative to. */
  readonly url: string
  /**
   * The bytes as they arrive, to be read once. Throws a RelaisError when the body ends before its time; leaving
   * the loop early cancels the transfer.
   */
  readonly body: AsyncIterable<Uint8Array>
  /** Cancels the transfer when nobody wants the body. */
  cancel(): void
  /**
   * What was fetched for all is for one viewer alone after all. False: too many such hold connections already, and this
   * one has to be cancelled and asked for again as such. Absent: it holds up nobody.
   */
  readonly toOne?: () => boolean
  /** Another node keeps it; absent: it is for this one to keep. */
  readonly copy?: Copy | undefined
}
