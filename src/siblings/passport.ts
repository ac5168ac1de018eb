/** Whether who calls itself a sibling is one: of our kind, and alone with its name. */
import type { Instant } from '../rfc/heads.ts'
import type { Whereabouts } from './carrier.ts'
import { readState, type SiblingState } from './sibling-state.ts'

/** Of two with one name the one that began later is believed; the other has so long to fall silent. */
const OVERLAP_MS = 3_000
/** The same fault is said again after so long. */
const SAID_AGAIN_AFTER_MS = 600_000
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
}

export class PassportControl {
  readonly #context: PassportContext
  readonly #holders = new Map<string, Holder>()
  readonly #said = new Map<string, Instant>()
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
    if ('bad' in read) return this.#refuse(`${read.id ?? 'a sibling'}${where} is refused: ${read.bad}`, now)
    const { state } = read
    if (state.id === id) {
      if (state.instance === instance) return 'self'
      const which = from === undefined ? state.url : from.url
      return this.#refuse(
        `another node at ${which} is called ${id} as this one is, and is refused: each needs a name of its own`,
        now,
      )
    }
    if (from?.id !== undefined && from.id !== state.id) {
      const line = `expected ${from.id} at ${from.url}, and ${state.id} answers there: it is refused`
      return this.#refuse(line, now)
    }
    if (!this.#isAlone(state, now)) {
      const line = `two nodes are called ${state.id}, one of them at ${state.url}: the older one is refused`
      return this.#refuse(line, now)
    }
    return state
  }

  #isAlone({ id, instance }: SiblingState, now: Instant): boolean {
    const holder = this.#holders.get(id)
    if (holder?.instance === instance) return true
    // One that began anew: its last life may still have a word on the way.
    if (holder?.before === instance) {
      if (now - holder.since > OVERLAP_MS) return false
      return false
    }
    this.#holders.delete(id)
    this.#holders.set(id, { instance, before: holder?.instance, since: now })
    forgetFirst(this.#holders)
    return true
  }

  #refuse(line: string, now: Instant): 'refused' {
    this.#refused++
    const saidAt = this.#said.get(line)
    if (saidAt === undefined || Math.abs(now - saidAt) >= SAID_AGAIN_AFTER_MS) {
      this.#said.delete(line)
      this.#said.set(line, now)
      forgetFirst(this.#said)
      this.#context.onRefused(line)
    }
    return 'refused'
  }
}

function forgetFirst(map: Map<string, unknown>): void {
  const [first] = map.keys()
  if (map.size > MAX_REMEMBERED && first !== undefined) map.delete(first)
}
