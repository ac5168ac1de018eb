/** What belongs to one connection only, and the traces a message collects on its way (RFC 9110 section 7.6). */
import { isToken, simpleList } from './grammar.ts'
import { type Fields, fieldValue } from './heads.ts'

/** RFC 9110 section 7.6.1, and Trailer, because this proxy drops trailers. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * What a Connection field may not take away: RFC 9110 section 7.6.1 forbids naming fields meant for all recipients,
 * and RFC 8586 section 2 forbids any way to lose CDN-Loop.
 */
const FOR_ALL_RECIPIENTS: ReadonlySet<string> = new Set(['cache-control', 'cdn-loop', 'host', 'via'])

/** The fields without the named ones (lower case). The same object when none of them is there. */
export function omitFields(fields: Fields, omitted: ReadonlySet<string>): Fields {
  const names = Object.keys(fields)
  if (!names.some((name) => omitted.has(name))) return fields
  const kept: Record<string, string | readonly string[] | undefined> = {}
  for (const name of names) {
    // Assigned, this name would not become a field but the object's prototype.
    if (!omitted.has(name) && name !== '__proto__') kept[name] = fields[name]
  }
  return kept
}

/** The names of fields that end at this connection: the known ones and those that Connection lists. */
export function hopByHopNames(fields: Fields): ReadonlySet<string> {
  const connection = fieldValue(fields, 'connection')
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return HOP_BY_HOP
  const names = new Set(HOP_BY_HOP)
  for (const option of simpleList(connection.toLowerCase())) {
    if (!FOR_ALL_RECIPIENTS.has(option)) names.add(option)
  }
  return names
}

/** The fields that may be forwarded (RFC 9110 section 7.6.1). */
export function endToEnd(fields: Fields): Fields {
  return omitFields(fields, hopByHopNames(fields))
}

/** The Via of the forwarded message: those before, then this node. `protocol` is a version as `1.1` (RFC 9110 section 7.6.3). */
export function appendVia(fields: Fields, protocol: string, node: string): string {
  return appended(fieldValue(fields, 'via'), `${protocol} ${pseudonym(node)}`)
}

/** The CDN-Loop of the forwarded request (RFC 8586 section 2). */
export function appendCdnLoop(fields: Fields, node: string): string {
  return appended(fieldValue(fields, 'cdn-loop'), pseudonym(node))
}

/**
 * Whether the request has already been through this node. Every comma counts as the end of a member, even within
 * quotes: a quote that somebody left open must not hide what follows.
 */
export function loops(fields: Fields, node: string): boolean {
  const value = fieldValue(fields, 'cdn-loop')
  if (value === undefined) return false
  const wanted = pseudonym(node).toLowerCase()
  return value.split(',').some((member) => {
    const semicolon = member.indexOf(';')
    const id = semicolon === -1 ? member : member.slice(0, semicolon)
    return id.trim().toLowerCase() === wanted
  })
}

/** A list field with one more member at its end. */
export function appended(before: string | undefined, member: string): string {
  return before === undefined || before.trim() === '' ? member : `${before}, ${member}`
}

/** A node's name as both fields can carry it: a host, a port, or a token. */
function pseudonym(node: string): string {
  if (isToken(node)) return node
  const usable = node.replace(/[^\w.:[\]-]/g, '-')
  return usable === '' ? '-' : usable
}
