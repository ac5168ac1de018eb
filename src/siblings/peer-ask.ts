/** A request for an object as one sibling sends it to another. */
import type { RequestHead } from '../rfc/heads.ts'
import type { Held } from '../upstream/source.ts'
import { AUTH_FIELD, type PeerAuth } from './peer-auth.ts'
import { objectPath, type Role } from './peer-message.ts'
import { writeSaid } from './peer-said.ts'
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
  const { method } = request
  const target = objectPath({ routeId, target: request.target, heldMs: held?.headTimeoutMs })
  const { said, fields, values } = writeSaid(
    {
      ...{ hop, role, algorithm: ALGORITHM, digest: roster.digest(), peer: roster.self.id },
      purges: purges === '' ? undefined : purges,
    },
    request.fields,
  )
  fields[AUTH_FIELD] = auth.seal(said, coveredBy(method, target, values))
  return { method, target, fields }
}

/** All of the message that means something, beside the field that says so. No field of HTTP has a line break in it. */
export function coveredBy(method: string, target: string, values: string): string {
  return `${method} ${target}${values}`
}
