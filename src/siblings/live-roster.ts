/** The roster as it is heard: who said what of itself when, and what follows from silence. */
import type { Clock, Instant } from '../rfc/heads.ts'
import { LoadBound } from './load-bound.ts'
import { type DeclaredState, heard, passed, type Sight, shifted, unheard } from './membership.ts'
import { digestOf, type Member, memberOf, type Roster } from './roster.ts'
import { loadOf, type SiblingState } from './sibling-state.ts'

/** A sibling that the configuration names, as far as that says how it is. */
export interface Expected {
  readonly id: string
  readonly url: string
  readonly zone: string
  readonly weight: number
  readonly publicUrl: string | undefined
}

/** What this node is, by its configuration. */
export type SelfDescription = Expected

/** What is known of one sibling. */
export interface Known {
  readonly sight: Sight
  /** What it said last; undefined: it was not heard yet. */
  readonly said: SiblingState | undefined
  /** When it said that; undefined: it was not heard yet. */
  readonly saidAt: Instant | undefined
  readonly member: Member
}

/** Who is heard so soon after this node began was there before it; so was this node, to one that runs no longer. */
const FOUND_WITHIN_MS = 15_000
/** A look that comes later than this after the last one: this node stood still, and heard nobody. */
const DEAF_AFTER_MS = 2_500
/** Who is gone for so long and not named by the configuration is forgotten. */
const FORGOTTEN_AFTER_MS = 3_600_000
/** More are not heard: no cluster is as large, but one who makes up names would fill the memory. */
const MAX_SIBLINGS = 256

export class LiveRoster implements Roster {
  readonly #clock: Clock
  readonly #bound = new LoadBound()
  readonly #known = new Map<string, Known>()
  readonly #named: ReadonlySet<string>
  readonly #listeners = new Set<() => void>()
  readonly #beganAt: Instant
  #self: Member
  #lookedAt: Instant
  #members: readonly Member[] = []
  #digest = ''

  constructor(self: SelfDescription, expected: readonly Expected[], clock: Clock) {
    this.#clock = clock
    this.#beganAt = clock()
    this.#lookedAt = this.#beganAt
    this.#self = memberOf({ ...self, state: 'joining' })
    this.#named = new Set(expected.map(({ id }) => id))
    for (const one of expected) {
      const sight = unheard(true, this.#beganAt)
      this.#known.set(one.id, knownOf(sight, undefined, undefined, one))
    }
    this.#settle()
  }

  get self(): Member {
    return this.#self
  }

  /** Whoever is heard for the first time now was there before this node, or began together with it. */
  get isBeginning(): boolean {
    return this.#clock() - this.#beganAt < FOUND_WITHIN_MS
  }

  members(): readonly Member[] {
    return this.#members
  }

  digest(): string {
    return this.#digest
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** All siblings, this node not among them. */
  known(): readonly Known[] {
    return [...this.#known.values()]
  }

  knownOf(id: string): Known | undefined {
    return this.#known.get(id)
  }

  /** What a sibling said of itself last; undefined: nothing yet. */
  saidBy(id: string): SiblingState | undefined {
    return this.#known.get(id)?.said
  }

  /** A sibling said this of itself now. False: there are too many already. */
  hear(said: SiblingState): boolean {
    const now = this.#clock()
    this.#wake(now)
    const before = this.#known.get(said.id)
    if (before === undefined && this.#known.size >= MAX_SIBLINGS) return false
    const sight = heard(before?.sight ?? unheard(this.isBeginning, now), said.state, now)
    this.#known.set(said.id, knownOf(sight, said, now, said))
    this.#settle()
    return true
  }

  /** What this node is, once that is known in full. */
  describe({ id, url, publicUrl, zone, weight }: SelfDescription): void {
    const { state, joinedAt, load } = this.#self
    this.#self = memberOf({ id, url, publicUrl, zone, weight, state, joinedAt, load })
    this.#settle()
  }

  /** What this node says of itself. */
  declare(state: DeclaredState): void {
    if (state === this.#self.state) return
    const isNew = this.#self.state === 'joining' && state === 'active'
    // Who was here before has what this node owns from now on. Of nodes that begin together none was.
    const joinedAt = isNew && this.#isAnyOlder() ? this.#clock() : this.#self.joinedAt
    this.#self = { ...this.#self, state, joinedAt }
    this.#settle()
  }

  /** To be called each second or so: silence is noticed here, and loads are weighed. */
  look(ownLoad: number): void {
    const now = this.#clock()
    this.#wake(now)
    this.#lookedAt = now
    for (const [id, known] of this.#known) {
      const sight = passed(known.sight, now)
      const isForgotten = now - sight.heardAt > FORGOTTEN_AFTER_MS && !this.#named.has(id)
      if (isForgotten) this.#known.delete(id)
      else if (sight !== known.sight) this.#known.set(id, { ...known, sight })
    }
    this.#self = { ...this.#self, load: ownLoad }
    this.#bound.update(
      [...this.#known.values()]
        .filter(({ sight }) => sight.state === 'active')
        .map(({ member }) => member)
        .concat(this.#self),
      now,
    )
    this.#settle()
  }

  /** What was not heard while this node stood still, heard nothing, or its clock was set, was no silence. */
  #wake(now: Instant): void {
    const sinceMs = now - this.#lookedAt
    if (sinceMs >= 0 && sinceMs <= DEAF_AFTER_MS) return
    this.#lookedAt = now
    for (const [id, known] of this.#known)
      this.#known.set(id, { ...known, sight: shifted(known.sight, sinceMs) })
  }

  #isAnyOlder(): boolean {
    return [...this.#known.values()].some(
      ({ sight, said }) => sight.state === 'active' && said?.isBeginning === false,
    )
  }

  /** The members anew, and a word to those who listen when that is another roster. */
  #settle(): void {
    this.#self = { ...this.#self, shed: this.#bound.shedOf(this.#self.id) }
    const others = [...this.#known.values()].map(({ member, sight }) => ({
      ...member,
      state: sight.state,
      joinedAt: sight.joinedAt,
      shed: this.#bound.shedOf(member.id),
    }))
    const before = this.#members
    this.#members = [this.#self, ...others].sort((one, other) => (one.id < other.id ? -1 : 1))
    this.#digest = digestOf(this.#members)
    if (!isAlike(before, this.#members)) for (const listener of this.#listeners) listener()
  }
}

function knownOf(
  sight: Sight,
  said: SiblingState | undefined,
  saidAt: Instant | undefined,
  { id, url, publicUrl, zone, weight }: Expected,
): Known {
  const load = said === undefined ? 0 : loadOf(said.figures)
  const member = memberOf({ id, url, publicUrl, zone, weight, state: sight.state, load })
  return { sight, said, saidAt, member }
}

/** In all but what changes each second. */
function isAlike(before: readonly Member[], now: readonly Member[]): boolean {
  return (
    before.length === now.length &&
    before.every((one, index) => {
      const other = now[index]
      return (
        other !== undefined &&
        one.id === other.id &&
        one.state === other.state &&
        one.weight === other.weight &&
        one.zone === other.zone &&
        one.url === other.url &&
        one.publicUrl === other.publicUrl
      )
    })
  )
}
