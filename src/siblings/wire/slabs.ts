/** The memory that bytes of siblings are read into: lent to those who hear them, and read into again when it is given back. */

/** A head, and most of what is small with it. */
export const SMALL_BYTES = 16 * 1024
/** What comes faster than it can be read otherwise. */
const LARGE_BYTES = 256 * 1024
/** Less than this is not worth a read: a twin of the read before is to fit. */
const LEAST_SMALL_BYTES = 8 * 1024
const LEAST_LARGE_BYTES = 64 * 1024
/** Kept for the next one, 4 and 32 MiB together; beyond it memory is taken and left to the collector, which costs more than what it is for. */
const MOST_KEPT_SMALL = 256
const MOST_KEPT_LARGE = 128

/**
 * One piece of memory, which is read into from its beginning to its end. A view of it that is lent stays as it is: nothing
 * is read there again before all views are given back and its reader has left it, or has begun it anew.
 */
export class Slab {
  readonly bytes: Buffer
  readonly isLarge: boolean
  readonly #kept: Slab[]
  readonly #mostKept: number
  #used = 0
  #lent = 0
  #isRead = true

  constructor(isLarge: boolean, kept: Slab[]) {
    this.bytes = Buffer.allocUnsafeSlow(isLarge ? LARGE_BYTES : SMALL_BYTES)
    this.isLarge = isLarge
    this.#kept = kept
    this.#mostKept = isLarge ? MOST_KEPT_LARGE : MOST_KEPT_SMALL
  }

  /** It has a reader again. */
  taken(): this {
    this.#isRead = true
    return this
  }

  /** So many bytes were read into the space. */
  filled(bytes: number): void {
    this.#used += bytes
  }

  /** Where to read to next; undefined: too little is left. */
  space(): Buffer | undefined {
    if (this.#lent === 0) this.#used = 0
    if (this.#used === 0) return this.bytes
    const left = this.bytes.byteLength - this.#used
    const least = this.isLarge ? LEAST_LARGE_BYTES : LEAST_SMALL_BYTES
    return left < least ? undefined : this.bytes.subarray(this.#used)
  }

  /** A view of it is lent. To be called when it is given back; calling it again does nothing. */
  lend(): () => void {
    this.#lent++
    let isOut = true
    return () => {
      if (!isOut) return
      isOut = false
      this.#lent--
      this.#rest()
    }
  }

  /** Its reader goes on elsewhere. */
  left(): void {
    this.#isRead = false
    this.#rest()
  }

  #rest(): void {
    if (this.#isRead || this.#lent > 0) return
    this.#used = 0
    if (this.#kept.length < this.#mostKept) this.#kept.push(this)
  }
}

/** The slabs of a node. */
export class Slabs {
  readonly #small: Slab[] = []
  readonly #large: Slab[] = []

  take(isLarge: boolean): Slab {
    const kept = isLarge ? this.#large : this.#small
    return kept.pop()?.taken() ?? new Slab(isLarge, kept)
  }

  /** Bytes that lie ready, at most 36 MiB. */
  get keptBytes(): number {
    return this.#small.length * SMALL_BYTES + this.#large.length * LARGE_BYTES
  }
}
