/** One sibling that is asked for objects: over HTTP, signed, with little patience, and never believed blindly. */
import type { Dispatcher } from 'undici'
import { RelaisError } from '../errors.ts'
import type { Clock } from '../rfc/heads.ts'
import { type Address, type Arrived, exchange } from '../upstream/exchange.ts'
import { upstreamError } from '../upstream/upstream-error.ts'
import type { Call, Hearer } from './hearer.ts'
import { Usual } from './hedge.ts'
import { HERE, heardOf, type PeerAnswer } from './peer-answer.ts'
import { type PeerAsk, written } from './peer-ask.ts'
import type { PeerAuth } from './peer-auth.ts'
import type { Refusal } from './peer-message.ts'
import { writtenPurges } from './purge-fence.ts'
import type { Positions } from './purge-log.ts'
import type { Roster } from './roster.ts'
import { Standing } from './standing.ts'

/** Who is alive says something within this time, if only that it is on the way (102). */
const SILENCE_MS = 1_500
/** Who is asked for what it has needs no time. */
const PROBE_SILENCE_MS = 250
/** So often this node looks whether it is awake itself while it waits. */
const PATIENCE_STEPS = 10
/** Who looks at the clock so much later than it meant to has heard nobody meanwhile. */
const DEAF_MS = 25

export interface SiblingContext {
  readonly dispatcher: Dispatcher
  /** For what the origin may hold. */
  readonly heldDispatcher: Dispatcher
  readonly auth: PeerAuth
  readonly roster: Roster
  readonly clock: Clock
  /** The purges in force here that a sibling has not said that it knows. */
  readonly lackedBy: (id: string) => Positions
  /** How long the head may take of one that has said that it is on the way. */
  readonly patienceMs: number
  /** A sibling that no operator wants as it is; once a reason. */
  readonly onTrouble: (what: string, error: unknown, sibling: string) => void
}

/** What one sibling was asked for and gave. */
export interface SiblingCounts {
  readonly asked: number
  /** With an object, or that it has not what it was probed for. */
  readonly answered: number
  /** No answer that could be used came, or the body broke off. */
  readonly failed: number
  /** Probes that were sent because another sibling was slow. */
  readonly hedged: number
  readonly penalised: number
  readonly bytes: number
}

/** Such are mended by an operator, not by time. */
const LASTING: ReadonlySet<Refusal> = new Set(['unknown-route', 'incompatible', 'refused', 'loop'])

const TROUBLES: Readonly<Partial<Record<Refusal, string>>> = {
  'unknown-route': 'a sibling has no such route: their configurations differ',
  incompatible: 'a sibling chooses owners in another way: it runs another release',
  refused: 'a sibling takes us for none: their secrets or clocks differ',
  loop: 'a sibling was asked for what it had asked for itself: two nodes have one name',
}

export class Sibling {
  readonly name: string
  readonly url: string
  readonly usual = new Usual()
  readonly resumptions = { tried: 0, succeeded: 0 }
  readonly #address: Address
  readonly #context: SiblingContext
  readonly #standing: Standing
  readonly #told = new Set<Refusal>()
  #asked = 0
  #answered = 0
  #failed = 0
  #hedged = 0
  #bytes = 0

  constructor(id: string, url: string, context: SiblingContext) {
    this.name = id
    this.url = url
    const { origin, host } = new URL(url)
    this.#address = { origin, host }
    this.#context = context
    this.#standing = new Standing(context.clock)
  }

  get isPassable(): boolean {
    return this.#standing.isPassable
  }

  counts(): SiblingCounts {
    return {
      asked: this.#asked,
      answered: this.#answered,
      failed: this.#failed,
      hedged: this.#hedged,
      penalised: this.#standing.penalised,
      bytes: this.#bytes,
    }
  }

  /** It is asked because another one is slow. */
  hedges(): void {
    this.#hedged++
  }

