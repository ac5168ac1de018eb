/** Counts what fails on disk, and turns the disk off when nothing works any more. */

/** What happens on disk and an operator may want to read. */
export type DiskEvent =
  /** A read or a write failed; the response concerned is not kept. */
  | { readonly kind: 'error'; readonly what: string; readonly error: Error }
  /** Too many failed in a row: nothing is kept on disk until the next start. */
  | { readonly kind: 'failed'; readonly error: Error }
  /** A file is not what was written; it was dropped. */
  | { readonly kind: 'corrupt'; readonly path: string; readonly error: Error }
  /** Files that are not ours lie in the directory; they are left alone and not counted. */
  | { readonly kind: 'foreign'; readonly example: string; readonly files: number }
  /** What is known now agrees with what lies there. */
  | {
      readonly kind: 'reconciled'
      readonly adopted: number
      readonly dropped: number
      readonly removed: number
    }

/** Failures in a row after which the disk is given up. */
const MAX_FAILURES = 8

export class Health {
  readonly #log: (event: DiskEvent) => void
  #failures = 0
  #state: 'on' | 'failed' = 'on'
  #errors = 0
  #corrupt = 0

  constructor(log: (event: DiskEvent) => void) {
    this.#log = log
  }

  get state(): 'on' | 'failed' {
    return this.#state
  }

  get errors(): number {
    return this.#errors
  }

  get corrupt(): number {
    return this.#corrupt
  }

  /** `what` names the deed, for the log. */
  failed(what: string, cause: unknown): void {
    const error = cause instanceof Error ? cause : new Error(String(cause))
    this.#errors++
    this.#failures++
    if (this.#state === 'failed') return
    this.#log({ kind: 'error', what, error })
    if (this.#failures < MAX_FAILURES) return
    this.#state = 'failed'
    this.#log({ kind: 'failed', error })
  }

  succeeded(): void {
    this.#failures = 0
  }

  damaged(path: string, error: Error): void {
    this.#corrupt++
    this.#log({ kind: 'corrupt', path, error })
  }
}
