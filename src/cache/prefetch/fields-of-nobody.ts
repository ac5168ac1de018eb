/** The fields of a request that nobody has sent: those of a viewer who plays the same, less what speaks for him alone. */
import { omitFields } from '../../rfc/connection.ts'
import type { Fields } from '../../rfc/heads.ts'
import { ABOUT_THE_PLAYER } from '../upstream-request.ts'

/** What speaks for one viewer alone: nothing is asked for on his word that he did not ask for. */
const OF_ONE_VIEWER: ReadonlySet<string> = new Set([
  ...ABOUT_THE_PLAYER,
  'authorization',
  'cookie',
  'range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'cache-control',
  'pragma',
])

export function fieldsOfNobody(fields: Fields): Fields {
  return omitFields(fields, OF_ONE_VIEWER)
}
