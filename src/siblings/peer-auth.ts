/**
 * Who may speak as a sibling: HMAC-SHA256 over all of a message that means something, with the time and a nonce.
 *
 * - news, as a question: `relais-auth: v1 <key id> <unix seconds> <nonce> <hmac>`
 * - news, as the answer: `relais-auth: v1 <key id> <hmac>`, bound to the nonce of the question, so it can be the answer to no other
 * - a request for an object: `relais-auth: v2 <key id> <unix seconds> <nonce> <what is said…> <hmac>` (peer-message.ts)
 */
import { hash, randomBytes } from 'node:crypto'
import type { Clock } from '../rfc/heads.ts'
import { Hmac } from './hmac.ts'
import { Nonces, PROCESS_LENGTH } from './nonces.ts'

export const AUTH_FIELD = 'relais-auth'

/** Of the field on questions: key id, time, nonce, HMAC. */
const FORM = /^v1 ([0-9a-f]{8}) ([0-9]{1,12}) ([\w-]{1,40}) ([\w-]{43})$/

/** Of requests for objects. Another one is not understood, so releases that differ in it ask each other for nothing. */
export const VERSION = 'v2'

/** Clocks of siblings may be so far apart, in either direction. */
const WINDOW_MS = 30_000

/** Some 16 KB a process, for those that spoke within a minute; only what is signed gets there. */
const NONCES = { forMs: 2 * WINDOW_MS, maxProcesses: 256, span: 2 ** 17 }

/** In base64url that is as long as nonces want it. */
const PROCESS_BYTES = (PROCESS_LENGTH * 3) / 4

/** All of a question that changes what it means. */
export interface PeerRequest {
  readonly method: string
  /** Path and query, as on the request line. */
  readonly target: string
  /** `relais-peer`: who asks. */
  readonly peer: string
  readonly body?: string | undefined
}

export interface SignedRequest {
  /** The value of `relais-auth`. */
  readonly value: string
  readonly nonce: string
}

/** The value of `relais-auth` on a request for an object, as it came. */
export interface Seal {
  readonly keyId: string
  readonly seconds: number
  readonly nonce: string
  readonly mac: string
  /** All of it but the HMAC. */
  readonly sealed: string
  /** What is said, one word each. */
  readonly said: readonly string[]
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

/** For the log. */
export function faultOf(reason: string): string {
  return reason === 'expired' ? 'expired, for the clocks differ by more than 30 seconds or it is old' : reason
}

export interface PeerSecrets {
  /** Signed with, and accepted. */
  readonly secret: string
  /** Accepted only; null: none. */
  readonly acceptedSecret: string | null
}

interface Key {
  readonly id: string
  readonly hmac: Hmac
}

export class PeerAuth {
  readonly #own: Key
  readonly #accepted: ReadonlyMap<string, Key>
  readonly #clock: Clock
  readonly #nonces = new Nonces(NONCES)
  readonly #process = randomBytes(PROCESS_BYTES).toString('base64url')
  #count = 0

  constructor({ secret, acceptedSecret }: PeerSecrets, clock: Clock) {
    this.#own = keyOf(secret)
    const other = acceptedSecret === null ? [] : [keyOf(acceptedSecret)]
    this.#accepted = new Map([this.#own, ...other].map((key) => [key.id, key]))
    this.#clock = clock
  }

  sign(request: PeerRequest): SignedRequest {
    const seconds = Math.floor(this.#clock() / 1000)
    const nonce = this.#nonce()
    const mac = this.#own.hmac.of(linesOf(request, seconds, nonce))
    return { value: `v1 ${this.#own.id} ${seconds} ${nonce} ${mac}`, nonce }
  }

  /** The value of `relais-auth` that says these words, and speaks for what is `covered` beside them. */
  seal(said: string, covered: string): string {
    const { id, hmac } = this.#own
    const sealed = `${VERSION} ${id} ${Math.floor(this.#clock() / 1000)} ${this.#nonce()} ${said}`
    return `${sealed} ${hmac.of(sealedLines(sealed, covered))}`
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
    if (!key.hmac.fits(mac, linesOf(request, seconds, nonce))) return { kind: 'refused', reason: 'forged' }
    return this.#admitted(seconds, nonce)
  }

  /** The same for a request for an object. */
  verifySeal({ keyId, seconds, nonce, mac, sealed }: Seal, covered: string): PeerVerdict {
    const key = this.#accepted.get(keyId)
    if (key === undefined) return { kind: 'refused', reason: 'unknown-key' }
    if (!key.hmac.fits(mac, sealedLines(sealed, covered))) return { kind: 'refused', reason: 'forged' }
    return this.#admitted(seconds, nonce)
  }

  /** The value of `relais-auth` on an answer to the request with this nonce. */
  signAnswer(nonce: string, status: number, body: string): string {
    return `v1 ${this.#own.id} ${this.#own.hmac.of(answerLines(nonce, status, body))}`
  }

  /** Whether it is the answer of a sibling to the request with this nonce. */
  isAnswer(value: string | undefined, nonce: string, status: number, body: string): boolean {
    const [, id = '', mac = ''] = /^v1 ([0-9a-f]{8}) ([\w-]{43})$/.exec(value ?? '') ?? []
    const key = this.#accepted.get(id)
    return key?.hmac.fits(mac, answerLines(nonce, status, body)) === true
  }

  /** Whether this process made this nonce. */
  isOwn(nonce: string): boolean {
    return nonce.startsWith(this.#process)
  }

  #nonce(): string {
    return this.#process + (this.#count++).toString(36)
  }

  #admitted(seconds: number, nonce: string): PeerVerdict {
    const now = this.#clock()
    if (!(Math.abs(now - seconds * 1000) <= WINDOW_MS)) return { kind: 'refused', reason: 'expired' }
    if (!this.#nonces.admit(nonce, now)) return { kind: 'refused', reason: 'replayed' }
    return { kind: 'genuine', nonce }
  }
}

/** Of a field of this version. Undefined: it has another form. Nothing of it is to be believed before `verifySeal`. */
export function readSeal(value: string): Seal | undefined {
  const end = value.lastIndexOf(' ')
  const sealed = value.slice(0, end)
  const [version, keyId, seconds, nonce, ...said] = sealed.split(' ')
  if (end < 0 || version !== VERSION || keyId === undefined || nonce === undefined) return undefined
  return { keyId, seconds: Number(seconds), nonce, mac: value.slice(end + 1), sealed, said }
}

function keyOf(secret: string): Key {
  return { id: hash('sha256', `relais-key\0${secret}`).slice(0, 8), hmac: new Hmac(secret) }
}

/** No field of HTTP has a line break in it, so no two messages have the same lines. */
function linesOf({ method, target, peer, body }: PeerRequest, seconds: number, nonce: string): string {
  return `request\n${method}\n${target}\n${seconds}\n${nonce}\n${peer}\n${bodyDigest(body)}`
}

function sealedLines(sealed: string, covered: string): string {
  return `object\n${sealed}\n${covered}`
}

function answerLines(nonce: string, status: number, body: string): string {
  return `answer\n${nonce}\n${status}\n${bodyDigest(body)}`
}

function bodyDigest(body: string | undefined): string {
  return body === undefined || body === '' ? '' : hash('sha256', body)
}
