/** What a purge of a sibling means where it is not looked up what it covers: everything stored before it is validated. */
import { randomBytes } from 'node:crypto'
import type { Clock, Instant } from '../rfc/heads.ts'
import type { PurgeTarget } from '../siblings/purge-book.ts'

/** Purges of this life; nothing outlives the process, for after a restart all is validated anyway. */
export class CautiousPurges implements PurgeTarget {
  /** This life of this node. */
  readonly issuer: string
  readonly #positions: Record<string, number> = {}
  readonly #clock: Clock
  readonly #distrust: (at: Instant) => void

  constructor(node: string, clock: Clock, distrust: (at: Instant) => void) {
    this.issuer = `${node}:${randomBytes(6).toString('hex')}`
    this.#clock = clock
    this.#distrust = distrust
  }

  readonly positions = (): Readonly<Record<string, number>> => this.#positions

  apply({ by, sequence }: Parameters<PurgeTarget['apply']>[0]): void {
    this.skipTo(by, sequence)
  }

  skipTo(issuer: string, sequence: number): void {
    if (sequence <= (this.#positions[issuer] ?? 0)) return
    this.#positions[issuer] = sequence
    this.distrust()
  }

  distrust(): void {
    this.#distrust(this.#clock())
  }
}
