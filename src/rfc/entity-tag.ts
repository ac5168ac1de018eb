/** Entity tags and how two of them are equal (RFC 9110 section 8.8.3). */
import type { Fields } from './heads.ts'

/** The response's ETag as it came; undefined when there is none or several, which contradict each other. */
export function entityTagOf(fields: Fields): string | undefined {
  const value = fields.etag
  if (typeof value === 'string') return value === '' ? undefined : value
  return value?.length === 1 ? value[0] : undefined
}

/** Whether the tag is well formed and promises equality byte for byte. */
export function isStrongTag(tag: string): boolean {
  return tag.length >= 2 && tag[0] === '"' && tag.indexOf('"', 1) === tag.length - 1
}

export function strongMatch(one: string, other: string): boolean {
  return one === other && isStrongTag(one)
}

export function weakMatch(one: string, other: string): boolean {
  return one === other || opaque(one) === opaque(other)
}

/** Whether an If-None-Match list holds a tag that matches weakly; malformed members match nothing. */
export function listMatches(list: string, tag: string): boolean {
  if (list === tag) return true
  const wanted = opaque(tag)
  // What is no entity tag can equal a whole value, but no member of a list.
  if (!isStrongTag(wanted)) return false
  let index = 0
  while (index < list.length) {
    const character = list[index]
    if (character === ' ' || character === '\t' || character === ',') {
      index++
      continue
    }
    if (character === 'W' && list[index + 1] === '/') index += 2
    if (list.startsWith(wanted, index)) return true
    index = afterMember(list, index)
  }
  return false
}

/** The comma behind the member that begins at `start`; those within its quotes belong to it. */
function afterMember(list: string, start: number): number {
  let from = start
  if (list[start] === '"') {
    const closing = list.indexOf('"', start + 1)
    if (closing === -1) return list.length
    from = closing + 1
  }
  const comma = list.indexOf(',', from)
  return comma === -1 ? list.length : comma
}

function opaque(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag
}
