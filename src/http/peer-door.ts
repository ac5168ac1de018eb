/** The internal door: siblings come in, and get what lies here, what the origin says, or one word why not. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer, Cache, StoredAnswer } from '../cache/cache.ts'
import type { HeldFill } from '../cache/journey.ts'
import type { Route } from '../cache/routes.ts'
import { RelaisError } from '../errors.ts'
import type { Clock, RequestHead } from '../rfc/heads.ts'
import type { PeerAuth } from '../siblings/peer-auth.ts'
import { checkPeer, type PeerCheck } from '../siblings/peer-check.ts'
import { ERROR, type ObjectPlace, REFUSALS, type Refusal, readObjectPath } from '../siblings/peer-message.ts'
import type { PurgeBook } from '../siblings/purge-book.ts'
import { hasPurges } from '../siblings/purge-fence.ts'
import type { Roster } from '../siblings/roster.ts'
import { breakOff, leaving } from './delivery.ts'
import { errorAnswer, isOfViewer } from './error-answer.ts'
import { isSafeTarget, isUnread } from './request-head.ts'
import type { Sender } from './send.ts'
import { type Account, Visit } from './visit.ts'

/** Who waits hears within this time that it is not in vain (102), well before it would give up, also where this node is late itself. */
const WORD_AFTER_MS = 100
/** What is asked to be held for longer is no blocking reload. */
const MOST_HELD_MS = 120_000

/** A route as siblings come to it. */
export interface PeerRoute {
  /** For those of this zone: from store, from the zone above, or from the origin. */
  readonly forZone: Route
  /** For zones below: from store or the origin. */
  readonly forBelow: Route
}

export interface PeerDoorContext {
  readonly node: string
  readonly cache: Cache
  /** By route id. */
  readonly routes: ReadonlyMap<string, PeerRoute>
  readonly auth: PeerAuth
  /** What was purged, as far as it is known here. */
  readonly purges: PurgeBook
  readonly roster: Roster
  readonly sender: Sender
  readonly clock: Clock
  /** More requests of siblings at once are more than this node can do for them. */
  readonly maxUnderWay: number
  readonly nextRequestId: () => string
  readonly onAccount: ((account: Account & { readonly peer: string }) => void) | undefined
  readonly onTrouble: (what: string, error: unknown, about: Readonly<Record<string, string>>) => void
}

/** What siblings asked for here. */
export interface PeerDoorStats {
  readonly requests: number
  /** Answered from store. */
  readonly hits: number
  /** Bytes of bodies handed to siblings. */
  readonly bytes: number
  /** By why; those that are refused are not among `requests`. */
  readonly refused: Readonly<Record<Refusal, number>>
  /** From siblings that saw another roster. */
  readonly outOfStep: number
}

type Sibling = PeerCheck & { readonly kind: 'sibling' }

