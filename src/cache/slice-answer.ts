/** Whether what the origin answered is the slice that was asked for, and what it means when it is not. */
import { entityTagOf } from '../rfc/entity-tag.ts'
import { type Fields, fieldValue, type ResponseHead } from '../rfc/heads.ts'
import { type ByteRange, parseContentRange } from '../rfc/range.ts'
import { isKeptFromSharing } from '../rfc/storability.ts'
import type { Sliced } from '../store/store.ts'
import { bindingValidator } from './opening.ts'

/**
 * Why a slice cannot be had.
 *
 * - `changed`: the origin has another representation now, or none, or none that is for all.
 * - `unranged`: the representation is the same, but the origin answered with other bytes than those asked for.
 * - `refused`: an error of the origin, which says nothing of what is stored.
 */
export type Unusable = 'changed' | 'unranged' | 'refused'

export class SliceError extends Error {
  override readonly name = 'SliceError'
  readonly reason: Unusable

  constructor(reason: Unusable, details: string) {
    super(`a slice could not be had: ${details}`)
    this.reason = reason
  }
}

/** What is wrong with an answer to the request for a slice; undefined: nothing. */
export function judge(
  { status, fields }: ResponseHead,
  stored: ResponseHead,
  sliced: Sliced,
  asked: ByteRange,
): SliceError | undefined {
  if (status >= 500 || status === 429 || status === 401 || status === 403) {
    return new SliceError('refused', `the origin answered ${status}`)
  }
  const validator = bindingValidator(fields)
  if (status === 200 && validator === bindingValidator(stored.fields)) {
    return new SliceError('unranged', 'the origin answered with the whole')
  }
  // What was stored before was for all; this is not, whatever its validator.
  if (isKeptFromSharing(fields)) {
    return new SliceError('changed', 'the origin does not let it be stored for others any more')
  }
  if (status !== 206 || !isSame(fields, stored.fields)) {
    return new SliceError(
      'changed',
      `the origin answered ${status} with ${validator ?? 'no strong validator'}`,
    )
  }
  const came = fieldValue(fields, 'content-range')
  const { range, size } = parseContentRange(came) ?? {}
  if (size !== undefined && size !== sliced.size) {
    return new SliceError('changed', `the body had ${sliced.size} bytes, and now ${size}`)
  }
  if (size === undefined || range?.first !== asked.first || range.last !== asked.last) {
    const expected = `bytes ${asked.first}-${asked.last}/${sliced.size}`
    return new SliceError('unranged', `${expected} was expected, and ${came ?? 'no Content-Range'} came`)
  }
  return undefined
}

/** Whether a part has the validator that binds the slices (RFC 9111 section 3.4). */
function isSame(part: Fields, whole: Fields): boolean {
  const tag = entityTagOf(whole)
  if (tag !== undefined) return entityTagOf(part) === tag
  return fieldValue(part, 'last-modified') === fieldValue(whole, 'last-modified')
}
