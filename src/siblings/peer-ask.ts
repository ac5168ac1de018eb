/** A request for an object as one sibling sends it to another. */
import { fieldValue, type RequestHead } from '../rfc/heads.ts'
import type { Held } from '../upstream/source.ts'
import { AUTH_FIELD, type PeerAuth } from './peer-auth.ts'
import { HOP, objectPath, PEER, PURGE_SEQUENCE, RING, ROLE, type Role } from './peer-message.ts'
import { ALGORITHM } from './rendezvous.ts'
import type { Roster } from './roster.ts'

/** What is asked of a sibling, as whom. */
export interface PeerAsk {
  readonly routeId: string
  /** Of the route that viewers asked on. */
  readonly prefix: string
  /** Its target is what follows that prefix. */
  readonly request: RequestHead
  readonly role: Role
  readonly hop: number
  readonly held: Held | undefined
}

/** The request as it is sent: the same, and what siblings tell each other. `purges`: which of them must be in force there. */
export function written(
  { routeId, request, role, hop, held }: PeerAsk,
  roster: Roster,
  auth: PeerAuth,
  purges = '',
): RequestHead {
  const target = objectPath({ routeId, target: request.target, heldMs: held?.headTimeoutMs })
  const control = role === 'probe' ? { 'cache-control': 'only-if-cached' } : {}
  const fields = {
    ...request.fields,
    ...control,
    [PEER]: roster.self.id,
    [HOP]: String(hop),
    [ROLE]: role,
    [RING]: `${ALGORITHM} ${roster.digest()}`,
    ...(purges === '' ? {} : { [PURGE_SEQUENCE]: purges }),
  }
  const signed = auth.sign({
    method: request.method,
    target,
    range: fieldValue(fields, 'range'),
    peer: roster.self.id,
    hop: fields[HOP],
    role,
    cacheControl: fieldValue(fields, 'cache-control'),
  })
  return { method: request.method, target, fields: { ...fields, [AUTH_FIELD]: signed.value } }
}
