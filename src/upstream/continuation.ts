/** Whether bytes of one response may follow those of another: what is asked for when a body broke off, and what of the answers is believed. */
import { omitFields } from '../rfc/connection.ts'
import { entityTagOf } from '../rfc/entity-tag.ts'
import { declaredLength, type Fields, fieldValue, type RequestHead, type ResponseHead } from '../rfc/heads.ts'
import { parseContentRange } from '../rfc/range.ts'
import { hasStrongValidator } from '../rfc/validation.ts'

/**
 * What has to be the same for a body to be continued.
 *
 * - `validated`: a strong validator, which says that the bytes are the same ones (RFC 9110 section 15.3.7.3).
 * - `same-length`: that, or else length and Last-Modified, for origins that have no strong validator or each their own.
 */
export type ResumePolicy = 'validated' | 'same-length'

/** What is known of a body that has begun. Positions are those of the whole representation. */
export interface Plan {
  readonly first: number
  /** Of the body's last byte; undefined where the origin did not say. */
  readonly last: number | undefined
  /** Of the whole representation. */
  readonly size: number | undefined
  readonly fields: Fields
  readonly policy: ResumePolicy
}

/** What an answer brings to a body that broke off at a position. */
export type Judgement =
  | {
      readonly kind: 'continues'
      /** Bytes of it that have come before. */
      readonly skip: number
      /** The position of the last byte it says it has; undefined where it does not say. */
      readonly until: number | undefined
      readonly plan: Plan
    }
  | { readonly kind: 'refused'; readonly why: string }

/** What speaks of the first request and would contradict the next. */
const CONDITIONS: ReadonlySet<string> = new Set([
  'range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
])

/**
 * Undefined: nothing can be checked and nothing continued, or, for want of any framing, nobody can tell that the body
 * was cut.
 */
export function planOf(request: RequestHead, response: ResponseHead, policy: ResumePolicy): Plan | undefined {
  const { status, fields } = response
  if (request.method !== 'GET') return undefined
  if (status === 206) {
    const { range, size } = parseContentRange(fieldValue(fields, 'content-range')) ?? {}
    return range === undefined ? undefined : { ...range, size, fields, policy }
  }
  if (status !== 200) return undefined
  const size = declaredLength(fields)
  if (size === undefined && fields['transfer-encoding'] === undefined) return undefined
  const plan = { first: 0, last: size === undefined ? undefined : size - 1, size, fields, policy }
  return basisOf(plan, true) === 'none' ? undefined : plan
}

/** Whether anyone can be asked for the rest. */
export function isResumable(plan: Plan): boolean {
  return basisOf(plan, true) !== 'none'
}

/** The request for what is missing from `position` on. */
export function continuing(
  plan: Plan,
  request: RequestHead,
  position: number,
  isSameOrigin: boolean,
): RequestHead {
  const range = `bytes=${position}-${plan.last ?? ''}`
  const fields = { ...omitFields(request.fields, CONDITIONS), range }
  if (basisOf(plan, isSameOrigin) !== 'validator') return { ...request, fields }
  return { ...request, fields: { ...fields, 'if-range': validatorOf(plan.fields) } }
}

/** Whether the answer to that request goes on where the body broke off, and is the same representation. */
export function judge(
  plan: Plan,
  position: number,
  response: ResponseHead,
  isSameOrigin: boolean,
): Judgement {
  const { status, fields } = response
  if (status !== 206 && status !== 200) return refused(`the answer was ${status}`)
  if (codingOf(fields) !== codingOf(plan.fields))
    return refused(`another content coding: ${codingOf(fields)}`)
  const strange = strangeness(plan, fields, isSameOrigin)
  if (strange !== undefined) return refused(strange)
  return status === 206
    ? judgePart(plan, position, fields, isSameOrigin)
    : judgeWhole(plan, position, fields, isSameOrigin)
}

function judgePart(plan: Plan, position: number, fields: Fields, isSameOrigin: boolean): Judgement {
  const value = fieldValue(fields, 'content-range')
  const { range, size } = parseContentRange(value) ?? {}
  if (range?.first !== position)
    return refused(`content-range: ${value}, which does not begin at ${position}`)
  if (plan.size !== undefined && size !== undefined && size !== plan.size) {
    return refused(`content-range: ${value} of what had ${plan.size} bytes`)
  }
  // Where no validator speaks for it, the length has to, so it must be told.
  if (size === undefined && (plan.last === undefined || basisOf(plan, isSameOrigin) === 'length')) {
    return refused(`content-range: ${value}, which does not say where it ends`)
  }
  const last = plan.last ?? (size === undefined ? undefined : size - 1)
  return {
    kind: 'continues',
    skip: 0,
    until: range.last,
    plan: { ...plan, last, size: plan.size ?? size },
  }
}

/** No ranges there, or the validator did not hold: it is the same only when it says so. */
function judgeWhole(plan: Plan, position: number, fields: Fields, isSameOrigin: boolean): Judgement {
  const size = declaredLength(fields)
  if (size === undefined && fields['transfer-encoding'] === undefined) {
    return refused('the whole without a length, of which nobody could tell that it was cut')
  }
  if (plan.size !== undefined && size !== undefined && size !== plan.size) {
    return refused(`the whole anew, of ${size} bytes where ${plan.size} were`)
  }
  if (size === undefined && basisOf(plan, isSameOrigin) === 'length') {
    return refused('the whole anew, without a length that would say that it is the same')
  }
  const until = size === undefined ? undefined : size - 1
  return {
    kind: 'continues',
    skip: position,
    until,
    plan: { ...plan, last: plan.last ?? until, size: plan.size ?? size },
  }
}

/** How an answer shows that it is another representation; undefined when it is the same. */
function strangeness(plan: Plan, fields: Fields, isSameOrigin: boolean): string | undefined {
  const tag = entityTagOf(fields)
  const before = entityTagOf(plan.fields)
  const modified = fieldValue(fields, 'last-modified')
  const isModified = modified !== fieldValue(plan.fields, 'last-modified')
  switch (basisOf(plan, isSameOrigin)) {
    case 'validator':
      // RFC 9110 section 13.1.5: the tag where there is one, else the date.
      if (before !== undefined) return tag === before ? undefined : `etag: ${tag} where ${before} was`
      return isModified ? `last-modified: ${modified}` : undefined
    case 'length':
      if (isModified) return `last-modified: ${modified}`
      // Each origin makes its own tags; only those of one origin can be compared.
      return isSameOrigin && tag !== before ? `etag: ${tag} where ${before} was` : undefined
    case 'none':
      return 'nothing says that it is the same'
  }
}

/** By what an origin's answer is recognised as the same representation. */
function basisOf(plan: Plan, isSameOrigin: boolean): 'validator' | 'length' | 'none' {
  const { fields, policy, size } = plan
  const hasLength =
    policy === 'same-length' && size !== undefined && fieldValue(fields, 'last-modified') !== undefined
  if (hasLength && !isSameOrigin) return 'length'
  if (hasStrongValidator(fields)) return 'validator'
  return hasLength ? 'length' : 'none'
}

function validatorOf(fields: Fields): string | undefined {
  return entityTagOf(fields) ?? fieldValue(fields, 'last-modified')
}

function codingOf(fields: Fields): string {
  return fieldValue(fields, 'content-encoding')?.trim().toLowerCase() ?? 'identity'
}

function refused(why: string): Judgement {
  return { kind: 'refused', why }
}
