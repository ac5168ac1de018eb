/** The contract of a few lines that outlive the process, beside the responses they are about. */

/**
 * - What was appended is there after a kill, or `append` did not answer yet.
 * - No method rejects because the place failed: it answers false, and the lines are not there after a restart.
 */
export interface Notes {
  /** What was there at the start, in its order. */
  readonly lines: readonly string[]
  /** Some of what was there at the start could not be read. */
  readonly isDamaged: boolean
  /** How many lines there are now. */
  readonly count: number
  append(lines: readonly string[]): Promise<boolean>
  /**
   * Writes them before what is appended next, or else within a tenth of a second: for what is remembered elsewhere, too,
   * so that many cost one write. Answers as `append`.
   */
  later(lines: readonly string[]): Promise<boolean>
  /** Puts these lines in the place of all others. */
  rewrite(lines: readonly string[]): Promise<boolean>
  /** Writes out what is pending. */
  close(): Promise<void>
}

/** Where nothing outlives the process, there is nothing to note. */
export class NoNotes implements Notes {
  readonly lines: readonly string[] = []
  readonly isDamaged = false
  readonly count = 0

  async append(): Promise<boolean> {
    return true
  }

  async later(): Promise<boolean> {
    return true
  }

  async rewrite(): Promise<boolean> {
    return true
  }

  async close(): Promise<void> {
    return
  }
}
