/** The tags by which a stored response can be purged: names that its origin gave it. */
import { groupsIn } from '../rfc/cache-groups.ts'
import { type Fields, fieldValue } from '../rfc/heads.ts'

/** `Surrogate-Key` is a list of names with spaces between; `Cache-Groups` is of RFC 9875. None without the fields. */
export function tagsOf(fields: Fields): readonly string[] {
  const keys = fieldValue(fields, 'surrogate-key')
  if (keys === undefined && fields['cache-groups'] === undefined) return NONE
  const named = keys === undefined ? [] : keys.split(/[ ,\t]+/).filter((key) => key !== '')
  return [...named, ...groupsIn(fields, 'cache-groups')]
}

const NONE: readonly string[] = []
