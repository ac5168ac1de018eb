/** Whether a request on the internal listener is one of a sibling that may be answered; what else it is, in one word. */
import { type Fields, fieldValue } from '../rfc/heads.ts'
import { AUTH_FIELD, type PeerAuth, type PeerVerdict } from './peer-auth.ts'
import { HOP, isRole, MAX_HOPS, PEER, type Refusal, RING, ROLE, type Role } from './peer-message.ts'
import { ALGORITHM } from './rendezvous.ts'
import type { Roster } from './roster.ts'

export interface PeerHead {
  readonly method: string
  /** Path and query, as on the request line. */
  readonly target: string
  readonly fields: Fields
}

export type PeerCheck =
  | {
      readonly kind: 'sibling'
      readonly peer: string
      readonly role: Role
      readonly hop: number
      /** False: it sees another roster, and may ask here for what it should ask elsewhere. */
      readonly isInStep: boolean
    }
  | { readonly kind: 'refused'; readonly why: Refusal; readonly peer: string; readonly details: string }

/** What a signature does not speak for is not looked at before the signature is. */
export function checkPeer(auth: PeerAuth, roster: Roster, head: PeerHead): PeerCheck {
  const { fields } = head
  const peer = fieldValue(fields, PEER) ?? ''
  const role = fieldValue(fields, ROLE)
  const hop = fieldValue(fields, HOP)
  const ring = fieldValue(fields, RING) ?? ''
  const refused = (why: Refusal, details: string): PeerCheck => ({ kind: 'refused', why, peer, details })
  const verdict = auth.verify(fieldValue(fields, AUTH_FIELD), {
    method: head.method,
    target: head.target,
    range: fieldValue(fields, 'range'),
    peer,
    hop,
    role,
    cacheControl: fieldValue(fields, 'cache-control'),
  })
  if (verdict.kind === 'refused') return refused('refused', REASONS[verdict.reason])
  const [algorithm = '', digest = ''] = ring.split(' ')
  if (algorithm !== ALGORITHM)
    return refused('incompatible', `expected the algorithm ${ALGORITHM}, came ${algorithm || 'none'}`)
  if (peer === roster.self.id) return refused('loop', 'expected the name of another node, came our own')
  const hops = /^\d$/.test(hop ?? '') ? Number(hop) : Number.NaN
  if (!(hops >= 1 && hops <= MAX_HOPS)) return refused('loop', `expected 1 or ${MAX_HOPS} hops, came ${hop}`)
  // Who is asked after another was answers from what it has, or for a zone below.
  const isEnd = role === 'probe' || role === 'parent'
  if (!isRole(role) || (hops === MAX_HOPS && !isEnd)) return refused('loop', `after ${hops} hops as ${role}`)
  return { kind: 'sibling', peer, role, hop: hops, isInStep: digest === roster.digest() }
}

const REASONS: Readonly<Record<(PeerVerdict & { kind: 'refused' })['reason'], string>> = {
  unsigned: 'expected a signature, came none',
  malformed: 'expected a signature of the form v1, came another',
  'unknown-key': 'expected a signature with the secret of this cluster, came one with another',
  forged: 'the signature is not that of this request',
  expired: 'it was signed more than 30 s from now: the clocks differ, or it is old',
  replayed: 'it came before',
}
