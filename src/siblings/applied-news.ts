/**
 * Which purges siblings have applied, as they say between two beats of theirs: only of whom they read something just now.
 *
 * A whole state for each purge would have every node weigh the roster anew hundreds of times a second.
 */
import { isRecord } from '../purge/purge-rule.ts'
import type { Positions } from './purge-log.ts'
import type { SiblingState } from './sibling-state.ts'
import { readPositions } from './wire-values.ts'

/** Who waits for a purge to be everywhere is told so within this time, and not at the next beat; nobody is told more often. */
const EVERY_MS = 20
/** As many as a roster has; those whose state came longest ago are forgotten first. */
const MAX_SIBLINGS = 256

/** What is told. `instance`: the life of the process, for another one of the same name need not have it. */
export interface AppliedNews {
  readonly instance: string
  readonly positions: Positions
}

export interface AppliedNewsContext {
  /** Who gives out the purges of this node: its own are waited for by nobody else. */
  readonly issuer: string
  readonly positions: () => Positions
  tell(positions: Positions): void
}

interface Said {
  readonly instance: string
  readonly positions: Positions
}

export class AppliedNewsDesk {
  readonly #context: AppliedNewsContext
  readonly #said = new Map<string, Said>()
  readonly #untold = new Set<string>()
  #toldAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(context: AppliedNewsContext) {
    this.#context = context
  }

  /** What a sibling has, as it said last; undefined: it was not heard yet. */
  of(id: string): Positions | undefined {
    return this.#said.get(id)?.positions
  }

  /** Purges of this issuer are in force here. The first is told at once, those that follow it together. */
  applied(issuer: string): void {
    if (issuer === this.#context.issuer) return
    this.#untold.add(issuer)
    if (this.#timer !== undefined) return
    const leftMs = this.#toldAt + EVERY_MS - performance.now()
    if (leftMs <= 0) this.#tell()
    else this.#timer = setTimeout(() => this.#tell(), leftMs)
  }

  /** A state says all. */
  heard({ id, instance, purges }: SiblingState): void {
    this.#said.delete(id)
    this.#said.set(id, { instance, positions: purges })
    const [first] = this.#said.keys()
    if (this.#said.size > MAX_SIBLINGS && first !== undefined) this.#said.delete(first)
  }

  /** False: it is no such news, or that of a life whose state was not heard, so that nothing is known of the rest. */
  hear(id: string, message: unknown): boolean {
    const news = readNews(message)
    const said = this.#said.get(id)
    if (news === undefined || said?.instance !== news.instance) return false
    const positions = { ...said.positions }
    for (const [issuer, sequence] of Object.entries(news.positions))
      positions[issuer] = Math.max(positions[issuer] ?? 0, sequence)
    this.#said.set(id, { instance: said.instance, positions })
    return true
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #tell(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#toldAt = performance.now()
    const all = this.#context.positions()
    const positions = Object.fromEntries([...this.#untold].map((issuer) => [issuer, all[issuer] ?? 0]))
    this.#untold.clear()
    this.#context.tell(positions)
  }
}

function readNews(message: unknown): AppliedNews | undefined {
  if (!isRecord(message) || typeof message.instance !== 'string') return undefined
  const positions = readPositions(message.positions)
  return positions === undefined ? undefined : { instance: message.instance, positions }
}
