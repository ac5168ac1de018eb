/** A new version of a live manifest is shown once what it newly lists is here: who hears of a segment asks for it at once. */
import { LRUCache } from 'lru-cache'
import type { Clock, Instant } from '../../rfc/heads.ts'

const MAX_MANIFESTS = 10_000
/** Nobody waits longer for a manifest than this, or than this share of its pace, whatever becomes of the segments. */
const LONGEST_MS = 500
const SHARE = 1 / 4
/** Segments that came too late once do so again: for so many paces viewers hear of them at once, and read them as they come. */
const VAIN_PACES = 10

export class Arrivals {
  readonly #clock: Clock
  /** By the manifest's path; each for as long as its longest wait. */
  readonly #underWay = new Map<string, Promise<void>>()
  readonly #vainUntil = new LRUCache<string, Instant>({ max: MAX_MANIFESTS })

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `landing` settles when what a new version lists has come, or will not; it never rejects. */
  expect(manifest: string, landing: Promise<unknown>, paceMs: number): void {
    if ((this.#vainUntil.get(manifest) ?? 0) > this.#clock()) return
    const late = this.#after(Math.min(LONGEST_MS, paceMs * SHARE), () =>
      this.#vainUntil.set(manifest, this.#clock() + VAIN_PACES * paceMs),
    )
    const arrival = Promise.race([landing, late.reached]).then(() => {
      late.forget()
      if (this.#underWay.get(manifest) === arrival) this.#underWay.delete(manifest)
    })
    this.#underWay.set(manifest, arrival)
  }

  /** Settles when the version that has just come may be shown; never rejects. Undefined: at once. */
  of(manifest: string): Promise<void> | undefined {
    return this.#underWay.get(manifest)
  }

  #after(ms: number, then: () => void): { readonly reached: Promise<void>; forget(): void } {
    const { promise, resolve } = Promise.withResolvers<void>()
    const at = this.#clock() + ms
    let timer: NodeJS.Timeout
    const look = (): void => {
      const leftMs = at - this.#clock()
      // A timer may fire a millisecond early, so the clock has the last word; unless it was set back meanwhile.
      if (leftMs > 0 && leftMs <= ms) {
        timer = setTimeout(look, leftMs).unref()
        return
      }
      then()
      resolve()
    }
    look()
    return { reached: promise, forget: () => clearTimeout(timer) }
  }
}
