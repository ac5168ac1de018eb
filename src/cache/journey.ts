/** What a fill is told, what it needs, and what comes of it. */

import type { AddressBook } from '../media/addresses/address-book.ts'
import type { Wanted } from '../media/directives.ts'
import type { ManifestFacts } from '../media/facts.ts'
import type { Forwarded } from '../rfc/cache-status.ts'
import type { Clock, Fields, Instant, RequestHead } from '../rfc/heads.ts'
import type { NotStorable } from '../rfc/storability.ts'
import type { Variant } from '../rfc/vary.ts'
import type { Notes } from '../store/notes.ts'
import type { CacheKey, Sliced, Store, StoredHead, StoredResponse } from '../store/store.ts'
import type { Held, Ride, UpstreamResponse } from '../upstream/source.ts'
import type { NamedDocuments } from './named-documents.ts'
import type { SliceOptions } from './options.ts'
import type { PrefetchOptions } from './prefetch/options.ts'
import type { Tally } from './prefetch/tally.ts'
import type { ManifestReader } from './reading/manifest-reader.ts'
import type { Route } from './routes.ts'
import type { Streams } from './streams.ts'

/** What the judge is given by the house. */
export interface CacheContext {
  readonly store: Store
  readonly streams: Streams
  readonly clock: Clock
  readonly node: string
  /** Who gives out the purges of this node, in this life; absent: a name of its own. */
  readonly issuer?: string | undefined
  readonly slicing: SliceOptions
  /** Which addresses in manifests are ours. */
  readonly addresses: AddressBook
  readonly manifests: ManifestReader
  readonly prefetching: PrefetchOptions
  /** The route by which viewers ask for a target; undefined: none of them would be let in with it. */
  readonly routeOf: (target: string) => Route | undefined
  /** Where it is counted what was fetched ahead of a stream, by the target of one thing in it. */
  readonly tallyOf: (target: string) => Tally
  /** All there are. */
  readonly routes: readonly Route[]
  /** Where purges are noted, so that a restart brings back nothing. Absent: nothing outlives the process. */
  readonly notes?: Notes
  /** A body that broke off, or a background validation that failed: for the log, no viewer is told. */
  readonly onTrouble: (what: string, error: unknown, target: string) => void
}

/** What a fill knows of purges (purges/purges.ts). */
export interface Fence {
  /** The mark under which a fill sets out: what it brings is covered by the purges that come after it. */
  depart(): number
  /** The fill under this mark has landed. */
  arrive(mark: number): void
  /** Whether no purge covers what has this head. */
  isGood(head: StoredHead): boolean
  /** Whether a purge has taken away what has this head, so that nothing follows from it. */
  isGone(head: StoredHead): boolean
}

/** What is given by the house, behind the fence: what was purged is not in its store. */
export interface FencedContext extends CacheContext {
  readonly fence: Fence
}

/** What is done with a version of a manifest that came. */
export type Judgement =
  | { readonly kind: 'take' }
  /** Another origin knows more. */
  | { readonly kind: 'instead'; readonly response: UpstreamResponse }
  /** It says less than viewers know: what is stored is served on. */
  | { readonly kind: 'keep'; readonly kept: { readonly stored: StoredResponse; readonly kept: boolean } }

/** What a fill knows of live streams (live-guard.ts). */
export interface Guard {
  /** `variant`: for whom this version is. */
  judge(order: Order, response: UpstreamResponse, facts: ManifestFacts, variant: Variant): Promise<Judgement>
  unmoved(order: Order, from: string): Promise<UpstreamResponse | undefined>
  /** Since when a new run of its stream lists it; undefined: it is of the first run that is known here. */
  runOf(key: CacheKey): Instant | undefined
}

/** What a fill knows of slices (slices.ts). */
export interface SliceKeeper {
  isToBeWhole(key: CacheKey): boolean
  adopt(head: StoredHead, sliced: Sliced, index: number, target: string, response: UpstreamResponse): void
  forget(head: StoredHead): Promise<void>
  /** The response with a body that can be read, on behalf of this request; itself when it is not sliced. */
  attach(route: Route, request: RequestHead, stored: StoredResponse): StoredResponse
  /** Whether all that the request wants of it is stored; true for what is not sliced. */
  areStored(stored: StoredResponse, request: RequestHead): boolean
}

