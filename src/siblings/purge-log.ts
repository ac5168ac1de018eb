/**
 * All purges this node knows of, whoever gave them out, for those who missed some.
 *
 * Each node has all of them, so who comes back may ask anybody. The rules of one issuer are without a hole from its floor
 * to its last; what is at or below the floor is no longer held, and who has not got so far has a gap.
 */
import type { PurgeRule } from '../purge/purge-rule.ts'
import type { Instant } from '../rfc/heads.ts'

/** The sequence of the last rule of each issuer. */
export type Positions = Readonly<Record<string, number>>

/** What one node tells another who is behind. Plain data. */
export interface PurgeBatch {
  /** Issuers of whom rules up to this sequence are not held any more, though the other does not have them. */
  readonly floors: Positions
  /** Those of one issuer in their order, without a hole. */
  readonly rules: readonly PurgeRule[]
}

export interface PurgeNews {
  /** What was not known before: to be applied. */
  readonly rules: readonly PurgeRule[]
  /** Issuers of whom rules up to this sequence were missed, and nobody can tell them any more. */
  readonly gaps: Positions
}

export interface PurgeLogBounds {
  /** Of all rules as JSON: beyond it the oldest are dropped. */
  readonly maxBytes: number
  /** Older rules are dropped. */
  readonly maxAgeMs: number
}

interface Entry {
  readonly rule: PurgeRule
  readonly bytes: number
  readonly takenAt: Instant
}

interface Lane {
  floor: number
  /** Their sequences are floor + 1, floor + 2, … */
  readonly entries: Entry[]
}

/** A life of a node that gave out purges is an issuer; of those without rules the longest silent are forgotten. */
const MAX_LANES = 1_000

/** Pure but for what it holds: times are handed in. */
export class PurgeLog {
  readonly #bounds: PurgeLogBounds
  /** The one that spoke last is last. */
  readonly #lanes = new Map<string, Lane>()
  #bytes = 0

  constructor(bounds: PurgeLogBounds) {
    this.#bounds = bounds
  }

  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return [...this.#lanes.values()].reduce((sum, { entries }) => sum + entries.length, 0)
  }

  positionOf(issuer: string): number {
    const lane = this.#lanes.get(issuer)
    return lane === undefined ? 0 : lastOf(lane)
  }

  positions(): Positions {
    return Object.fromEntries([...this.#lanes].map(([issuer, lane]) => [issuer, lastOf(lane)]))
  }

  /** What is below is not held. */
  floors(): Positions {
    return Object.fromEntries([...this.#lanes].map(([issuer, { floor }]) => [issuer, floor]))
  }

  /** Everything held, for a node that begins; the rules of each issuer in their order. */
  *rules(): Generator<{ readonly rule: PurgeRule; readonly takenAt: Instant }> {
    for (const { entries } of this.#lanes.values())
      for (const { rule, takenAt } of entries) yield { rule, takenAt }
  }

  /** A rule that leaves a hole before it is not taken: its issuer's position says that it is still wanted. */
  take({ floors, rules }: PurgeBatch, now: Instant): PurgeNews {
    const gaps: Record<string, number> = {}
    for (const [issuer, floor] of Object.entries(floors)) {
      if (this.positionOf(issuer) >= floor) continue
      gaps[issuer] = floor
      this.#drop(issuer)
      this.#lanes.set(issuer, { floor, entries: [] })
    }
    const news = rules.filter((rule) => this.#append(rule, now))
    this.trim(now)
    return { rules: news, gaps }
  }

  /** What a node at these positions lacks, in at most so many bytes, but at least one rule if it lacks any. */
  since(positions: Positions, maxBytes: number): PurgeBatch {
    const floors: Record<string, number> = {}
    const rules: PurgeRule[] = []
    let bytes = 0
    for (const [issuer, lane] of this.#lanes) {
      const position = positions[issuer] ?? 0
      if (position < lane.floor) floors[issuer] = lane.floor
      for (const { rule, bytes: more } of lane.entries.slice(Math.max(0, position - lane.floor))) {
        if (rules.length > 0 && bytes + more > maxBytes) return { floors, rules }
        rules.push(rule)
        bytes += more
      }
    }
    return { floors, rules }
  }

  /** Whether a node at these positions lacks something that is known here. */
  isAhead(positions: Positions): boolean {
    return [...this.#lanes].some(([issuer, lane]) => lastOf(lane) > (positions[issuer] ?? 0))
  }

  /** The last of each issuer of whom a node at these positions lacks something that is held here. */
  lackedAt(positions: Positions): Positions {
    const lacked: Record<string, number> = {}
    for (const [issuer, lane] of this.#lanes) {
      const last = lastOf(lane)
      if (lane.entries.length > 0 && last > (positions[issuer] ?? 0)) lacked[issuer] = last
    }
    return lacked
  }

  /** Drops what is too old, or too much. */
  trim(now: Instant): void {
    const { maxAgeMs, maxBytes } = this.#bounds
    for (const lane of this.#lanes.values()) {
      const kept = lane.entries.findIndex(({ takenAt }) => now - takenAt < maxAgeMs)
      this.#dropFirst(lane, kept < 0 ? lane.entries.length : kept)
    }
    while (this.#bytes > maxBytes) this.#dropOldest(maxBytes)
    for (const [issuer, { entries }] of this.#lanes) {
      if (this.#lanes.size <= MAX_LANES) break
      if (entries.length === 0) this.#lanes.delete(issuer)
    }
  }

  #append(rule: PurgeRule, now: Instant): boolean {
    const lane = this.#lanes.get(rule.by) ?? { floor: 0, entries: [] }
    if (rule.sequence !== lastOf(lane) + 1) return false
    const bytes = JSON.stringify(rule).length
    lane.entries.push({ rule, bytes, takenAt: now })
    this.#bytes += bytes
    this.#lanes.delete(rule.by)
    this.#lanes.set(rule.by, lane)
    return true
  }

  /** Some of them at once: a tenth of the bound, so that not each new rule has all lanes looked at. */
  #dropOldest(maxBytes: number): void {
    const oldest = [...this.#lanes.values()]
      .filter(({ entries }) => entries.length > 0)
      .reduce((one, other) => (takenFirst(other) < takenFirst(one) ? other : one))
    let count = 0
    for (let bytes = 0; bytes < maxBytes / 10 && count < oldest.entries.length; count++) {
      bytes += oldest.entries[count]?.bytes ?? 0
    }
    this.#dropFirst(oldest, count)
  }

  #dropFirst(lane: Lane, count: number): void {
    for (const { bytes } of lane.entries.splice(0, count)) this.#bytes -= bytes
    lane.floor += count
  }

  #drop(issuer: string): void {
    const lane = this.#lanes.get(issuer)
    if (lane !== undefined) this.#dropFirst(lane, lane.entries.length)
    this.#lanes.delete(issuer)
  }
}

function lastOf({ floor, entries }: Lane): number {
  return floor + entries.length
}

function takenFirst({ entries }: Lane): Instant {
  return entries[0]?.takenAt ?? Number.POSITIVE_INFINITY
}
