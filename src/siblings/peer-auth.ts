/**
 * Who may speak as a sibling: HMAC-SHA256 over all of a message that means something, with the time and a nonce.
 *
 * `relais-auth: v1 <key id> <unix seconds> <nonce> <hmac>` on requests, `relais-auth: v1 <key id> <hmac>` on answers that
 * are news rather than content: the latter is bound to the nonce of the request, so it can be the answer to no other.
 */
import { createHmac, createSecretKey, hash, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../rfc/heads.ts'
import { Nonces } from './nonces.ts'

export const AUTH_FIELD = 'relais-auth'

/** Of the field on requests: key id, time, nonce, HMAC. */
const FORM = /^v1 ([0-9a-f]{8}) ([0-9]{1,12}) ([\w-]{1,40}) ([\w-]{43})$/

/** Clocks of siblings may be so far apart, in either direction. */
const WINDOW_MS = 30_000

/** What passes 2,000 times a second for a minute, in some 15 MB; only what is signed gets there. */
const MAX_NONCES = 2 ** 18

/** All of a request that changes what it means; a field that is not sent is undefined. */
export interface PeerRequest {
  readonly method: string
  /** Path and query, as on the request line. */
  readonly target: string
  readonly range?: string | undefined
  /** `relais-peer`: who asks. */
  readonly peer: string
  /** `relais-hop`. */
  readonly hop?: string | undefined
  /** `relais-role`. */
  readonly role?: string | undefined
  readonly cacheControl?: string | undefined
  readonly body?: string | undefined
}

export interface SignedRequest {
  /** The value of `relais-auth`. */
  readonly value: string
  readonly nonce: string
}

export type PeerVerdict =
  | { readonly kind: 'genuine'; readonly nonce: string }
  /**
   * - `unsigned`: there is no `relais-auth`
   * - `malformed`: it has another form
   * - `unknown-key`: signed with a secret that is none of ours
   * - `forged`: the signature is not that of this message
   * - `expired`: more than 30 s before or after our time
   * - `replayed`: this very message came before
   */
  | {
      readonly kind: 'refused'
      readonly reason: 'unsigned' | 'malformed' | 'unknown-key' | 'forged' | 'expired' | 'replayed'
    }

export interface PeerSecrets {
  /** Signed with, and accepted. */
  readonly secret: string
  /** Accepted only; null: none. */
  readonly acceptedSecret: string | null
}

interface Key {
  readonly id: string
  readonly key: KeyObject
}

export class PeerAuth {
  readonly #own: Key
  readonly #accepted: ReadonlyMap<string, Key>
  readonly #clock: Clock
  readonly #nonces = new Nonces({ forMs: 2 * WINDOW_MS, max: MAX_NONCES })
  readonly #process = randomBytes(9).toString('base64url')
  #count = 0

  constructor({ secret, acceptedSecret }: PeerSecrets, clock: Clock) {
    this.#own = keyOf(secret)
    const other = acceptedSecret === null ? [] : [keyOf(acceptedSecret)]
    this.#accepted = new Map([this.#own, ...other].map((key) => [key.id, key]))
    this.#clock = clock
  }

  sign(request: PeerRequest): SignedRequest {
    const seconds = Math.floor(this.#clock() / 1000)
    const nonce = `${this.#process}${(this.#count++).toString(36)}`
    const mac = macOf(this.#own.key, linesOf(request, seconds, nonce))
    return { value: `v1 ${this.#own.id} ${seconds} ${nonce} ${mac.toString('base64url')}`, nonce }
  }

  /** Whether it may be worth reading what was signed: false for who does not know which secret is in use, and for what is late. */
  mayBeGenuine(value: string | undefined): boolean {
    const [, id = '', written = ''] = FORM.exec(value ?? '') ?? []
    return this.#accepted.has(id) && Math.abs(this.#clock() - Number(written) * 1000) <= WINDOW_MS
  }

  /** A genuine request is so once: the second time it is `replayed`. */
  verify(value: string | undefined, request: PeerRequest): PeerVerdict {
    if (value === undefined) return { kind: 'refused', reason: 'unsigned' }
    const match = FORM.exec(value)
    if (match === null) return { kind: 'refused', reason: 'malformed' }
    const [, id = '', written = '', nonce = '', mac = ''] = match
    const key = this.#accepted.get(id)
    if (key === undefined) return { kind: 'refused', reason: 'unknown-key' }
    const seconds = Number(written)
    if (!isMac(mac, macOf(key.key, linesOf(request, seconds, nonce))))
      return { kind: 'refused', reason: 'forged' }
    const now = this.#clock()
    if (Math.abs(now - seconds * 1000) > WINDOW_MS) return { kind: 'refused', reason: 'expired' }
    if (!this.#nonces.admit(nonce, now)) return { kind: 'refused', reason: 'replayed' }
    return { kind: 'genuine', nonce }
  }

  /** The value of `relais-auth` on an answer to the request with this nonce. */
  signAnswer(nonce: string, status: number, body: string): string {
    const mac = macOf(this.#own.key, answerLines(nonce, status, body))
    return `v1 ${this.#own.id} ${mac.toString('base64url')}`
  }

  /** Whether it is the answer of a sibling to the request with this nonce. */
  isAnswer(value: string | undefined, nonce: string, status: number, body: string): boolean {
    const [, id = '', mac = ''] = /^v1 ([0-9a-f]{8}) ([\w-]{43})$/.exec(value ?? '') ?? []
    const key = this.#accepted.get(id)
    return key !== undefined && isMac(mac, macOf(key.key, answerLines(nonce, status, body)))
  }
}

function keyOf(secret: string): Key {
  return {
    id: hash('sha256', `relais-key\0${secret}`).slice(0, 8),
    key: createSecretKey(Buffer.from(secret)),
  }
}

/** No field of HTTP has a line break in it, so no two messages have the same lines. */
function linesOf(request: PeerRequest, seconds: number, nonce: string): string {
  const { method, target, range, peer, hop, role, cacheControl, body } = request
  const fields = [method, target, range, seconds, nonce, peer, hop, role, cacheControl]
  return `request\n${fields.map((field) => field ?? '').join('\n')}\n${bodyDigest(body)}`
}

function answerLines(nonce: string, status: number, body: string): string {
  return `answer\n${nonce}\n${status}\n${bodyDigest(body)}`
}

function bodyDigest(body: string | undefined): string {
  return body === undefined || body === '' ? '' : hash('sha256', body)
}

function macOf(key: KeyObject, lines: string): Buffer {
  return createHmac('sha256', key).update(lines).digest()
}

function isMac(written: string, mac: Buffer): boolean {
  const bytes = Buffer.from(written, 'base64url')
  return bytes.byteLength === mac.byteLength && timingSafeEqual(bytes, mac)
}
