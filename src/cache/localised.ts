/** What leads elsewhere in an answer is led to us: where a redirect goes, and the addresses in one viewer's own manifest. */
import { Place } from '../media/addresses/place.ts'
import { documentOf, kindOf } from '../media/kind.ts'
import { omitFields } from '../rfc/connection.ts'
import { fieldValue, type RequestHead } from '../rfc/heads.ts'
import type { UpstreamResponse } from '../upstream/source.ts'
import type { FillContext } from './journey.ts'
import { collect, OF_THE_BYTES } from './manifest-body.ts'

/** The Location of a redirect, where that is an address of ours; `target` is what the viewer asked us for. */
export function relocated(
  { addresses }: Pick<FillContext, 'addresses'>,
  response: UpstreamResponse,
  target: string,
): UpstreamResponse {
  const { head } = response
  const { location } = head.fields
  if (typeof location !== 'string') return response
  const ours = Place.of(addresses, response.url, target).localise(location)
  return ours === undefined
    ? response
    : { ...response, head: { ...head, fields: { ...head.fields, location: ours } } }
}

/**
 * An answer for one viewer. A manifest is known by its address and type alone, and taken whole; rejects as `collect`
 * does.
 */
export async function localised(
  context: Pick<FillContext, 'addresses' | 'manifests' | 'named'>,
  request: RequestHead,
  came: UpstreamResponse,
): Promise<UpstreamResponse> {
  const { target, method } = request
  const response = relocated(context, came, target)
  const { status, fields } = response.head
  const type = fieldValue(fields, 'content-type')
  const kind = documentOf(kindOf(target, type), type, context.named.of(target))
  if (status !== 200 || kind === undefined) return response
  // A GET will tell what they are.
  if (method === 'HEAD')
    return { ...response, head: { ...response.head, fields: omitFields(fields, OF_THE_BYTES) } }
  return (await collect(context.manifests, response, kind, target)).response
}
