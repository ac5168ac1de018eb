/** A body that goes on when its origin does not: what is missing is asked for again, and whoever reads notices only a pause. */
import { setTimeout as pause } from 'node:timers/promises'
import { type ErrorName, isRangeLie, RelaisError } from '../errors.ts'
import type { RequestHead } from '../rfc/heads.ts'
import { continuing, isResumable, judge, type Plan } from './continuation.ts'
import type { Readers, UpstreamResponse } from './source.ts'

/** One who may have the rest of a body: an origin, a sibling, or all origins of a route as one. */
export interface Continuer {
  readonly name: string
  /** Counted by the bodies that are resumed. */
  readonly resumptions: { tried: number; succeeded: number }
}

/** What a body that broke off needs of the group it came from. */
export interface Road<Asked extends Continuer> {
  /** Asks one of them, and counts and penalises as for any request. Rejects when no head came. */
  ask(origin: Asked, request: RequestHead, signal: AbortSignal, readers: Readers): Promise<UpstreamResponse>
  /** Whom to ask for the rest, in this order; told which one broke off, and how. */
  candidates(broken: Asked, failure: RelaisError): readonly Asked[]
}

export interface Begun<Asked extends Continuer> {
  readonly origin: Asked
  readonly request: RequestHead
  readonly response: UpstreamResponse
  readonly readers: Readers
  /** Bytes of the body that were handed on before. Absent: none. */
  readonly taken?: number
}

/** The body stopped: what came of it is right. After anything else nothing of it can be relied on. */
const STOPPED: ReadonlySet<ErrorName> = new Set([
  'RESPONSE_INCOMPLETE',
  'READ_TIMEOUT',
  'CONNECTION_TERMINATED',
])

/** Before each attempt that follows one without a single new byte; behind the last one the body is given up. */
const PAUSES_MS = [0, 100, 300, 900, 2_700] as const
/** Of the time there is, how much one attempt of several may take. */
const SHARE_OF_ATTEMPT = 1 / 3
/** An attempt that brings less is meagre, and after so many meagre ones a body is given up: it would never end. */
const MEAGRE_BYTES = 64 * 1024
const MAX_MEAGRE = 64

/** The response with a body that is checked against what its head promised, and continued. `timeoutMs` bounds each pause. */
export function resumed<Asked extends Continuer>(
  begun: Begun<Asked>,
  plan: Plan,
  road: Road<Asked>,
  timeoutMs: number,
  signal: AbortSignal,
): UpstreamResponse {
  const body = new ResumedBody(begun, plan, road, timeoutMs, signal)
  return { ...begun.response, body: body.read(), cancel: () => body.cancel(), toOne: () => body.toOne() }
}

class ResumedBody<Asked extends Continuer> {
  readonly #begun: Begun<Asked>
  readonly #road: Road<Asked>
  readonly #timeoutMs: number
  readonly #signal: AbortSignal
  /** Aborted by the reader's signal and by `cancel`, whichever comes first. */
  readonly #stop = new AbortController()
  /** Origins whose answer was not the rest of this body. */
  readonly #refused = new Set<Asked>()
  #plan: Plan
  #origin: Asked
  #current: UpstreamResponse
  #readers: Readers
  /** Of the next byte to be handed on. */
  #position: number
  /** Bytes still to come that have come before. */
  #skip = 0
  /** Of the last byte that the current response says it has. */
  #until: number | undefined
  /** Attempts since the last new byte. */
  #dry = 0
  #meagre = 0
  #resumedAt: number

  constructor(begun: Begun<Asked>, plan: Plan, road: Road<Asked>, timeoutMs: number, signal: AbortSignal) {
    this.#begun = begun
    this.#plan = plan
    this.#road = road
    this.#timeoutMs = timeoutMs
    this.#signal = signal
    this.#origin = begun.origin
    this.#current = begun.response
    this.#readers = begun.readers
    this.#position = plan.first + (begun.taken ?? 0)
    this.#until = plan.last
    this.#resumedAt = this.#position
  }

  cancel(): void {
    this.#stop.abort(new Error('nobody wants the body any more'))
    this.#current.cancel()
  }

