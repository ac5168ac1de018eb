/** Answers what siblings ask for but content: how this node is, and which purges it knows. */

import { isRecord } from '../purge/purge-rule.ts'
import { AUTH_FIELD, type PeerAuth } from './peer-auth.ts'
import { PEER } from './peer-message.ts'
import type { PurgeBook } from './purge-book.ts'
import { type SiblingState, writeState } from './sibling-state.ts'
import { parsed, readBatch, readPositions } from './wire-values.ts'

/** GET: the state of this node. POST of a state: whoever sends it is so now, and does not wait until it is asked. */
export const STATE_PATH = '/-/peer/v1/state'
/** POST of a batch: these purges are applied; answers with the positions after it. */
export const PURGES_PATH = '/-/peer/v1/purges'
/** POST of positions: the purges that whoever is there lacks, or the first of them. */
export const PURGES_SINCE_PATH = '/-/peer/v1/purges/since'

/** Of the rules in one message. */
export const BATCH_BYTES = 512 * 1024

/** A question whose signature was not looked at yet. */
export interface PeerLetter {
  readonly method: string
  /** Path and query as on the request line. */
  readonly target: string
  readonly fields: Readonly<Record<string, string | readonly string[] | undefined>>
  /** All of it; empty: none. */
  readonly body: string
}

export interface PeerReply {
  readonly status: number
  readonly fields: Readonly<Record<string, string>>
  readonly body: string
}

export interface NewsDeskContext {
  readonly node: string
  readonly auth: PeerAuth
  readonly book: PurgeBook
  own(): SiblingState
  /** This sibling says what state it is in. False: it is not believed. */
  onState(message: unknown, peer: string): boolean
  /** Why somebody was not believed. */
  onRefused(peer: string | undefined, reason: string): void
  /** Somebody has the name of this node and the secret of the cluster, and is another process. */
  onNamesake(): void
}

export class NewsDesk {
  readonly #context: NewsDeskContext

  constructor(context: NewsDeskContext) {
    this.#context = context
  }

  /** Whether the body of a question with these fields is to be read: else four megabytes lie here for anyone who asks. */
  mayRead(fields: PeerLetter['fields']): boolean {
    return this.#context.auth.mayBeGenuine(textOf(fields[AUTH_FIELD]))
  }

  /** Never rejects. What is not signed gets 403, and no word more. */
  async answer(letter: PeerLetter): Promise<PeerReply> {
    const { node, auth, onRefused, onNamesake } = this.#context
    const { method, target, body } = letter
    const peer = textOf(letter.fields[PEER])
    const request = { method, target, peer: peer ?? '', body }
    const verdict = auth.verify(textOf(letter.fields[AUTH_FIELD]), request)
    if (verdict.kind === 'refused') {
      onRefused(peer, verdict.reason)
      return replyOf(403, { error: 'refused' })
    }
    // Its list may leave out whoever has its own name, and then it asks nobody who could tell it.
    if (peer === node && !auth.isOwn(verdict.nonce)) onNamesake()
    const { status, json } = await this.#read(method, target, parsed(body), request.peer)
    const reply = replyOf(status, json)
    const signature = auth.signAnswer(verdict.nonce, status, reply.body)
    return { ...reply, fields: { ...reply.fields, [AUTH_FIELD]: signature } }
  }

  async #read(
    method: string,
    target: string,
    body: unknown,
    peer: string,
  ): Promise<{ status: number; json: unknown }> {
    const { book } = this.#context
    switch (`${method} ${target}`) {
      case `GET ${STATE_PATH}`:
        return { status: 200, json: writeState(this.#context.own()) }
      case `POST ${STATE_PATH}`:
        return this.#context.onState(body, peer)
          ? { status: 200, json: {} }
          : bad('the state of a sibling that is known here')
      case `POST ${PURGES_PATH}`: {
        const batch = readBatch(body)
        if (batch === undefined) return bad('a batch of purges')
        await book.take(batch)
        return { status: 200, json: { positions: book.positions } }
      }
      case `POST ${PURGES_SINCE_PATH}`: {
        const positions = isRecord(body) ? readPositions(body.positions) : undefined
        if (positions === undefined) return bad('positions in the log of purges')
        return { status: 200, json: book.since(positions, BATCH_BYTES) }
      }
      default:
        return {
          status: 404,
          json: {
            error: `expected GET or POST ${STATE_PATH}, POST ${PURGES_PATH} or POST ${PURGES_SINCE_PATH}`,
          },
        }
    }
  }
}

function bad(expected: string): { status: number; json: unknown } {
  return { status: 400, json: { error: `expected ${expected}` } }
}

function replyOf(status: number, json: unknown): PeerReply {
  return { status, fields: { 'content-type': 'application/json' }, body: JSON.stringify(json) }
}

function textOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}
