/** Who is there: the members of the cluster as this node sees them. */
import { hash } from 'node:crypto'
import { ALGORITHM, memberWords, type Scored } from './rendezvous.ts'

/**
 * - `joining`: it was not there before, and has not been heard steadily for long enough, or has not yet caught up with
 *   the purges. It owns nothing.
 * - `active`: it owns its share.
 * - `suspect`: it has been silent for three seconds. It keeps its keys, and for the time being their runners-up are asked.
 * - `draining`: it said that it leaves. It is asked for what it has, and no longer to fill.
 * - `gone`: silent for fifteen seconds, or it said that it left. Its keys are their runners-up's.
 */
export type MemberState = 'joining' | 'active' | 'draining' | 'suspect' | 'gone'

/** One Relais of the cluster. A change makes a new object, so members may be compared and kept. */
export interface Member extends Scored {
  /** Of its internal listener, without a slash at the end: `http://10.0.0.2:8090`. */
  readonly url: string
  /** Where viewers reach it; undefined when that was not said. */
  readonly publicUrl: string | undefined
  /** Siblings of one zone fill for each other. */
  readonly zone: string
  /** The machine that it runs on, as the host of its URL says: two members of one host die together. */
  readonly host: string
  readonly state: MemberState
  /** The busiest of what it has: 0 is idle, 1 is all it can do. */
  readonly load: number
  /** The part of its keys that its runners-up are asked for, because it is busier than the others: 0 to 1. */
  readonly shed: number
  /** When it became an owner here; -Infinity: it was there before this node. */
  readonly joinedAt: number
}

export interface Roster {
  /** This node. It is among the members as well, in the state that it tells the others. */
  readonly self: Member
  /** All that were ever heard of and are still named by the configuration, in the order of their ids. */
  members(): readonly Member[]
  /** 16 hex digits: the same on all nodes that would choose the same owners, health apart. */
  digest(): string
  /** Tells after each change of a member's state, weight or address, not of its load. Returns how to stop that. */
  onChange(listener: () => void): () => void
}

/** A member with what is usual; its words are made of its id. */
export function memberOf(
  known: Pick<Member, 'id' | 'url'> & Partial<Omit<Member, 'id' | 'url' | 'words' | 'host'>>,
): Member {
  return {
    publicUrl: undefined,
    zone: 'default',
    weight: 1,
    state: 'active',
    load: 0,
    shed: 0,
    joinedAt: Number.NEGATIVE_INFINITY,
    ...known,
    host: URL.parse(known.url)?.hostname ?? known.url,
    words: memberWords(known.id),
  }
}

/** Whether it has a place in the ranking. Who is suspect or drains has one, and is skipped. */
export function isRanked({ state }: Member): boolean {
  return state === 'active' || state === 'suspect' || state === 'draining'
}

/** Of those who have a place in the ranking: id, zone and weight, and the arithmetic. */
export function digestOf(members: readonly Member[]): string {
  const lines = members
    .filter(isRanked)
    .map(({ id, zone, weight }) => `${id} ${zone} ${weight}`)
    .sort()
  return hash('sha256', [ALGORITHM, ...lines].join('\n')).slice(0, 16)
}
