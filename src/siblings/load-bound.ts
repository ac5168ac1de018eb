/** How much of its keys an owner is relieved of: consistent hashing with bounded loads, for nodes that hear of each other once a second. */
import type { Instant } from '../rfc/heads.ts'

/** So many times the mean is too much. */
const TOO_MUCH = 1.25
/** Below so many times the mean it is relieved of less and less. */
const ENOUGH = 1.1
/** An idle cluster has nothing to share: below it nobody is relieved. */
const FLOOR = 0.6
/** At so many times the mean above `TOO_MUCH` it is relieved of everything. */
const SPAN = 0.5
/** How fast keys go back to it. All at once would make it too busy again, and so on. */
const BACK_PER_SECOND = 0.1

export interface Loaded {
  readonly id: string
  readonly weight: number
  /** 0 to 1. */
  readonly load: number
}

interface Relief {
  readonly shed: number
  readonly at: Instant
}

/**
 * News of a load is a second old, so all nodes would turn away from a busy owner at once, and back at once: what is shed
 * is a part of the keys, the same on each node, it grows with the load, stays while that is not clearly lower, and
 * shrinks slowly.
 */
export class LoadBound {
  #reliefs: ReadonlyMap<string, Relief> = new Map()

  /** To be told the loads of all who are alive, whenever they are news. */
  update(members: readonly Loaded[], now: Instant): void {
    const mean = weightedMean(members)
    this.#reliefs = new Map(
      members.map((member) => {
        const before = this.#reliefs.get(member.id) ?? { shed: 0, at: now }
        return [member.id, { shed: nextShed(before, member.load, mean, now), at: now }]
      }),
    )
  }

  /** The part of its keys that go to their runners-up, 0 to 1. */
  shedOf(id: string): number {
    return this.#reliefs.get(id)?.shed ?? 0
  }
}

function nextShed({ shed, at }: Relief, load: number, mean: number, now: Instant): number {
  const isOver = load > TOO_MUCH * mean && load > FLOOR
  const wanted = isOver ? Math.min(1, (load - TOO_MUCH * mean) / (SPAN * mean)) : 0
  if (wanted >= shed) return wanted
  const isStillBusy = load >= ENOUGH * mean && load > FLOOR
  const seconds = Math.max(0, now - at) / 1000
  return isStillBusy ? shed : Math.max(wanted, shed - BACK_PER_SECOND * seconds)
}

/** Never 0 where someone is busy, for the one that is busy counts. */
function weightedMean(members: readonly Loaded[]): number {
  const weights = members.reduce((sum, { weight }) => sum + weight, 0)
  return weights === 0 ? 0 : members.reduce((sum, { weight, load }) => sum + weight * load, 0) / weights
}
