/** One sibling that is asked for objects: over HTTP, signed, with little patience, and never believed blindly. */
import type { RelaisError } from '../errors.ts'
import type { Clock } from '../rfc/heads.ts'
import type { Call, Hearer } from './hearer.ts'
import { Usual } from './hedge.ts'
import { ObjectAnswer } from './object-answer.ts'
import { type Ledger, ObjectCall } from './object-call.ts'
import type { HeardObject, NoObject, PeerAnswer } from './peer-answer.ts'
import { type PeerAsk, written } from './peer-ask.ts'
import type { PeerAuth } from './peer-auth.ts'
import type { Refusal } from './peer-message.ts'
import { writtenPurges } from './purge-fence.ts'
import type { Positions } from './purge-log.ts'
import type { Roster } from './roster.ts'
import { Standing } from './standing.ts'
import { requestText } from './wire/request-text.ts'
import type { Wire, Wires } from './wire/wire.ts'

/** Who is alive says something within this time, if only that it is on the way (102). */
const SILENCE_MS = 1_500
/** Who is asked for what it has needs no time. */
const PROBE_SILENCE_MS = 250

export interface SiblingContext {
  readonly wires: Wires
  /** At once, to each sibling; and as many more for what the origin may hold. */
  readonly connections: number
  readonly heldConnections: number
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

export class Sibling implements Ledger {
  readonly name: string
  readonly url: string
  readonly usual = new Usual()
  readonly resumptions = { tried: 0, succeeded: 0 }
  readonly #host: string
  readonly #wire: Wire
  readonly #heldWire: Wire
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
    const { wires, connections, heldConnections } = context
    this.#host = new URL(url).host
    this.#context = context
    this.#wire = wires.to(id, url, connections)
    this.#heldWire = wires.to(id, url, heldConnections)
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

  /** Asks, and tells `hearer`. Undefined: it is `behind` (purges in force here cannot be told it), and nothing is heard. */
  call(ask: PeerAsk, hearer: Hearer): Call | undefined {
    const { lackedBy, roster, auth, clock, patienceMs } = this.#context
    const purges = writtenPurges(lackedBy(this.name))
    if (purges === undefined) return undefined
    const { held, role, request } = ask
    const text = requestText(written(ask, roster, auth, purges), this.#host)
    const isProbing = this.#standing.enter()
    this.#asked++
    const call = new ObjectCall(this, ask, hearer, clock, isProbing)
    const order = {
      text,
      isHead: request.method === 'HEAD',
      silenceMs: role === 'probe' ? PROBE_SILENCE_MS : SILENCE_MS,
      headMs: held?.headTimeoutMs ?? patienceMs,
    }
    call.sent((held === undefined ? this.#wire : this.#heldWire).send(order, call))
    return call
  }

  /** Rejects with a RelaisError when no head came that can be believed, and with the signal's reason. */
  async ask(ask: PeerAsk, signal: AbortSignal): Promise<PeerAnswer> {
    signal.throwIfAborted()
    const answer = new ObjectAnswer(this.name, ask, signal)
    const call = this.call(ask, answer)
    return call === undefined ? { kind: 'refused', why: 'behind' } : answer.of(call)
  }

  took(ms: number): void {
    this.usual.took(ms)
  }

  answered(answer: HeardObject | NoObject): void {
    if (answer.kind === 'refused' && LASTING.has(answer.why)) this.#refused(answer.why)
    else this.#standing.answered()
    const isOfUse = answer.kind === 'object' || (answer.kind === 'refused' && answer.why === 'absent')
    if (isOfUse) this.#answered++
    else this.#failed++
  }

  failed({ role }: PeerAsk, isProbing: boolean, { code }: RelaisError): void {
    this.#failed++
    // Who is to say at once what it has, and does not, may well be busy with what it was asked for as the owner.
    const isSlowProbe = role === 'probe' && code === 'RESPONSE_TIMEOUT'
    // That too many ask it at once is no fault of its own.
    if (!isSlowProbe && code !== 'CONNECTION_LIMIT') this.#standing.failed()
    else if (isProbing) this.#standing.left()
  }

  left(isProbing: boolean): void {
    if (isProbing) this.#standing.left()
  }

  brought(bytes: number): void {
    this.#bytes += bytes
  }

  brokeOff(): void {
    this.#failed++
  }

  #refused(why: Refusal): void {
    this.#standing.failed(true)
    const { onTrouble } = this.#context
    const trouble = TROUBLES[why]
    if (trouble === undefined || this.#told.has(why)) return
    this.#told.add(why)
    onTrouble(trouble, undefined, this.name)
  }
}
