/** Who is asked for a key, in which order and as whom: what the roster says, as seen by this node. */
import { loops } from '../rfc/connection.ts'
import type { Instant, RequestHead } from '../rfc/heads.ts'
import type { Manner } from '../upstream/source.ts'
import type { Role } from './peer-message.ts'
import { rank, type Words } from './rendezvous.ts'
import { isRanked, type Member } from './roster.ts'
import { fillersOf, formerOwnerOf, type Neighbourhood, parentsOf } from './succession.ts'

/** How many siblings asked for it before: 0 for a viewer, 1 for a sibling, 2 for one that asks for a zone below. */
export type Depth = 0 | 1 | 2

export interface Step {
  readonly member: Member
  readonly role: Role
}

/** The origin comes after the last step. */
export interface Course {
  readonly steps: readonly Step[]
  /** Whether it is this node's to keep. */
  readonly isOwn: boolean
}

/**
 * A viewer's request goes to the owner and then to who stands in for it. Who asks as a sibling has chosen already: for
 * it this node looks in its own store, asks who may have it at once, the zone above, or the origin; never one that could
 * come to the same question again.
 */
export function courseOf(
  around: Neighbourhood,
  words: Words,
  depth: Depth,
  request: RequestHead,
  { held }: Manner,
  now: Instant,
): Course {
  const isOwn = isOwnerOf(around, words)
  if (depth === 2) return { steps: [], isOwn }
  const others = othersOf(around, depth, words, now)
  const steps: Step[] = others.map((member, index) => ({ member, role: index === 0 ? 'owner' : 'second' }))
  // Nobody has yet what is still to be made.
  const isProbed = others.length === 0 && held === undefined && request.method === 'GET'
  const former = isProbed ? formerOwnerOf(around, words, now) : undefined
  if (former !== undefined) steps.push({ member: former, role: 'probe' })
  for (const member of parentsOf(around, words, now)) steps.push({ member, role: 'parent' })
  // Who has asked for it has it not.
  return { steps: steps.filter(({ member }) => !loops(request.fields, member.id)), isOwn }
}

/** How many siblings, one behind the other, may have to be waited for. */
export function hopsOf(around: Neighbourhood, words: Words, depth: Depth, now: Instant): number {
  if (depth === 2) return 0
  if (othersOf(around, depth, words, now).length > 0) return 2
  return parentsOf(around, words, now).length > 0 ? 1 : 0
}

/** Whatever state it is in: who stands in for an owner keeps nothing for long. */
function isOwnerOf({ self, members }: Neighbourhood, words: Words): boolean {
  const [first] = rank(
    members.filter((member) => member.zone === self.zone && isRanked(member)),
    words,
  )
  return first === undefined || first.id === self.id
}

/** Who fills it in place of this node; empty when it is this one's turn. */
function othersOf(around: Neighbourhood, depth: Depth, words: Words, now: Instant): readonly Member[] {
  if (depth > 0) return []
  const fillers = fillersOf(around, words, now)
  const { id } = around.self
  return fillers[0]?.id === id ? [] : fillers.filter((member) => member.id !== id)
}
