/** How news travels between siblings: over HTTP from each to each, or over NATS. */
import type { Positions } from './purge-log.ts'
import type { SiblingState } from './sibling-state.ts'

/** Where siblings may be, before they said so themselves. */
export interface Whereabouts {
  readonly url: string
  /** Undefined: it is whoever answers there. */
  readonly id: string | undefined
}

/** Who hears what comes. None of these throws. */
export interface CarrierEvents {
  /** What this node says of itself now. */
  own(): SiblingState
  /**
   * A sibling said something of itself; `from` is where it was asked, when it was. `self`: that is this very process.
   * `refused`: it is no sibling of ours, which was told where it matters.
   */
  heard(message: unknown, from: Whereabouts | undefined): SiblingState | 'self' | 'refused'
  /** A sibling has applied purges, and `positionsOf` says which. */
  onPositions(): void
  /** Something is not as it should be; said once until it is as it should be again. */
  onTrouble(what: string, error: unknown): void
  onInfo(what: string, about: Readonly<Record<string, unknown>>): void
}

export interface CarrierHealth {
  readonly kind: 'http' | 'nats'
  /** False: nothing can be heard, and what is known of the others stays as it is. */
  readonly isConnected: boolean
  /** Messages that were none. */
  readonly garbage: number
  /** Purges of this node that nobody took yet, or entries of the log that this node did not read yet. */
  readonly purgeLag: number
}

/** How long somebody is waited for who is told that this node leaves. */
export const ANNOUNCE_MS = 500

/**
 * None of its methods throws or rejects: what fails is tried again by itself, and the node serves on meanwhile.
 *
 * What is in the purge book is carried from there: a carrier holds nothing that would be lost with it.
 */
export interface Carrier {
  readonly health: CarrierHealth
  /** Resolves when all purges that can be had from those who are there are applied, after a bounded time. False: nobody was there. */
  open(): Promise<boolean>
  /** Tells the siblings how this node is, and hears how they are. Called each second. */
  publishState(): void
  /**
   * Tells those who are there how this node is, without waiting for their next beat. Resolves when they have heard it, or
   * after half a second: who hangs or is not to be reached does not keep this node.
   */
  announce(): Promise<void>
  /** There are purges in the book that others may lack. */
  appendPurges(): void
  /** What a sibling has applied, as it says itself. */
  positionsOf(id: string): Positions | undefined
  /** Resolves when nothing that was begun is under way. */
  settled(): Promise<void>
  close(): Promise<void>
}
