/** What may stand in when an origin fails, and passing a request as long as nothing has to. */
import { remainingSeconds } from '../rfc/freshness.ts'
import type { RequestHead } from '../rfc/heads.ts'
import type { StoredResponse } from '../store/store.ts'
import type { Answer, PassedAnswer, StoredAnswer } from './answer.ts'
import { mayStandIn } from './decide.ts'
import type { FillContext } from './journey.ts'
import { pass } from './pass.ts'
import type { Route } from './routes.ts'

/** Undefined: nothing may. What is sliced stands in only where all that is wanted of it is stored. */
export function standIn(
  { clock, slices }: FillContext,
  stored: StoredResponse | undefined,
  request: RequestHead,
): StoredAnswer | undefined {
  const now = clock()
  if (stored === undefined || !mayStandIn(stored, now)) return undefined
  if (!slices.areStored(stored, request)) return undefined
  const ttl = remainingSeconds(stored.head.freshness, now)
  return { kind: 'stored', outcome: 'stale', stored, status: { hit: true, ttl, detail: 'stale-if-error' } }
}

/** Passes, unless the origin fails and `fallback` may stand in. */
export async function passOr(
  context: FillContext,
  fallback: StoredResponse | undefined,
  route: Route,
  request: RequestHead,
  signal: AbortSignal,
  collapsed: false | undefined,
): Promise<Answer> {
  let answer: PassedAnswer
  try {
    answer = await pass(context, route, request, signal, 'bypass', collapsed)
  } catch (error) {
    const stale = signal.aborted ? undefined : standIn(context, fallback, request)
    if (stale === undefined) throw error
    return stale
  }
  const stale = answer.response.head.status >= 500 ? standIn(context, fallback, request) : undefined
  if (stale !== undefined) answer.response.cancel()
  return stale ?? answer
}
