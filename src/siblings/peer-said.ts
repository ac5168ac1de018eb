/**
 * What is said in the one field of a request for an object: who asks, as whom, and which of the other fields count.
 *
 * Words in this order: hops, role, algorithm, digest of the roster, purges, names of fields, name of the node. `-` stands
 * for none. What the message has beside the fields that are named is not heard, so that whoever passes it on may add his own.
 */
import { FOR_MANY } from '../rfc/forwarded.ts'
import { type Fields, fieldValue } from '../rfc/heads.ts'
import type { Role } from './peer-message.ts'

const NONE = '-'

export interface Said {
  readonly hop: string
  readonly role: string
  readonly algorithm: string
  readonly digest: string
  /** Of the purges that must be in force where it is asked, `issuer=sequence,…`; undefined: all those are that matter. */
  readonly purges: string | undefined
  /** Of the fields that are spoken for. */
  readonly names: readonly string[]
  readonly peer: string
}

/** What is said, and the fields beside it. */
export interface Written {
  readonly said: string
  readonly fields: Record<string, string>
  /** The values of those, a line each. */
  readonly values: string
}

/** The fields are those of a request as it would go to an origin. */
export function writeSaid(
  asked: Omit<Said, 'names' | 'hop'> & { readonly hop: number },
  all: Fields,
): Written {
  const { hop, role, algorithm, digest, purges, peer } = asked
  const fields: Record<string, string> = {}
  let names = ''
  let values = ''
  for (const name in all) {
    const value = fieldValue(all, name)
    if (value === undefined || name === '__proto__' || goesWithoutSaying(name, value, role, peer)) continue
    fields[name] = value
    names += names === '' ? name : `,${name}`
    values += `\n${value}`
  }
  const said = `${hop} ${role} ${algorithm} ${digest} ${purges ?? NONE} ${names === '' ? NONE : names} ${peer}`
  return { said, fields, values }
}

/** Undefined: the words are not these. */
export function readSaid(words: readonly string[]): Said | undefined {
  const [hop, role, algorithm, digest, purges, written, peer] = words
  if (hop === undefined || role === undefined || algorithm === undefined || digest === undefined)
    return undefined
  if (purges === undefined || written === undefined || peer === undefined || words.length > 7)
    return undefined
  const names = written === NONE ? [] : written.split(',')
  return { hop, role, algorithm, digest, purges: purges === NONE ? undefined : purges, names, peer }
}

/** As `writeSaid` has them, of the fields that came. */
export function valuesOf({ names }: Said, came: Fields): string {
  let values = ''
  for (const name of names) values += `\n${cameAs(came, name)}`
  return values
}

/** The request's fields as they were before they were written. */
export function heardFields({ names, peer }: Said, role: Role, came: Fields): Fields {
  const fields: Record<string, string> = {
    via: viaOf(peer),
    'cdn-loop': peer,
    forwarded: FOR_MANY,
    'accept-encoding': NO_CODING,
  }
  if (role === 'probe') fields['cache-control'] = PROBING
  for (const name of names) fields[name] = cameAs(came, name)
  return fields
}

const NO_CODING = 'identity'
const PROBING = 'only-if-cached'

/** Names of nodes are tokens, as they must be for these fields. */
function viaOf(peer: string): string {
  return `1.1 ${peer}`
}

/** What `heardFields` adds by itself. */
function goesWithoutSaying(name: string, value: string, role: string, peer: string): boolean {
  switch (name) {
    case 'via':
      return value === viaOf(peer)
    case 'cdn-loop':
      return value === peer
    case 'forwarded':
      return value === FOR_MANY
    case 'accept-encoding':
      return value === NO_CODING
    case 'cache-control':
      return role === 'probe'
    default:
      return false
  }
}

/** A field may be called `constructor`: only the message's own count. */
function cameAs(came: Fields, name: string): string {
  return Object.hasOwn(came, name) ? (fieldValue(came, name) ?? '') : ''
}