  toOne(): boolean {
    if (this.#current.toOne?.() === false) return false
    this.#readers = 'one'
    return true
  }

  async *read(): AsyncGenerator<Uint8Array> {
    const stop = (): void => this.#stop.abort(this.#signal.reason)
    this.#signal.addEventListener('abort', stop, { once: true })
    try {
      for (;;) {
        let failure: unknown
        try {
          for await (const chunk of this.#current.body) {
            const bytes = this.#news(chunk)
            if (bytes.byteLength > 0) yield bytes
            if (this.#hasOvertaken()) return
          }
        } catch (error) {
          failure = error
        }
        const stopped = this.#stopped(failure)
        if (stopped === undefined) return
        await this.#continue(stopped)
      }
    } finally {
      this.#signal.removeEventListener('abort', stop)
      this.#current.cancel()
    }
  }

  /** The whole came anew, of which only a part was wanted. */
  #hasOvertaken(): boolean {
    return this.#isWhole() && this.#until !== this.#plan.last
  }

  /** How the current response stopped, where it ended with this error or none. Undefined: that was all. Throws what cannot go on. */
  #stopped(error: unknown): RelaisError | undefined {
    if (error !== undefined) {
      if (this.#stop.signal.aborted || !isStopped(error)) throw error
      // What is missing may be nothing but the end of the framing.
      return this.#isWhole() ? undefined : error
    }
    if (this.#isWhole() || (this.#plan.last === undefined && this.#skip === 0)) return undefined
    const details = `${this.#position - this.#plan.first} bytes came`
    return new RelaisError('RESPONSE_INCOMPLETE', { details, nextHop: this.#current.from })
  }

  /** The part of a chunk that is new and wanted. Throws when there is more than the response said it has. */
  #news(chunk: Uint8Array): Uint8Array {
    const skipped = Math.min(this.#skip, chunk.byteLength)
    this.#skip -= skipped
    const rest = chunk.subarray(skipped)
    if (this.#until !== undefined && this.#position + rest.byteLength > this.#until + 1) {
      const details = `more bytes than up to ${this.#until}, which its head said is the last`
      throw new RelaisError('RESPONSE_PROTOCOL', { details, nextHop: this.#current.from })
    }
    const { last } = this.#plan
    const wanted = last === undefined ? rest : rest.subarray(0, last + 1 - this.#position)
    this.#position += wanted.byteLength
    if (wanted.byteLength > 0) this.#dry = 0
    return wanted
  }

  #isWhole(): boolean {
    return this.#plan.last !== undefined && this.#position > this.#plan.last
  }

  /** Settles when a response is here that goes on where the last one stopped; rejects with why that one did. */
  async #continue(failure: RelaisError): Promise<void> {
    if (this.#timeoutMs === 0 || !isResumable(this.#plan)) throw failure
    if (this.#position - this.#resumedAt < MEAGRE_BYTES) this.#meagre++
    this.#resumedAt = this.#position
    this.#current.cancel()
    const { signal, clear } = boundedBy(this.#timeoutMs, this.#stop.signal)
    let why = `it stopped ${this.#meagre} times soon after it had gone on`
    try {
      while (this.#dry < PAUSES_MS.length && this.#meagre <= MAX_MEAGRE) {
        const answer = await this.#attempt(failure, signal)
        if (answer === 'goes-on') return
        why = answer
      }
    } catch (error) {
      if (this.#stop.signal.aborted) throw this.#stop.signal.reason
      why = error instanceof Error ? error.message : String(error)
    } finally {
      clear()
    }
    const details = `${this.#position - this.#plan.first} bytes had come, and nobody went on: ${why}`
    throw new RelaisError(failure.code, { details, cause: failure, nextHop: failure.nextHop })
  }

  /** Asks once. Rejects when nobody is left to be asked, or time is up. */
  async #attempt(failure: RelaisError, signal: AbortSignal): Promise<string> {
    const attempt = this.#dry++
    const candidates = this.#road
      .candidates(this.#origin, failure)
      .filter((origin) => !this.#refused.has(origin))
    const origin = candidates[attempt % candidates.length]
    if (origin === undefined) throw new Error('no origin is left that may have the rest')
    await paused(PAUSES_MS[attempt] ?? 0, signal)
    const isSameOrigin = origin === this.#begun.origin
    const request = continuing(this.#plan, this.#begun.request, this.#position, isSameOrigin)
    origin.resumptions.tried++
    // Where there is another one to be asked, one that is silent may not use up all the time.
    const patienceMs = candidates.length > 1 ? this.#timeoutMs * SHARE_OF_ATTEMPT : this.#timeoutMs
    const { signal: bound, clear } = boundedBy(patienceMs, signal)
    let response: UpstreamResponse
    try {
      response = await this.#road.ask(origin, request, bound, this.#readers)
    } catch (error) {
      signal.throwIfAborted()
      if (isRangeLie(error)) this.#refused.add(origin)
      return error instanceof Error ? error.message : String(error)
    } finally {
      clear()
    }
    const judgement = judge(this.#plan, this.#position, response.head, isSameOrigin)
    if (judgement.kind === 'refused') {
      response.cancel()
      // "Not now" is no word about the body.
      if (response.head.status < 500) this.#refused.add(origin)
      return `${origin.name}: ${judgement.why}`
    }
    origin.resumptions.succeeded++
    this.#plan = judgement.plan
    this.#skip = judgement.skip
    this.#until = judgement.until
    this.#origin = origin
    this.#current = response
    return 'goes-on'
  }
}

/** A signal that follows another one, and aborts by itself after `ms` unless that is cleared. */
function boundedBy(ms: number, signal: AbortSignal): { signal: AbortSignal; clear: () => void } {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(new Error(`nothing came within ${ms} ms`)), ms)
  if (signal.aborted) late.abort(signal.reason)
  signal.addEventListener('abort', () => late.abort(signal.reason), { once: true })
  return { signal: late.signal, clear: () => clearTimeout(timer) }
}

async function paused(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  if (ms === 0) return
  try {
    await pause(ms, undefined, { signal })
  } catch {
    throw signal.reason // the timer's own error says only that it was aborted
  }
}

function isStopped(error: unknown): error is RelaisError {
  if (!(error instanceof RelaisError) || !STOPPED.has(error.code)) return false
  const { cause } = error
  const code: unknown = cause instanceof Error && 'code' in cause ? cause.code : undefined
  // It is Relais that ends, and its pool with it.
  return code !== 'UND_ERR_DESTROYED' && code !== 'UND_ERR_CLOSED'
}
