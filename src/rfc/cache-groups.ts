/** The two fields of cache groups: lists of names, each an opaque string (RFC 9875 section 2). */
import { parseList } from 'structured-headers'
import { type Fields, fieldValue } from './heads.ts'

/**
 * The groups that a response belongs to (`cache-groups`), or that it declares untrue (`cache-group-invalidation`). None
 * when the field is absent or not a list of strings. Their number is bounded by the size of a head.
 */
export function groupsIn(
  fields: Fields,
  name: 'cache-groups' | 'cache-group-invalidation',
): readonly string[] {
  const value = fieldValue(fields, name)
  if (value === undefined) return []
  try {
    const groups: string[] = []
    for (const [item] of parseList(value)) {
      if (typeof item !== 'string') return []
      groups.push(item)
    }
    return groups
  } catch {
    // RFC 9651 section 4.2: a field that cannot be parsed is ignored as a whole.
    return []
  }
}
