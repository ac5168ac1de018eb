/** Whether a head belongs to the bytes that are stored, or to others of the same name. */
import { isSameVariant } from '../rfc/vary.ts'
import type { StoredHead } from './store.ts'

/**
 * A 304 renews the response that was validated and no other (RFC 9111 section 4.3.4):
 *
 *   1. A and B validate version 1.
 *   2. A is answered with version 2, which is stored.
 *   3. B is answered, by an origin that lags, that version 1 is still good.
 *
 * So B's head must not come to A's bytes.
 */
export function isSameResponse(one: StoredHead, other: StoredHead): boolean {
  return (
    one.key === other.key &&
    one.storedAt === other.storedAt &&
    one.fields['etag'] === other.fields['etag'] &&
    isSameVariant(one.variant, other.variant)
  )
}
