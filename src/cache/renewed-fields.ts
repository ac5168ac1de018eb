/** The fields of a stored response as they are after the origin spoke of it anew: what is ours of them stays ours. */
import type { Fields, ReceivedHead } from '../rfc/heads.ts'
import type { CookiePolicy } from '../rfc/storability.ts'
import type { StoredHead, StoredResponse } from '../store/store.ts'
import { isCoded, withVary } from './codings.ts'
import { toStore } from './stored-head.ts'

/** The stored fields with the validators that the origin knows, where those of the body are ours. */
export function theirs({ fields, validators }: StoredHead): Fields {
  return validators === undefined ? fields : { ...fields, ...validators }
}

/** `told` is the stored head with the origin's news. */
export function renewedFields(
  { head, body }: StoredResponse,
  told: ReceivedHead,
  cookies: CookiePolicy,
): Fields {
  const fields = { ...toStore(told, cookies), ...ours(head) }
  // The origin's own Vary knows nothing of the codings made here.
  return isCoded(head.kind, fields, body.size) ? withVary(fields) : fields
}

/** The validators of a body that was changed here, which no 304 speaks of. */
function ours({ fields, validators }: StoredHead): Fields {
  return validators === undefined ? {} : { etag: fields['etag'] }
}
