/** A request for a playlist that says which version it is for (LL-HLS): what it asks for, or why nobody can mean it. */
import { LRUCache } from 'lru-cache'
import { RelaisError } from '../errors.ts'
import {
  type BadDirectives,
  type Directives,
  isBadDirectives,
  outOfWindow,
  parseDirectives,
  type Wanted,
  withoutDirectives,
} from '../media/directives.ts'
import { kindOf } from '../media/kind.ts'
import type { Instant, RequestHead } from '../rfc/heads.ts'
import type { CacheKey } from '../store/store.ts'
import { cacheKey } from './key.ts'
import type { PlaylistVersions } from './playlist-versions.ts'
import type { Route } from './routes.ts'

const NONE: Directives = { wanted: undefined, skip: undefined }
/** As many parts as may be waited for at once. */
const MAX_WORDS = 1000
/** A longer target is read each time: with what is made of them a thousand of these take some 3 MB. */
const LONGEST_TARGET = 1024

/** What the target of a reload says. */
interface Words {
  /** The same for siblings as for viewers. */
  readonly home: Route
  readonly plainTarget: string
  readonly plainKey: CacheKey
  readonly directives: Directives | BadDirectives
}

/** All who wait for the same part name it in the same words, which are read once. */
export class ReloadWords {
  readonly #known = new LRUCache<string, Words>({ max: MAX_WORDS })

  of(route: Route, target: string): Words {
    const { home = route } = route
    const before = this.#known.get(target)
    if (before?.home === home) return before
    const plainTarget = withoutDirectives(target)
    const plainKey = cacheKey(route, plainTarget)
    const words = { home, plainTarget, plainKey, directives: parseDirectives(target) }
    if (target.length <= LONGEST_TARGET) this.#known.set(target, words)
    return words
  }
}

export interface Reload {
  readonly route: Route
  /** Without directives. */
  readonly plain: RequestHead
  readonly plainKey: CacheKey
  readonly directives: Directives
  /** Undefined: nothing to wait for is named, or nothing more will come. */
  readonly wanted: Wanted | undefined
}

/** Whether a request has directives: the origin holds a HEAD for as long as a GET. */
export function isReload({ target }: RequestHead): boolean {
  const question = target.indexOf('?')
  return question >= 0 && /[?&]_HLS_(?:msn|part|skip)(?:[=&]|$)/.test(target.slice(question))
}

/** Undefined: not of a playlist. An error: what it asks for no viewer of this playlist can mean. */
export function readReload(
  route: Route,
  { plainTarget, plainKey, directives }: Words,
  request: RequestHead,
  versions: PlaylistVersions,
  now: Instant,
): Reload | RelaisError | undefined {
  const plain = { ...request, target: plainTarget }
  const known = versions.newest(plainKey, plain)
  if (known === undefined && kindOf(request.target) !== 'hls-playlist') return undefined
  // RFC 8216bis section 6.2.5: what has ended has nothing to wait for, and all of it is sent.
  if (known?.facts.live === false) return { route, plain, plainKey, directives: NONE, wanted: undefined }
  if (isBadDirectives(directives)) return refusal(directives.bad)
  const why =
    known === undefined ? undefined : outOfWindow(known.facts, directives.wanted, now - known.readAt)
  if (why !== undefined) return refusal(why)
  // An origin that does not hold requests would be asked again and again.
  const wanted = known?.facts.canBlockReload === false ? undefined : directives.wanted
  return { route, plain, plainKey, directives, wanted }
}

function refusal(details: string): RelaisError {
  return new RelaisError('BAD_DIRECTIVES', { details })
}
