/**
 * When a sibling is there: what is heard of it, and for how long nothing was.
 *
 * Membership changes slowly, health only skips: the ranking is dealt anew after 15 s of silence and after 10 s of
 * steady presence, while somebody silent for 3 s is skipped without any key changing its owner. Pure: `now` is an argument.
 */
import type { Instant } from '../rfc/heads.ts'
import type { MemberState } from './roster.ts'

export const SUSPECT_AFTER_MS = 3_000
export const GONE_AFTER_MS = 15_000
export const STEADY_FOR_MS = 10_000

/** What a node says of itself. `joining`: it has not caught up with the purges yet. `gone`: its last word. */
export type DeclaredState = Exclude<MemberState, 'suspect'>

/** What is known of one sibling. */
export interface Sight {
  readonly state: MemberState
  /** When it was heard last; of one that never was, when it began to be listened for. */
  readonly heardAt: Instant
  /** Since when it says that it is active, without a silence; undefined: it does not. Counts while it is joining. */
  readonly steadySince: Instant | undefined
  /** When it became an owner; -Infinity: it was there before this node. */
  readonly joinedAt: Instant
}

/**
 * Of a sibling that is named and was not heard yet. One that this node `found` when it began itself has its place in the
 * ranking, as it has it on the others; it is skipped until it is heard, and gone if that does not happen in time.
 */
export function unheard(isFound: boolean, now: Instant): Sight {
  return {
    state: isFound ? 'suspect' : 'gone',
    heardAt: now,
    steadySince: undefined,
    joinedAt: Number.NEGATIVE_INFINITY,
  }
}

/** After it said what state it is in. */
export function heard(before: Sight, declared: DeclaredState, now: Instant): Sight {
  const sight = passed(before, now)
  const isRanked = sight.state !== 'gone' && sight.state !== 'joining'
  switch (declared) {
    case 'gone':
      return { ...sight, state: 'gone', heardAt: now, steadySince: undefined }
    case 'joining':
      // One that was away for a moment keeps its keys, and is skipped until it has caught up.
      return { ...sight, state: isRanked ? 'suspect' : 'joining', heardAt: now, steadySince: undefined }
    case 'draining':
      return { ...sight, state: isRanked ? 'draining' : 'joining', heardAt: now, steadySince: undefined }
    case 'active': {
      if (isRanked) return { ...sight, state: 'active', heardAt: now, steadySince: undefined }
      const steadySince = sight.steadySince ?? now
      if (now - steadySince < STEADY_FOR_MS) return { ...sight, state: 'joining', heardAt: now, steadySince }
      return { state: 'active', heardAt: now, steadySince: undefined, joinedAt: now }
    }
  }
}

/** After so much silence. */
export function passed(sight: Sight, now: Instant): Sight {
  const silentMs = now - sight.heardAt
  if (silentMs >= GONE_AFTER_MS) {
    return sight.state === 'gone' ? sight : { ...sight, state: 'gone', steadySince: undefined }
  }
  if (silentMs < SUSPECT_AFTER_MS) return sight
  switch (sight.state) {
    case 'active':
    case 'draining':
      return { ...sight, state: 'suspect' }
    case 'joining':
      return { ...sight, state: 'gone', steadySince: undefined }
    case 'suspect':
    case 'gone':
      return sight
  }
}

/** After this node itself was deaf for so long, or its clock was set: silence that nobody could have heard does not count. */
export function shifted(sight: Sight, ms: number): Sight {
  const { heardAt, steadySince, joinedAt } = sight
  return {
    ...sight,
    heardAt: heardAt + ms,
    steadySince: steadySince === undefined ? undefined : steadySince + ms,
    joinedAt: joinedAt + ms,
  }
}
