/** For whom things are fetched ahead: what all of them have turned away from is for nobody. */
import { sidOf } from '../../media/cmcd.ts'
import { fieldValue, type RequestHead } from '../../rfc/heads.ts'
import type { CacheKey } from '../../store/store.ts'
import { pathOf } from '../streams.ts'

/** A session of CMCD by its name, or a connection. */
export type Viewer = string | object

/** Of so many some will come to it: no more is kept of them. */
const MANY = 64
/** What proxies before us add. */
const OF_PROXIES = ['via', 'forwarded', 'x-forwarded-for'] as const

/** One viewer at one rendition, and what comes next for him: each thing with the place that it comes after. */
interface Follower {
  readonly viewer: Viewer
  readonly rendition: string
  readonly ahead: Map<CacheKey, string>
}

/** A session of CMCD; without, a connection. Undefined: nobody can tell, for the connection is of a proxy, and of many. */
export function viewerOf({ target, fields, connection }: RequestHead): Viewer | undefined {
  return (
    sidOf(target, fields) ?? (OF_PROXIES.some((name) => fields[name] !== undefined) ? undefined : connection)
  )
}

/** What tells one place of a rendition from another. */
export function placeWithin({ target, fields }: RequestHead): string {
  const range = fieldValue(fields, 'range')
  return range === undefined ? pathOf(target) : `${pathOf(target)} ${range}`
}

/** Knows of what is under way alone, so that it holds no more than that comes to. */
export class Followers {
  readonly #byViewer = new Map<Viewer, Map<string, Follower>>()
  readonly #byKey = new Map<CacheKey, Set<Follower> | 'many'>()

  /** It is for all who watch, whoever turns away. */
  forMany(key: CacheKey): void {
    for (const follower of this.#of(key)) this.#drop(follower, key)
    this.#byKey.set(key, 'many')
  }

  /** What comes next for a viewer who is at `place` of a rendition, beside what is known of that. */
  add(viewer: Viewer, rendition: string, place: string, keys: readonly CacheKey[]): void {
    for (const key of keys) {
      const followers = this.#byKey.get(key) ?? new Set<Follower>()
      if (followers === 'many') continue
      const follower = this.#follower(viewer, rendition)
      followers.add(follower)
      follower.ahead.set(key, place)
      this.#byKey.set(key, followers)
      if (followers.size >= MANY) this.forMany(key)
    }
  }

  /** The same, in place of what came after other places. Answers what nobody comes to any more. */
  follow(viewer: Viewer, rendition: string, place: string, keys: readonly CacheKey[]): readonly CacheKey[] {
    this.add(viewer, rendition, place, keys)
    const follower = this.#byViewer.get(viewer)?.get(rendition)
    const left: CacheKey[] = []
    for (const [key, after] of follower?.ahead ?? []) {
      if (follower === undefined || after === place) continue
      this.#drop(follower, key)
      const others = this.#byKey.get(key)
      if (others === 'many' || others === undefined) continue
      others.delete(follower)
      if (others.size > 0) continue
      this.#byKey.delete(key)
      left.push(key)
    }
    return left
  }

  /** It has come, or will not. */
  done(key: CacheKey): void {
    for (const follower of this.#of(key)) this.#drop(follower, key)
    this.#byKey.delete(key)
  }

  #of(key: CacheKey): Iterable<Follower> {
    const followers = this.#byKey.get(key)
    return followers === undefined || followers === 'many' ? [] : followers
  }

  #follower(viewer: Viewer, rendition: string): Follower {
    const renditions = this.#byViewer.get(viewer) ?? new Map<string, Follower>()
    const follower = renditions.get(rendition) ?? { viewer, rendition, ahead: new Map() }
    this.#byViewer.set(viewer, renditions.set(rendition, follower))
    return follower
  }

  #drop({ viewer, rendition, ahead }: Follower, key: CacheKey): void {
    ahead.delete(key)
    if (ahead.size > 0) return
    const renditions = this.#byViewer.get(viewer)
    renditions?.delete(rendition)
    if (renditions?.size === 0) this.#byViewer.delete(viewer)
  }
}
