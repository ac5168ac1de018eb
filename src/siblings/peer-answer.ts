/** What a sibling answered, as far as its head says it and may be believed. */
import { ERRORS, type ErrorName, RelaisError } from '../errors.ts'
import { entityTagOf } from '../rfc/entity-tag.ts'
import { type Fields, fieldValue, type ReceivedHead, type RequestHead } from '../rfc/heads.ts'
import { faultOf } from '../upstream/response-fault.ts'
import type { UpstreamResponse } from '../upstream/source.ts'
import type { PeerAsk } from './peer-ask.ts'
import { AGE, ERROR, isRefusal, RATE, type Refusal, WHOLE, withoutPeerFields } from './peer-message.ts'

/** Stands for the address that viewers know: what siblings hand out is in our words already. */
export const HERE = 'http://relais.invalid'

/** `rate`: requests per second there. `isWhole`: the body lies there whole, and is as viewers are to have it. */
export interface HeardObject {
  readonly kind: 'object'
  readonly head: ReceivedHead
  readonly rate: number
  readonly isWhole: boolean
}

export type NoObject =
  | { readonly kind: 'refused'; readonly why: Refusal }
  /** It could not have it, or the request is one that nobody answers. */
  | { readonly kind: 'error'; readonly error: RelaisError }

export type PeerAnswer = (HeardObject & { readonly response: UpstreamResponse }) | NoObject

/** Throws a RelaisError for what contradicts itself or the request. */
export function heardOf({ request }: PeerAsk, told: ReceivedHead, from: string): HeardObject | NoObject {
  const { status, receivedAt } = told
  const word = fieldValue(told.fields, ERROR)
  if (word !== undefined) {
    if (isRefusal(word)) return { kind: 'refused', why: word }
    return { kind: 'error', error: errorOf(word, status, told.fields, from) }
  }
  const fields = withoutPeerFields(told.fields)
  // Age has whole seconds; what is beyond them travelled, as it were.
  const requestedAt = Math.min(told.requestedAt, receivedAt) - (numberOf(told.fields, AGE) % 1000)
  const head = { status, fields, requestedAt, receivedAt }
  const fault = faultOf(request, head) ?? contradiction(request, fields, status)
  if (fault !== undefined) throw new RelaisError(fault.code, { details: fault.details, nextHop: from })
  const isWhole = told.fields[WHOLE] !== undefined
  return { kind: 'object', head, rate: numberOf(told.fields, RATE), isWhole }
}

/** What no server may say that understood the request: then the bytes are not those that were asked for. */
function contradiction(
  { fields }: RequestHead,
  answer: Fields,
  status: number,
): { readonly code: ErrorName; readonly details: string } | undefined {
  const tag = entityTagOf(answer)
  const wanted = fieldValue(fields, 'if-range')
  if (status === 206 && wanted?.startsWith('"') === true && tag !== wanted)
    return { code: 'RESPONSE_RANGE', details: `a part of ${tag ?? 'nothing known'}, asked for was ${wanted}` }
  return undefined
}

function errorOf(word: string, status: number, fields: Fields, nextHop: string): RelaisError {
  const known = Object.hasOwn(ERRORS, word)
  const retryAfterSeconds = Number(fieldValue(fields, 'retry-after') ?? Number.NaN)
  return new RelaisError(known ? (word as ErrorName) : 'RESPONSE_PROTOCOL', {
    details: known ? 'so says a sibling' : `the sibling says ${word}`,
    nextHop,
    receivedStatus: status,
    ...(Number.isSafeInteger(retryAfterSeconds) ? { retryAfterSeconds } : {}),
  })
}

/** 0 where it is none. */
function numberOf(fields: Fields, name: string): number {
  const value = Number(fieldValue(fields, name) ?? 0)
  return Number.isFinite(value) && value > 0 ? value : 0
}
