/** The neighbours of a route as one source: who owns a key is asked for it, then who stands in, and at last the origin. */
import { RelaisError } from '../errors.ts'
import type { Clock, ReceivedHead, RequestHead } from '../rfc/heads.ts'
import { planOf, type ResumePolicy } from '../upstream/continuation.ts'
import { type Continuer, resumed } from '../upstream/resumed-body.ts'
import type { Copy, Manner, Readers, Ride, Rider, Source, UpstreamResponse } from '../upstream/source.ts'
import { type Course, courseOf, type Depth, hopsOf, type Step } from './course.ts'
import type { HedgeBudget } from './hedge.ts'
import { hedged } from './hedged.ts'
import { HERE, type PeerAnswer } from './peer-answer.ts'
import type { PeerAsk } from './peer-ask.ts'
import { type Role, withoutPeerFields } from './peer-message.ts'
import { PeerRide } from './peer-ride.ts'
import { type Words, wordsOf } from './rendezvous.ts'
import type { Member, Roster } from './roster.ts'
import type { Sibling } from './sibling.ts'
import type { Sights } from './sights.ts'
import type { Neighbourhood } from './succession.ts'
import { whole } from './whole-response.ts'

/** So often a second is that viewers of every node are about to want it. */
const HOT_RATE = 1

/** What all routes have in common. */
export interface Neighbourly {
  readonly roster: Roster
  readonly parentZone: string | undefined
  siblingOf(member: Member): Sibling
  readonly sights: Sights
  readonly hedges: HedgeBudget
  readonly clock: Clock
  /** How long a body that broke off may stand still; 0 never asks for the rest. */
  readonly resumeTimeoutMs: number
}

export interface NeighboursOptions {
  readonly routeId: string
  readonly prefix: string
  readonly resume: ResumePolicy
  readonly depth: Depth
}

/** One who can be asked, and may have the rest of a body. */
interface Neighbour extends Continuer {
  readonly isPassable: boolean
  fetch(request: RequestHead, signal: AbortSignal, readers: Readers): Promise<UpstreamResponse>
}

export class Neighbours implements Source {
  readonly name: string
  readonly #origin: Source
  readonly #options: NeighboursOptions
  readonly #ground: Neighbourly
  readonly #rest: Neighbour
  #last: { readonly key: string; readonly words: Words } | undefined

