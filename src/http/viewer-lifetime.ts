/** How long a browser may keep a live manifest: never longer than we do, for else its player sees the stream stand still. */
import { parseCacheControl } from '../rfc/cache-control.ts'
import { ageSeconds, type Freshness, remainingSeconds } from '../rfc/freshness.ts'
import { type Fields, fieldValue, type Instant } from '../rfc/heads.ts'

/**
 * The fields of a live manifest, with a max-age that ends when our own freshness does; where the origin's ends earlier,
 * or it wants none stored or each validated, they are as they came. Age is sent as well, and counts.
 */
export function forBrowsers(fields: Fields, freshness: Freshness, now: Instant): Fields {
  const value = fieldValue(fields, 'cache-control')
  const { noStore, noCache, maxAgeSeconds } = parseCacheControl(value)
  if (noStore || noCache === true) return fields
  const seconds = ageSeconds(freshness, now) + Math.max(0, remainingSeconds(freshness, now))
  if (maxAgeSeconds !== undefined && maxAgeSeconds <= seconds) return fields
  const others = (value ?? '').split(',').map((directive) => directive.trim())
  const kept = others.filter((directive) => directive !== '' && !/^max-age\s*(?:=|$)/i.test(directive))
  // Expires would say the same to those who do not know max-age.
  const { expires: _, ...rest } = fields
  return { ...rest, 'cache-control': [`max-age=${seconds}`, ...kept].join(', ') }
}
