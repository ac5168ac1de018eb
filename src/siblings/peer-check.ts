/** Whether a request on the internal listener is one of a sibling that may be answered; what else it is, in one word. */
import { type Fields, fieldValue } from '../rfc/heads.ts'
import { coveredBy } from './peer-ask.ts'
import { AUTH_FIELD, type PeerAuth, type PeerVerdict, readSeal, VERSION } from './peer-auth.ts'
import { isRole, MAX_HOPS, type Refusal, type Role } from './peer-message.ts'
import { heardFields, readSaid, valuesOf } from './peer-said.ts'
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
      /** Which must be in force here, as purge-fence.ts writes them; undefined: all those are that matter. */
      readonly purges: string | undefined
      /** Of the request, without what is between siblings alone. */
      readonly fields: Fields
    }
  | { readonly kind: 'refused'; readonly why: Refusal; readonly peer: string; readonly details: string }

/** What a signature does not speak for is not looked at before the signature is, nor heard after it. */
export function checkPeer(auth: PeerAuth, roster: Roster, { method, target, fields }: PeerHead): PeerCheck {
  const value = fieldValue(fields, AUTH_FIELD)
  if (value === undefined) return refused('refused', REASONS.unsigned)
  const seal = readSeal(value)
  const said = seal === undefined ? undefined : readSaid(seal.said)
  if (seal === undefined || said === undefined) return unreadable(value)
  const { peer, role, algorithm } = said
  const verdict = auth.verifySeal(seal, coveredBy(method, target, valuesOf(said, fields)))
  if (verdict.kind === 'refused') return refused('refused', REASONS[verdict.reason], peer)
  if (algorithm !== ALGORITHM)
    return refused('incompatible', `expected the algorithm ${ALGORITHM}, came ${algorithm}`, peer)
  if (peer === roster.self.id) return refused('loop', 'expected the name of another node, came our own', peer)
  const hop = said.hop.length === 1 ? Number(said.hop) : Number.NaN
  if (!(hop >= 1 && hop <= MAX_HOPS))
    return refused('loop', `expected 1 or ${MAX_HOPS} hops, came ${said.hop}`, peer)
  // Who is asked after another was answers from what it has, or for a zone below.
  const isEnd = role === 'probe' || role === 'parent'
  if (!isRole(role) || (hop === MAX_HOPS && !isEnd))
    return refused('loop', `after ${hop} hops as ${role}`, peer)
  return {
    kind: 'sibling',
    peer,
    role,
    hop,
    isInStep: said.digest === roster.digest(),
    purges: said.purges,
    fields: heardFields(said, role, fields),
  }
}

function refused(why: Refusal, details: string, peer = ''): PeerCheck {
  return { kind: 'refused', why, peer, details }
}

/** Another release says it in another way. */
function unreadable(value: string): PeerCheck {
  const [, version] = /^(v\d{1,3}) /.exec(value) ?? []
  if (version === undefined || version === VERSION) return refused('refused', REASONS.malformed)
  return refused(
    'incompatible',
    `expected a request of the form ${VERSION}, came one of ${version}: another release`,
  )
}

const REASONS: Readonly<Record<(PeerVerdict & { kind: 'refused' })['reason'], string>> = {
  unsigned: 'expected a signature, came none',
  malformed: `expected a signature of the form ${VERSION}, came another`,
  'unknown-key': 'expected a signature with the secret of this cluster, came one with another',
  forged: 'the signature is not that of this request',
  expired: 'it was signed more than 30 s from now: the clocks differ, or it is old',
  replayed: 'it came before',
}
