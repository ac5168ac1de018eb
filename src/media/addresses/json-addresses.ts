/** Leads the addresses in steering manifests and asset lists to us, and leaves every other byte of them as it is. */
import type { BadManifest } from '../facts.ts'
import { whatCame } from '../what-came.ts'
import { type JsonString, jsonStrings } from './json-strings.ts'
import type { Place } from './place.ts'
import { Splices } from './splices.ts'

/**
 * A content steering manifest (draft-pantos-content-steering-05 section 5): RELOAD-URI, and in clones the addresses of
 * variants and renditions, which players take for absolute, so that they stay as they are while publicUrl is unknown.
 * HOST becomes ours where an address with our host in it would lead to the same: players exchange the host and nothing
 * else, and what they hold of a pathway may be our addresses or its own. Every other HOST stays.
 *
 * The very same string when nothing changes. Never throws; bad when it is no JSON object.
 */
export function rewriteSteering(text: string, place: Place): string | BadManifest {
  const { publicUrl } = place.book
  return rewriteJson(text, 'a steering manifest', ({ path, value }) => {
    const [first, index, replacement, name, ...more] = path
    if (path.length === 1 && first === 'RELOAD-URI') return place.localise(value)
    if (first !== 'PATHWAY-CLONES' || index !== '' || replacement !== 'URI-REPLACEMENT') return undefined
    if (publicUrl === undefined) return undefined
    if (name === 'HOST' && more.length === 0) {
      return place.book.isInterchangeable(value) ? new URL(publicUrl).hostname : undefined
    }
    if (name !== 'PER-VARIANT-URIS' && name !== 'PER-RENDITION-URIS') return undefined
    return more.length === 1 ? place.localise(value, 'absolute') : undefined
  })
}

/**
 * The list behind X-ASSET-LIST (draft-pantos-hls-rfc8216bis appendix D.2), whose addresses have to be absolute: without
 * publicUrl they become root-relative. The very same string when nothing changes. Never throws; bad when it is no JSON
 * object.
 */
export function rewriteAssetList(text: string, place: Place): string | BadManifest {
  return rewriteJson(text, 'an asset list', ({ path, value }) => {
    const [first, index, name] = path
    const isAddress = path.length === 3 && first === 'ASSETS' && index === '' && name === 'URI'
    return isAddress ? place.localise(value, 'absolute') : undefined
  })
}

function rewriteJson(
  text: string,
  what: string,
  localise: (string: JsonString) => string | undefined,
): string | BadManifest {
  const json = text.replace(/^\ufeff/, '')
  const came = whatCameInstead(json)
  if (came !== undefined) return { bad: `expected ${what}, a JSON object, came ${came}` }
  const splices = new Splices()
  const offset = text.length - json.length
  for (const string of jsonStrings(json)) {
    const localised = localise(string)
    if (localised !== undefined && localised !== string.value) {
      splices.add(string.start + offset, string.end + offset, JSON.stringify(localised))
    }
  }
  return splices.apply(text)
}

/** Undefined: it is an object. */
function whatCameInstead(json: string): string | undefined {
  if (!json.trimStart().startsWith('{')) return whatCame(json)
  try {
    JSON.parse(json)
    return undefined
  } catch (error) {
    return `JSON with an error: ${error instanceof Error ? error.message : String(error)}`
  }
}
