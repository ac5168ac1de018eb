/** The encoder that the demo pretends to have: how far it has come, and waiting until it has come further. */
import type { Clock, Instant } from '../../rfc/heads.ts'
import type { Alarm } from './alarm.ts'

export interface EncoderOptions {
  readonly now: Clock
  readonly alarm: Alarm
  /** The instant up to which the streams are made. One that stops is an encoder that died while its server lives on. */
  readonly madeUntil: Clock
}

export class Encoder {
  readonly #options: EncoderOptions

  constructor(options: EncoderOptions) {
    this.#options = options
  }

  madeUntil(): Instant {
    return this.#options.madeUntil()
  }

  /**
   * Waits until everything before `at` is made, for at most `mostMs`; then it is late. Rejects when the signal says so,
   * and nothing is left waiting.
   */
  async made(at: Instant, mostMs: number, signal: AbortSignal): Promise<'made' | 'late'> {
    const { now, alarm, madeUntil } = this.#options
    const until = now() + mostMs
    while (madeUntil() < at) {
      if (now() >= until) return 'late'
      await alarm(Math.min(until, now() + at - madeUntil()), signal)
    }
    return 'made'
  }
}