export interface FillContext extends FencedContext {
  readonly named: NamedDocuments
  readonly slices: SliceKeeper
  readonly guard: Guard
  /** Settles when a version of a manifest that has just come may be shown; never rejects. Undefined: at once. */
  readonly arrivalOf: (target: string) => Promise<void> | undefined
}

/** A fill that the origin holds until there is something to say (LL-HLS). */
export interface HeldFill extends Held {
  /** Of the playlist without directives: what comes is its newest version. Undefined: it is no playlist. */
  readonly plainKey: CacheKey | undefined
  /** What the origin waits for; undefined: it is no playlist. */
  readonly wanted: Wanted | undefined
}

export interface Order {
  readonly route: Route
  readonly key: CacheKey
  readonly request: RequestHead
  /** What is to be validated; undefined: nothing is stored, or it has no validator. */
  readonly stored: StoredResponse | undefined
  /** Under which it set out: purges that come later cover what it brings. */
  readonly mark: number
  /** Whether somebody wants it who does not read it: a viewer that waits for the head, or a validation behind a stale hit. */
  readonly isWanted: () => boolean
  /** The origin holds the request until there is something to say. */
  readonly held?: HeldFill | undefined
  /** Settles when somebody in a hurry waits for it; absent: nobody joins. */
  readonly urged?: Promise<void> | undefined
  /** Told when it sets out, and then when it is the origin's turn, so that it is known how many siblings it waits for; absent: nobody asks. */
  readonly hops?: { setOut(): () => void } | undefined
  /** Nobody asked for it yet: it is asked for without anyone's credentials. */
  readonly isAhead?: boolean
  /** What it has set out with already (cut-through.ts). */
  readonly ride?: Ride | undefined
}

/**
 * Why a response is not kept.
 *
 * - `ahead`: nobody asked for it yet, and it may say no for want of what a viewer would send; who asks is told himself.
 * - `kind`: keys and steering manifests are kept only when the origin says so.
 * - `unframed`: only the end of the connection ends it, so that half of it looks like all of it.
 * - `declined`: no store takes it, and it is too large to be shared from memory while it passes.
 * - `unbound`: it is large, and without a strong validator nobody can tell whether two slices of it belong together.
 * - all others: the law (rfc/storability.ts).
 */
export type NotKept = NotStorable | 'ahead' | 'kind' | 'unframed' | 'declined' | 'unbound'

/** What may not be stored belongs to the first alone; all else is shared. */
export type Filled =
  | {
      readonly kind: 'stored'
      readonly stored: StoredResponse
      /** The status the origin answered with: 304 when it was a validation that held. */
      readonly fwdStatus: number
      /** Whether it is being kept, or only passed on to those who asked meanwhile. */
      readonly kept: boolean
      /** Why it belongs to the one who caused it alone: what was stored for all is validated, and is so no more. */
      readonly withdrawn?: NotStorable | undefined
      /** Fields for the one viewer who caused it alone. */
      readonly unshared?: Fields | undefined
    }
  | {
      readonly kind: 'not-storable'
      readonly reason: NotKept
      readonly response: UpstreamResponse
      /** False: it is a part that no viewer asked for, and no answer to anyone. */
      readonly isAsked: boolean
    }

/** What a flight does, from the request to the last byte. */
export interface Journey {
  /** Settles when the head is here (for a manifest: all of it). */
  readonly outcome: Promise<Filled>
  /** Settles when nothing more will come. Never rejects. */
  readonly landed: Promise<void>
  /** How many siblings it may have to wait for, one behind the other, at the moment; absent: none. */
  readonly hops?: { readonly now: number }
}

/** One viewer's part in a flight. */
export interface Walk {
  readonly route: Route
  readonly key: CacheKey
  readonly request: RequestHead
  readonly fwd: Forwarded
  /** What may stand in when the origin fails. */
  readonly fallback: StoredResponse | undefined
  readonly signal: AbortSignal
  /** False: it has waited for another's flight already, and what that brought was not for it (RFC 9211 section 2.6). */
  readonly collapsed: false | undefined
  /** Everybody waits for the same instant, so that "not now" is said to all of them. */
  readonly isHeld?: boolean
}