export class PeerDoor {
  readonly #context: PeerDoorContext
  readonly #told = new Set<string>()
  readonly #refused: Record<Refusal, number> = {
    absent: 0,
    shed: 0,
    'unknown-route': 0,
    behind: 0,
    incompatible: 0,
    refused: 0,
    loop: 0,
  }
  #requests = 0
  #hits = 0
  #bytes = 0
  #outOfStep = 0
  #underWay = 0
  /** What is in force stays so, and siblings say the same again and again. */
  #purgesInForce: string | undefined

  constructor(context: PeerDoorContext) {
    this.#context = context
  }

  stats(): PeerDoorStats {
    return {
      requests: this.#requests,
      hits: this.#hits,
      bytes: this.#bytes,
      refused: { ...this.#refused },
      outOfStep: this.#outOfStep,
    }
  }

  /** Never throws. */
  answer(message: IncomingMessage, response: ServerResponse): void {
    // A request with a body is none of a sibling, and what follows it may be anything.
    if (isUnread(message)) response.shouldKeepAlive = false
    try {
      this.#answer(message, response)
    } catch (error) {
      this.#broken(error, response)
    }
  }

  #broken(error: unknown, response: ServerResponse): void {
    this.#context.onTrouble('a sibling could not be answered', error, {})
    breakOff(response)
  }

  #answer(message: IncomingMessage, response: ServerResponse): void {
    const { auth, roster, routes, maxUnderWay } = this.#context
    const { method = '', url = '', headers } = message
    const check = checkPeer(auth, roster, { method, target: url, fields: headers })
    if (check.kind === 'refused') {
      this.#tell(check)
      this.#refuse(response, check.why)
      return
    }
    if (!check.isInStep) this.#outOfStep++
    const place = method === 'GET' || method === 'HEAD' ? readObjectPath(url) : undefined
    const route = place === undefined ? undefined : routes.get(place.routeId)
    const asked = check.role === 'parent' ? route?.forBelow : route?.forZone
    // A probe costs a look.
    const why = this.#underWay >= maxUnderWay && check.role !== 'probe' ? 'shed' : 'unknown-route'
    if (why === 'shed' || place === undefined || asked === undefined) {
      this.#refuse(response, why)
      return
    }
    const request = { method, target: asked.prefix + place.target, fields: check.fields }
    if (!isSafeTarget(request.target)) {
      this.#refuse(response, why)
      return
    }
    const settle = (isInForce: boolean): void => {
      if (isInForce) this.#serve(asked, request, place, check, response)
      else this.#refuse(response, 'behind')
    }
    const isInForce = this.#hasPurges(check.purges)
    if (typeof isInForce === 'boolean') {
      settle(isInForce)
      return
    }
    this.#underWay++
    void isInForce
      .finally(() => this.#underWay--)
      .then(settle)
      .catch((error: unknown) => this.#broken(error, response))
  }

  #hasPurges(wanted: string | undefined): boolean | Promise<boolean> {
    if (wanted === undefined || wanted === this.#purgesInForce) return true
    const isInForce = hasPurges(this.#context.purges, wanted)
    if (isInForce === true) this.#purgesInForce = wanted
    return isInForce
  }

  /** What lies in memory and is not long is gone before anybody could ask what became of it. False: nothing was done. */
  #sentAtOnce(answer: StoredAnswer, request: RequestHead, response: ServerResponse): boolean {
    const { sender, clock, onAccount } = this.#context
    if (onAccount !== undefined || answer.unshared !== undefined) return false
    const bytes = sender.sendHit(response, request, answer, clock(), undefined)
    if (bytes === undefined) return false
    this.#requests++
    this.#bytes += bytes
    if (answer.status.hit) this.#hits++
    return true
  }

  #serve(
    route: Route,
    request: RequestHead,
    place: ObjectPlace,
    { peer }: Sibling,
    response: ServerResponse,
  ): void {
    if (response.destroyed) return // it did not wait for the purges that it wanted here
    const { cache, onAccount, nextRequestId } = this.#context
    const atOnce = cache.immediate(route, request)
    if (atOnce !== undefined && this.#sentAtOnce(atOnce, request, response)) return
    this.#requests++
    this.#underWay++
    const visit = new Visit(nextRequestId(), request, 'miss')
    response.once('close', () => {
      this.#underWay--
      this.#bytes += visit.bytes
      onAccount?.({ ...visit.account(response), peer })
    })
    const signal = atOnce?.stored.body.chunks === undefined ? leaving(response) : NEVER
    if (atOnce !== undefined) {
      this.#settled(this.#send(response, request, atOnce, visit, signal), response, visit)
      return
    }
    const word = setTimeout(() => {
      if (!response.headersSent && !response.destroyed) response.writeProcessing()
    }, WORD_AFTER_MS)
    const sent = cache
      .answer(route, request, signal, heldBy(place))
      .finally(() => clearTimeout(word))
      .then((answer) => this.#send(response, request, answer, visit, signal))
    this.#settled(sent, response, visit)
  }

  #send(
    response: ServerResponse,
    request: RequestHead,
    answer: Answer,
    visit: Visit,
    signal: AbortSignal,
  ): void | Promise<void> {
    const { sender, clock } = this.#context
    visit.outcome = answer.outcome
    if (answer.status.hit) this.#hits++
    if (answer.kind === 'passed') return sender.sendPassed(response, request, answer, visit, signal)
    const now = clock()
    const bytes =
      answer.unshared === undefined ? sender.sendHit(response, request, answer, now, visit) : undefined
    if (bytes === undefined) return sender.sendStored(response, request, answer, now, visit, signal)
    visit.bytes = bytes
  }

  #settled(sent: void | Promise<void>, response: ServerResponse, visit: Visit): void {
    void sent?.catch((error: unknown) => this.#failed(error, response, visit))
  }

  #failed(error: unknown, response: ServerResponse, visit: Visit): void {
    if (response.destroyed) return // there is nobody left to tell
    const known = error instanceof RelaisError ? error : new RelaisError('INTERNAL', { cause: error })
    const { requestId } = visit
    if (!isOfViewer(known)) this.#context.onTrouble('an answer to a sibling failed', error, { requestId })
    if (response.headersSent) {
      breakOff(response)
      return
    }
    visit.outcome = 'error'
    if (known.code === 'ONLY_IF_CACHED' || known.code === 'LOOP') {
      this.#refuse(response, known.code === 'LOOP' ? 'loop' : 'absent')
      return
    }
    const { lines, body } = errorAnswer(this.#context.node, known, requestId)
    response.writeHead(known.status, [...lines, ERROR, known.code])
    response.end(visit.method === 'HEAD' ? undefined : body)
  }

  #refuse(response: ServerResponse, why: Refusal): void {
    this.#refused[why]++
    response.writeHead(REFUSALS[why], [ERROR, why, 'content-length', '0', 'cache-control', 'no-store'])
    response.end()
  }

  /** What an operator has to mend is said once a sibling and reason. */
  #tell({ why, peer, details }: PeerCheck & { readonly kind: 'refused' }): void {
    const about = `${why} ${details}`.slice(0, MAX_TOLD_LENGTH)
    if (this.#told.size >= MAX_TOLD || this.#told.has(about)) return
    this.#told.add(about)
    this.#context.onTrouble(`a request on the internal listener was refused: ${details}`, undefined, {
      peer: peer.slice(0, MAX_TOLD_LENGTH),
    })
  }
}

const NEVER = new AbortController().signal
/** Whoever reaches the listener can make these up. */
const MAX_TOLD = 32
const MAX_TOLD_LENGTH = 128

function heldBy({ heldMs }: ObjectPlace): HeldFill | undefined {
  if (heldMs === undefined) return undefined
  return { headTimeoutMs: Math.min(heldMs, MOST_HELD_MS), plainKey: undefined, wanted: undefined }
}
