/** Asks upstream in a stream that has begun anew, so that no sibling that has not heard of it answers from the run before. */
import { parseCacheControl } from '../rfc/cache-control.ts'
import { freshnessOf } from '../rfc/freshness.ts'
import { fieldValue, type Instant, type RequestHead } from '../rfc/heads.ts'
import type { Manner, UpstreamResponse } from '../upstream/source.ts'
import type { FillContext, Order } from './journey.ts'
import { urgencyOf } from './upstream-request.ts'

const SILENT = { freshMs: 0, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }

/**
 * The answer to a fill that siblings choose by `whose` who has it; of what a new run of a stream lists, one that is not older than that run. As `Source.fetch`.
 *   1. Viewers of all nodes have watched, and the owner of a segment keeps it, for it does not change.
 *   2. The stream begins anew, with the same names. Only nodes that are asked for its playlist hear of it.
 *   3. One of these asks that owner for the segment, which nobody there has told that it is another one now.
 * So the owner is told how old it may be (max-age), and validates it. Who answers with an older one all the same, having
 * been asked only for what it has, is not believed, and the origin is asked from here.
 */
export async function fetchOfRun(
  { guard, clock }: Pick<FillContext, 'guard' | 'clock'>,
  order: Order,
  request: RequestHead,
  whose: string,
  signal: AbortSignal,
): Promise<UpstreamResponse> {
  const { urged, held, hops, ride } = order
  const past = { urgency: urgencyOf(order.request), urged, held }
  const manner: Manner = { ...past, key: whose, onOrigin: hops?.setOut() }
  const { source, home } = order.route
  const told = home === undefined ? undefined : toldBySibling(order.request, clock())
  const since = Math.max(guard.runOf(order.key) ?? 0, told ?? 0)
  // Without siblings each run is heard of before anything of it is asked for.
  if (since === 0 || source.hopsTo === undefined) return source.fetch(request, signal, { ...manner, ride })
  ride?.leave(new Error('it was asked for without that bound'))
  let isOfOrigin = false
  const onOrigin = (): void => {
    isOfOrigin = true
    manner.onOrigin?.()
  }
  const response = await source.fetch(noOlder(request, clock() - since), signal, { ...manner, onOrigin })
  if (isOfOrigin || freshnessOf(response.head, SILENT).bornAt >= since) return response
  response.cancel()
  onOrigin()
  const own = await source.fetch(request, signal, past)
  return response.copy === undefined ? own : { ...own, copy: { isHot: true } }
}

/** Age has whole seconds: what is younger by less than one is validated as well. */
function noOlder(request: RequestHead, ms: number): RequestHead {
  const said = fieldValue(request.fields, 'cache-control')
  const bound = `max-age=${Math.max(0, Math.floor(ms / 1000))}`
  const control = said === undefined ? bound : `${bound}, ${said}`
  return { ...request, fields: { ...request.fields, 'cache-control': control } }
}

function toldBySibling({ fields }: RequestHead, now: Instant): Instant | undefined {
  const { maxAgeSeconds } = parseCacheControl(fieldValue(fields, 'cache-control'))
  return maxAgeSeconds === undefined ? undefined : now - maxAgeSeconds * 1000
}
