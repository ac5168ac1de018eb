/** What /stats tells of each sibling. */
import type { Instant } from '../rfc/heads.ts'
import type { LiveRoster } from './live-roster.ts'
import type { Positions } from './purge-log.ts'
import type { MemberState } from './roster.ts'

export interface SiblingStats {
  readonly id: string
  readonly url: string
  readonly zone: string
  readonly weight: number
  readonly state: MemberState
  /** 0 to 1. */
  readonly load: number
  /** The part of its keys that others are asked for, 0 to 1. */
  readonly shed: number
  /** Whether it has the same roster; null: it was not heard yet. */
  readonly agrees: boolean | null
  /** Purges known here that it has not applied, as far as it said; null: it was not heard yet. */
  readonly purgeLag: number | null
  /** Seconds since it was heard; null: it was not yet. */
  readonly silentSeconds: number | null
  readonly version: string | null
}

export function describeSiblings(
  roster: LiveRoster,
  own: Positions,
  positionsOf: (id: string) => Positions | undefined,
  now: Instant,
): readonly SiblingStats[] {
  const members = new Map(roster.members().map((member) => [member.id, member]))
  return roster.known().flatMap(({ member: { id }, said, saidAt }) => {
    const member = members.get(id)
    if (member === undefined) return []
    const { url, zone, weight, state, load, shed } = member
    const positions = positionsOf(id) ?? said?.purges
    return [
      {
        id,
        url,
        zone,
        weight,
        state,
        load: Math.round(load * 1000) / 1000,
        shed: Math.round(shed * 1000) / 1000,
        agrees: said === undefined ? null : said.digest === roster.digest(),
        purgeLag: positions === undefined ? null : lagOf(own, positions),
        silentSeconds: saidAt === undefined ? null : Math.max(0, Math.floor((now - saidAt) / 1000)),
        version: said?.release ?? null,
      },
    ]
  })
}

function lagOf(own: Positions, positions: Positions): number {
  return Object.entries(own).reduce(
    (sum, [issuer, last]) => sum + Math.max(0, last - (positions[issuer] ?? 0)),
    0,
  )
}
