/** Whom to ask for a key, in which order: the ranking, and who in it is to be skipped now. */
import type { Instant } from '../rfc/heads.ts'
import { fractionOf, rank, type Words } from './rendezvous.ts'
import { isRanked, type Member } from './roster.ts'

/** For so long what a new owner owns lies with the previous one, perhaps. */
const YOUNG_FOR_MS = 600_000
/** For so long a new owner is asked for a growing part of its keys only, from a tenth on. */
const RAMP_MS = 60_000
const RAMP_FROM = 0.1

/** Salts of `fractionOf`. */
const SHED = 0x73686564
const RAMP = 0x72616d70

export interface Neighbourhood {
  readonly self: Member
  readonly members: readonly Member[]
  /** The zone that is asked in place of the origin; undefined: none. */
  readonly parentZone: string | undefined
}

/** Whether it became an owner less than ten minutes ago. */
export function isYoung({ joinedAt }: Member, now: Instant): boolean {
  const age = now - joinedAt
  return age >= 0 && age < YOUNG_FOR_MS
}

/**
 * Who may fill this key for the zone: the owner, or who stands in for it, and one more for the case that the first
 * fails; this node itself among them, where it is its turn. The second runs on another host than the first, if any
 * does. Empty: nobody but this node, which may have no place in the ranking itself.
 */
export function fillersOf({ self, members }: Neighbourhood, words: Words, now: Instant): readonly Member[] {
  return firstTwo(ranking(members, self.zone, words), self, words, now)
}

/**
 * The same for the zone above, from which this zone fills. Who is asked there answers from its store or the origin.
 * Empty: there is none, or nobody in it is alive.
 */
export function parentsOf(
  { self, members, parentZone }: Neighbourhood,
  words: Words,
  now: Instant,
): readonly Member[] {
  if (parentZone === undefined || parentZone === self.zone) return []
  return firstTwo(ranking(members, parentZone, words), self, words, now)
}

/**
 * Who may have it already when this node fills it: asked once, `only-if-cached`, before the origin. For a stand-in that is the
 * owner it stands in for, for a new owner the previous one. Undefined: nobody more likely than another.
 */
export function formerOwnerOf(
  { self, members }: Neighbourhood,
  words: Words,
  now: Instant,
): Member | undefined {
  const ranked = ranking(members, self.zone, words)
  const [owner] = ranked
  if (owner === undefined) return undefined
  // A stand-in asks the owner, for its own viewers may have asked it already; a new owner whoever was there before all new ones.
  const former =
    owner.id !== self.id
      ? owner
      : ranked.find((member) => !isYoung(member, now) && member.id !== self.id && isYoung(self, now))
  return former !== undefined && canBeAsked(former) ? former : undefined
}

function ranking(members: readonly Member[], zone: string, words: Words): readonly Member[] {
  return rank(
    members.filter((member) => member.zone === zone && isRanked(member)),
    words,
  )
}

function firstTwo(ranked: readonly Member[], self: Member, words: Words, now: Instant): readonly Member[] {
  const alive = ranked.filter(({ state }) => state === 'active')
  const [owner, next] = alive
  if (owner === undefined || next === undefined) return alive
  const first = isPassedOver(owner, next, self, words, now) ? next : owner
  const others = alive.filter((one) => one !== first)
  const second = others.find(({ host }) => host !== first.host) ?? others[0]
  return second === undefined ? [first] : [first, second]
}

function isPassedOver(owner: Member, next: Member, self: Member, words: Words, now: Instant): boolean {
  // A new owner does not spare itself: it does not know since when the others take it for one.
  if (owner.id !== self.id && fractionOf(words, RAMP) >= rampOf(owner, now)) return true
  return next.load < owner.load && fractionOf(words, SHED) < owner.shed
}

/** The part of its keys that it is asked for. */
function rampOf({ joinedAt }: Member, now: Instant): number {
  return Math.min(1, RAMP_FROM + ((1 - RAMP_FROM) * Math.max(0, now - joinedAt)) / RAMP_MS)
}

/** For what it has; one that leaves has it still. */
function canBeAsked({ state }: Member): boolean {
  return state === 'active' || state === 'draining'
}
