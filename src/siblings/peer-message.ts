/** What siblings say to each other when one asks another for an object: where it is asked for, and in which fields. */
import { hash } from 'node:crypto'
import { omitFields } from '../rfc/connection.ts'
import type { Fields } from '../rfc/heads.ts'

/** All that siblings ask of each other lies below it, on a listener of its own. */
export const PEER_PATH = '/-/peer/'
const OBJECTS = `${PEER_PATH}v1/obj/`

/**
 * As whom a sibling is asked.
 *
 * - `owner`: it fills this key for the zone.
 * - `second`: the owner could not be asked.
 * - `probe`: it may have it, and is to say so at once (only-if-cached).
 * - `parent`: it fills this key for zones below its own.
 */
export type Role = 'owner' | 'second' | 'probe' | 'parent'

export function isRole(word: string | undefined): word is Role {
  return word === 'owner' || word === 'second' || word === 'probe' || word === 'parent'
}

/** How many siblings a request may come to, one after the other. */
export const MAX_HOPS = 2

/** On news: who asks. */
export const PEER = 'relais-peer'
/** On answers: milliseconds since the origin made it, for Age has whole seconds only. */
export const AGE = 'relais-age'
/** How often it is asked for there, in requests per second; absent: less than once. */
export const RATE = 'relais-rate'
/** Its body was taken whole and is as viewers are to have it. */
export const WHOLE = 'relais-whole'
/** Why there is none. */
export const ERROR = 'relais-error'

/**
 * Why a sibling does not answer, beside the names of errors that viewers are told as well.
 *
 * - `absent`: it was asked for what it has, and has it not.
 * - `shed`: it has as much to do as it can.
 * - `unknown-route`: no route of its is the one that was named.
 * - `behind`: purges that the one who asks knows of are not in force there yet.
 * - `incompatible`: it chooses owners in another way.
 * - `refused`: it does not take the one who asks for a sibling.
 * - `loop`: the request has been there before.
 */
export const REFUSALS = {
  absent: 504,
  shed: 503,
  'unknown-route': 404,
  behind: 503,
  incompatible: 409,
  refused: 403,
  loop: 508,
} as const satisfies Record<string, number>

export type Refusal = keyof typeof REFUSALS

export function isRefusal(word: string): word is Refusal {
  return Object.hasOwn(REFUSALS, word)
}

/** What is asked for of the internal listener. */
export interface ObjectPlace {
  readonly routeId: string
  /** What follows the route's prefix, byte for byte. */
  readonly target: string
  /** How long the origin may hold it; undefined: it is to answer at once. */
  readonly heldMs: number | undefined
}

/**
 * What a route is called between siblings: the same where prefix and preferred origin are. Addresses of origins never
 * travel, so that nobody can be made to ask anyone else.
 */
export function routeIdOf({ prefix, base }: { readonly prefix: string; readonly base: string }): string {
  return hash('sha256', `${prefix} ${base}`).slice(0, 16)
}

/** Example: `/-/peer/v1/obj/4f0c2d…/c2VnLTEudHM?held=20000`. */
export function objectPath({ routeId, target, heldMs }: ObjectPlace): string {
  const path = `${OBJECTS}${routeId}/${Buffer.from(target, 'latin1').toString('base64url')}`
  return heldMs === undefined ? path : `${path}?held=${Math.ceil(heldMs)}`
}

/** Undefined: it is none, or names what no request line can hold. */
export function readObjectPath(path: string): ObjectPlace | undefined {
  const match = /^\/-\/peer\/v1\/obj\/([0-9a-f]{16})\/([\w-]*)(?:\?held=(\d{1,6}))?$/.exec(path)
  if (match === null) return undefined
  const [, routeId = '', written = '', held] = match
  const target = Buffer.from(written, 'base64url').toString('latin1')
  if (!/^[\x21-\x7e\x80-\xff]*$/.test(target)) return undefined
  return { routeId, target, heldMs: held === undefined ? undefined : Number(held) }
}

/** Whether all of this lies at the internal listener for objects. */
export function isObjectPath(path: string): boolean {
  return path.startsWith(OBJECTS)
}

/** The fields that are not between siblings alone. The same object when there are none such. */
export function withoutPeerFields(fields: Fields): Fields {
  const names = Object.keys(fields).filter((name) => name.startsWith('relais-'))
  return names.length === 0 ? fields : omitFields(fields, new Set(names))
}
