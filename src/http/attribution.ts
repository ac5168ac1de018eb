/** An answer that begins, told to those who know what is watched. */
import type { ServerResponse } from 'node:http'
import type { Audience } from '../cache/audience/audience.ts'
import type { Spot } from '../cache/audience/spot.ts'
import type { Answer, Outcome } from '../cache/cache.ts'
import type { Instant, RequestHead } from '../rfc/heads.ts'

/** Of what went wrong, or whose viewer left before there was an answer, only the outcome is known. */
export type Attributed = Answer | { readonly kind?: undefined; readonly outcome: Outcome }

/** Where in a stream the answer belongs; its bytes are counted there when they have left. */
export function attributed(
  audience: Audience,
  { socket }: ServerResponse,
  request: RequestHead,
  answer: Attributed,
  now: Instant,
): Spot {
  const { outcome } = answer
  const fwd = answer.kind === undefined ? undefined : answer.status.fwd
  const head = answer.kind === 'stored' ? answer.stored.head : undefined
  return audience.answered(socket, request, { outcome, fwd, head }, now)
}
