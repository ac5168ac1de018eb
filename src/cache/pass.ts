/** A request passed on for one viewer alone, whose answer nobody else gets. */
import type { Forwarded } from '../rfc/cache-status.ts'
import type { RequestHead } from '../rfc/heads.ts'
import type { Held } from '../upstream/source.ts'
import type { PassedAnswer } from './answer.ts'
import { fillKey } from './fill-key.ts'
import type { FillContext } from './journey.ts'
import { cacheKey } from './key.ts'
import { localised } from './localised.ts'
import { unspoilt } from './other-origins.ts'
import type { Route } from './routes.ts'
import { passedOn, urgencyOf } from './upstream-request.ts'

/**
 * `collapsed` is false after waiting for another's flight in vain. Rejects with a RelaisError, or with the signal's reason
 * when the viewer leaves before the head has come.
 */
export async function pass(
  context: FillContext,
  route: Route,
  request: RequestHead,
  signal: AbortSignal,
  fwd: Forwarded,
  collapsed?: false,
  held?: Held,
): Promise<PassedAnswer> {
  const asked = passedOn(route, request, context.node)
  // What may not be stored is nobody's to fill; what is known of it, its owner knows.
  const key = request.method === 'HEAD' ? fillKey(cacheKey(route, request.target)) : undefined
  const manner = { readers: 'one', urgency: urgencyOf(request), held, key } as const
  return await unspoilt(context, route, request.target, signal, async () => {
    const came = await route.source.fetch(asked, signal, manner)
    const response = await localised(context, request, came)
    const status = { hit: false, fwd, fwdStatus: response.head.status, collapsed }
    return { kind: 'passed', outcome: 'pass', response, told: came.head, status } as const
  })
}
