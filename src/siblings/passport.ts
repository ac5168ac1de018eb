/** Whether who calls itself a sibling is one: of our kind, and alone with its name. */
import type { Instant } from '../rfc/heads.ts'
import type { Whereabouts } from './carrier.ts'
import { readState, type SiblingState } from './sibling-state.ts'

/** Of two with one name the one that began later is believed; the other has so long to fall silent. */
const OVERLAP_MS = 3_000
/** A name that nobody was heard by for so long is anybody's again. */
const VACANT_AFTER_MS = 15_000
const MAX_REMEMBERED = 1_000

export interface PassportContext {
  readonly id: string
  readonly instance: string
  readonly cluster: string
  /** One clear line: what was expected, and what came. */
  onRefused(line: string): void
}

interface Holder {
  readonly instance: string
  /** Who had the name before; heard again after a while, there are two. */
  readonly before: string | undefined
  readonly since: Instant
  readonly heardAt: Instant
}

export class PassportControl {
  readonly #context: PassportContext
  readonly #holders = new Map<string, Holder>()
  #refused = 0

  constructor(context: PassportContext) {
    this.#context = context
  }

  /** Messages that were not believed. */
  get refused(): number {
    return this.#refused
  }

  /** `from`: where it was asked, and who was expected there. */
  read(message: unknown, from: Whereabouts | undefined, now: Instant): SiblingState | 'self' | 'refused' {
    const { id, instance, cluster } = this.#context
    const read = readState(message, cluster)
    const where = from === undefined ? '' : ` at ${from.url}`
    if ('bad' in read) return this.#refuse(`${read.id ?? 'a sibling'}${where} is refused: ${read.bad}`)
    const { state } = read
    if (state.id === id) {
      if (state.instance === instance) return 'self'
      const which = from === undefined ? state.url : from.url
      return this.#refuse(
        `another node at ${which} is called ${id} as this one is, and is refused: each needs a name of its own`,
      )
    }
    if (from?.id !== undefined && from.id !== state.id) {
      const line = `expected ${from.id} at ${from.url}, and ${state.id} answers there: it is refused`
      return this.#refuse(line)
    }
    switch (this.#standing(state, now)) {
      case 'alone':
        return state
      case 'late':
        return 'refused'
      case 'twin':
        return this.#refuse(
          `two nodes are called ${state.id}: the one at ${state.url} is refused, for the other began later`,
        )
    }
  }

  /** `late`: the last word of a life that is over. `twin`: a life goes on that should be over. */
  #standing({ id, instance }: SiblingState, now: Instant): 'alone' | 'late' | 'twin' {
    const holder = this.#holders.get(id)
    const isOver = holder?.before === instance && now - holder.heardAt < VACANT_AFTER_MS
    if (isOver) return now - holder.since > OVERLAP_MS ? 'twin' : 'late'
    const isSame = holder?.instance === instance
    this.#holders.delete(id)
    this.#holders.set(id, {
      instance,
      before: isSame ? holder.before : holder?.instance,
      since: isSame ? holder.since : now,
      heardAt: now,
    })
    forgetFirst(this.#holders)
    return 'alone'
  }

  #refuse(line: string): 'refused' {
    this.#refused++
    this.#context.onRefused(line)
    return 'refused'
  }
}

function forgetFirst(map: Map<string, unknown>): void {
  const [first] = map.keys()
  if (map.size > MAX_REMEMBERED && first !== undefined) map.delete(first)
}