  constructor(origin: Source, options: NeighboursOptions, ground: Neighbourly) {
    this.name = origin.name
    this.#origin = origin
    this.#options = options
    this.#ground = ground
    this.#rest = {
      name: origin.name,
      resumptions: { tried: 0, succeeded: 0 },
      isPassable: true,
      fetch: (request, signal, readers) => origin.fetch(request, signal, { readers }),
    }
  }

  demote(from: string, forMs: number): boolean {
    return this.#origin.demote?.(from, forMs) ?? false
  }

  spare(share: number): number {
    return this.#origin.spare?.(share) ?? 1
  }

  hopsTo(key: string): number {
    return hopsOf(this.#around(), this.#wordsOf(key), this.#options.depth, this.#ground.clock())
  }

  ride(request: RequestHead, key: string, rider: Rider): Ride | undefined {
    const { steps, isOwn } = this.#course(request, key, {})
    const [step] = steps
    if (isOwn || step?.role !== 'owner') return undefined
    const sibling = this.#ground.siblingOf(step.member)
    // What is seen again is to be kept.
    if (!sibling.isPassable || this.#ground.sights.isSeen(sightOf(key, request))) return undefined
    const ask = this.#written(step.role, request, undefined)
    return new PeerRide(sibling, ask, rider, {
      isHot: ({ rate }) => rate >= HOT_RATE,
      onPassing: () => void this.#ground.sights.isSecond(sightOf(key, request)),
      rest: (head, taken, failure, signal) => {
        const response = brokenOff(head, sibling.name, HERE + ask.prefix + request.target, failure)
        return this.#continued(response, undefined, steps, request, signal, { readers: 'one' }, taken).body
      },
    }).setOut()
  }

  async fetch(request: RequestHead, signal: AbortSignal, manner: Manner = {}): Promise<UpstreamResponse> {
    const { key } = manner
    if (key === undefined) return this.#fromOrigin(request, signal, manner)
    try {
      return await this.#fetched(key, request, signal, manner)
    } finally {
      // The course may have changed since it set out.
      manner.ride?.leave(new Error('another one was asked'))
    }
  }

  async #fetched(
    key: string,
    request: RequestHead,
    signal: AbortSignal,
    manner: Manner,
  ): Promise<UpstreamResponse> {
    const { steps, isOwn } = this.#course(request, key, manner)
    for (const [index, step] of steps.entries()) {
      if (!this.#ground.siblingOf(step.member).isPassable) continue
      const answer = await this.#tried(step, steps[index + 1], request, signal, manner)
      if (answer === undefined || answer.kind === 'refused') continue
      if (answer.kind === 'object') {
        const copy = isOwn ? undefined : { isHot: this.#isHot(step.role, key, request, answer.rate) }
        return this.#continued(answer.response, copy, steps, request, signal, manner)
      }
      // Who asks for what cannot be is told so; and what is held back, is held back from all who wait.
      if (answer.error.status < 500 || manner.held !== undefined) throw answer.error
      // It asked the origin in vain. The road from here may be another one.
      break
    }
    manner.onOrigin?.()
    const response = await this.#fromOrigin(request, signal, manner)
    return isOwn ? response : { ...response, copy: { isHot: true } }
  }

  #course(request: RequestHead, key: string, manner: Manner): Course {
    const { clock } = this.#ground
    return courseOf(this.#around(), this.#wordsOf(key), this.#options.depth, request, manner, clock())
  }

  /** What only siblings say to each other is no word of an origin. */
  async #fromOrigin(request: RequestHead, signal: AbortSignal, manner: Manner): Promise<UpstreamResponse> {
    const response = await this.#origin.fetch(request, signal, manner)
    const { head } = response
    const fields = withoutPeerFields(head.fields)
    return fields === head.fields ? response : { ...response, head: { ...head, fields } }
  }

  /** A fill asks for the hops to a key, and then for the key. */
  #wordsOf(key: string): Words {
    if (this.#last?.key !== key) this.#last = { key, words: wordsOf(key) }
    return this.#last.words
  }

  #around(): Neighbourhood {
    const { roster, parentZone } = this.#ground
    return { self: roster.self, members: roster.members(), parentZone }
  }

  /** Undefined: nothing came that is of use. Rejects with the signal's reason alone. */
  async #tried(
    step: Step,
    next: Step | undefined,
    request: RequestHead,
    signal: AbortSignal,
    manner: Manner,
  ): Promise<PeerAnswer | undefined> {
    try {
      const answer = await this.#asked(step, next, request, signal, manner)
      // What is read before anyone sees it need not be continued: it is asked for anew.
      if (answer.kind !== 'object' || !answer.isWhole || request.method === 'HEAD') return answer
      return { ...answer, response: await whole(answer.response) }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      // A fault of ours is not to be hidden behind the origin's answer.
      if (!(error instanceof RelaisError)) throw error
      return undefined
    }
  }

  #asked(
    { member, role }: Step,
    next: Step | undefined,
    request: RequestHead,
    signal: AbortSignal,
    { held, ride }: Manner,
  ): Promise<PeerAnswer> {
    const { hedges } = this.#ground
    const sibling = this.#ground.siblingOf(member)
    hedges.earn()
    const begun = ride instanceof PeerRide ? ride.takenOver(member.id, signal) : undefined
    const first = begun ?? sibling.ask(this.#written(role, request, held), signal)
    const patienceMs = begun === undefined ? sibling.usual.ms : (ride?.lateInMs ?? 0)
    const isHedged =
      role === 'owner' && next?.role === 'second' && held === undefined && request.method === 'GET'
    if (!isHedged) return first
    const second = this.#ground.siblingOf(next.member)
    return hedged(patienceMs, first, () => {
      if (!second.isPassable || !hedges.take()) return undefined
      second.hedges()
      return second.ask(this.#written('probe', request, undefined), signal)
    })
  }

  #written(role: Role, request: RequestHead, held: Manner['held']): PeerAsk {
    const { routeId, prefix, depth } = this.#options
    return { routeId, prefix, request, role, hop: depth + 1, held }
  }

  /** A slice is one thing; that the next one of the same body is asked for makes it no hotter. */
  #isHot(role: Role, key: string, { method, fields }: RequestHead, rate: number): boolean {
    if (method !== 'GET') return false
    const isSecond = this.#ground.sights.isSecond(sightOf(key, { fields }))
    return isSecond || rate >= HOT_RATE || role === 'probe' || role === 'parent'
  }

  /** The response with a body that goes on at another sibling, and at last at the origin, when it breaks off. */
  #continued(
    response: UpstreamResponse,
    copy: Copy | undefined,
    steps: readonly Step[],
    request: RequestHead,
    signal: AbortSignal,
    { readers = 'all' }: Manner,
    taken = 0,
  ): UpstreamResponse {
    const marked = copy === undefined ? response : { ...response, copy }
    const plan = planOf(request, response.head, this.#options.resume)
    const all = [
      ...steps.filter(({ role }) => role !== 'probe').map((step) => this.#neighbour(step)),
      this.#rest,
    ]
    const begun = all.find(({ name }) => name === response.from) ?? this.#rest
    if (plan === undefined) return marked
    const { resumeTimeoutMs } = this.#ground
    return resumed(
      { origin: begun, request, response: marked, readers, taken },
      plan,
      {
        ask: (neighbour, rest, bound, setBy) => neighbour.fetch(rest, bound, setBy),
        // Who broke off may be dying, and is asked last.
        candidates: (broken) => [
          ...all.filter((one) => one !== broken && one.isPassable),
          ...(broken.isPassable ? [broken] : []),
        ],
      },
      resumeTimeoutMs,
      signal,
    )
  }

  #neighbour({ member, role }: Step): Neighbour {
    const sibling = this.#ground.siblingOf(member)
    return {
      name: sibling.name,
      resumptions: sibling.resumptions,
      get isPassable() {
        return sibling.isPassable
      },
      fetch: async (request, signal) => {
        const answer = await sibling.ask(this.#written(role, request, undefined), signal)
        if (answer.kind === 'object') return answer.response
        if (answer.kind === 'error') throw answer.error
        throw new RelaisError('DESTINATION_UNAVAILABLE', { details: answer.why, nextHop: sibling.name })
      },
    }
  }
}

function sightOf(key: string, { fields }: Pick<RequestHead, 'fields'>): string {
  return `${key} ${String(fields['range'] ?? '')}`
}

/** What is left of a response whose body broke off. */
function brokenOff(head: ReceivedHead, from: string, url: string, failure: RelaisError): UpstreamResponse {
  const body = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(failure) }) }
  return { head, from, url, body, cancel: () => undefined }
}