  /** Asks, and tells `hearer`. Undefined: it is `behind` (purges in force here cannot be told it); nothing is heard then. */
  call(ask: PeerAsk, hearer: Hearer): Call | undefined {
    if (writtenPurges(this.#context.lackedBy(this.name)) === undefined) return undefined
    const left = new AbortController()
    void this.#tells(ask, hearer, left.signal)
    return { pause: () => undefined, resume: () => undefined, leave: (reason) => left.abort(reason) }
  }

  async #tells(ask: PeerAsk, hearer: Hearer, signal: AbortSignal): Promise<void> {
    try {
      const answer = await this.ask(ask, signal)
      hearer.heard(answer)
      if (answer.kind !== 'object') return
      for await (const chunk of answer.response.body) hearer.piece(Buffer.from(chunk), () => undefined)
      hearer.ended()
    } catch (error) {
      if (signal.aborted) return
      hearer.failed(upstreamError(error, this.name, 'body'))
    }
  }

  /** Rejects with a RelaisError when no head came that can be believed, and with the signal's reason. */
  async ask(ask: PeerAsk, signal: AbortSignal): Promise<PeerAnswer> {
    const purges = writtenPurges(this.#context.lackedBy(this.name))
    if (purges === undefined) return { kind: 'refused', why: 'behind' }
    const isProbing = this.#standing.enter()
    this.#asked++
    try {
      const answer = await this.#exchange(ask, purges, signal)
      if (answer.kind === 'refused' && LASTING.has(answer.why)) this.#refused(answer.why)
      else this.#standing.answered()
      const isOfUse = answer.kind === 'object' || (answer.kind === 'refused' && answer.why === 'absent')
      if (isOfUse) this.#answered++
      else this.#failed++
      return answer
    } catch (error) {
      if (signal.aborted) {
        if (isProbing) this.#standing.left()
        throw signal.reason
      }
      this.#failed++
      // Who is to say at once what it has, and does not, may well be busy with what it was asked for as the owner.
      const isSlowProbe =
        ask.role === 'probe' && error instanceof RelaisError && error.code === 'RESPONSE_TIMEOUT'
      if (!isSlowProbe) this.#standing.failed()
      else if (isProbing) this.#standing.left()
      throw error
    }
  }

  #refused(why: Refusal): void {
    this.#standing.failed(true)
    const { onTrouble } = this.#context
    const trouble = TROUBLES[why]
    if (trouble === undefined || this.#told.has(why)) return
    this.#told.add(why)
    onTrouble(trouble, undefined, this.name)
  }

  async #exchange(ask: PeerAsk, purges: string, signal: AbortSignal): Promise<PeerAnswer> {
    const { clock, roster, auth, patienceMs, dispatcher, heldDispatcher } = this.#context
    const { request, held, role } = ask
    const late = new AbortController()
    const leave = (): void => late.abort(signal.reason)
    signal.throwIfAborted()
    signal.addEventListener('abort', leave, { once: true })
    const silenceMs = role === 'probe' ? PROBE_SILENCE_MS : SILENCE_MS
    const patience = waiting(silenceMs, () => late.abort(new Silence(silenceMs)))
    const requestedAt = clock()
    const startedAt = performance.now()
    let response: Arrived
    try {
      const asker = { forwarded: '', address: '', onInterim: () => patience.end() }
      const asked = { ...written(ask, roster, auth, purges), asker }
      const pool = held === undefined ? dispatcher : heldDispatcher
      response = await exchange(pool, this.#address, asked, held?.headTimeoutMs ?? patienceMs, late.signal)
    } catch (error) {
      signal.removeEventListener('abort', leave)
      if (signal.aborted) throw signal.reason
      throw upstreamError(error, this.name, 'head')
    } finally {
      patience.end()
    }
    const { body } = response
    body.whenOver(() => signal.removeEventListener('abort', leave))
    this.usual.took(performance.now() - startedAt)
    const cancel = (): void => body.cancel()
    try {
      const { status, fields } = response
      const times = { requestedAt, receivedAt: clock() }
      const heard = heardOf(ask, { status, fields, ...times }, this.name)
      if (heard.kind !== 'object') {
        cancel()
        return heard
      }
      const url = HERE + ask.prefix + request.target
      const read = body.telling({
        took: (bytes) => {
          this.#bytes += bytes
        },
        explain: (cause) => {
          if (signal.aborted) return signal.reason
          this.#failed++
          return upstreamError(cause, this.name, 'body')
        },
      })
      return { ...heard, response: { head: heard.head, from: this.name, url, body: read, cancel } }
    } catch (error) {
      cancel()
      throw error
    }
  }
}

/**
 * Calls `late` after so long, unless it was ended before. Time in which this node itself stood still, or shared a machine
 * that has too much to do, does not count, up to as much again; and what has come meanwhile is heard first.
 */
function waiting(ms: number, late: () => void): { end(): void } {
  const stepMs = ms / PATIENCE_STEPS
  const startedAt = performance.now()
  let left = PATIENCE_STEPS
  let dueAt = startedAt + stepMs
  let isEnded = false
  const look = (): void => {
    const now = performance.now()
    const wasDeaf = now - dueAt >= DEAF_MS && now - startedAt < 2 * ms
    if (!wasDeaf) left--
    dueAt = now + stepMs
    // Timers come before what lies in the sockets: that is read before the last word.
    if (left > 0) timer = setTimeout(look, stepMs)
    else setImmediate(() => isEnded || late())
  }
  let timer = setTimeout(look, stepMs)
  return {
    end() {
      isEnded = true
      clearTimeout(timer)
    },
  }
}

/** It is there, perhaps, and says nothing. */
class Silence extends Error {
  readonly code = 'UND_ERR_HEADERS_TIMEOUT'

  constructor(ms: number) {
    super(`not a word within ${ms} ms`)
  }
}
