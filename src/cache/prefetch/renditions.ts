/** Which rendition a segment is of, what comes after it, and which renditions are being watched. */
import { LRUCache } from 'lru-cache'
import type { ManifestFacts } from '../../media/facts.ts'
import { placeOf } from '../../media/place.ts'
import { type Upcoming, upcomingDash, upcomingListed } from '../../media/upcoming.ts'
import type { Fields, Instant } from '../../rfc/heads.ts'
import type { ByteRange } from '../../rfc/range.ts'
import type { Streams } from '../streams.ts'

const MAX_FOLDERS = 10_000
/** Ladders that lie in one folder have twenty. */
const MAX_IN_FOLDER = 64
const MAX_DEPTH = 6
const MAX_WATCHED = 10_000
/** Renditions of one MPD that are watched at once, and played as far apart as viewers are. */
const MAX_IN_MANIFEST = 32

/** A segment by its address, and by its range where it is a part of a file. */
export interface Segment {
  readonly target: string
  readonly range?: ByteRange | undefined
}

/** A segment that a viewer asked for. */
export interface Watched {
  readonly target: string
  /** What speaks for no single viewer; the same for what is fetched ahead, so that it is the same variant. */
  readonly fields: Fields
  readonly at: Instant
}

/** What comes after a segment. */
export interface Next {
  readonly manifest: string
  readonly facts: ManifestFacts
  readonly upcoming: readonly Upcoming[]
}

export class Renditions {
  readonly #streams: Streams
  /** The manifests whose segments lie in a folder. */
  readonly #byFolder = new LRUCache<string, Set<string>>({ max: MAX_FOLDERS })
  /** The manifest that a name was found in last: playlists are long, and a ladder has many. */
  readonly #lastFound = new LRUCache<string, string>({ max: MAX_FOLDERS })
  /** By manifest, then by what the names of a rendition's segments have in common. */
  readonly #watched = new LRUCache<string, Map<string, Watched>>({ max: MAX_WATCHED })

  constructor(streams: Streams) {
    this.#streams = streams
  }

  /** Takes note of where the segments of a manifest lie. */
  learn(manifest: string, facts: ManifestFacts): void {
    for (const folder of foldersOf(manifest, facts)) {
      const manifests = this.#byFolder.get(folder) ?? new Set()
      this.#byFolder.set(folder, manifests)
      // Those read last stand last, and are not the ones that make way.
      manifests.delete(manifest)
      manifests.add(manifest)
      const [oldest] = manifests
      if (manifests.size > MAX_IN_FOLDER && oldest !== undefined) manifests.delete(oldest)
    }
  }

  /** What all segments have in common that are of one rendition with this one, as far as is known. */
  nameOf(target: string): string {
    const name = withoutNumber(target)
    const manifest = this.#lastFound.get(name)
    if (manifest === undefined) return name
    // No path contains a space.
    return this.#streams.of(manifest)?.facts.role === 'media' ? manifest : `${manifest} ${name}`
  }

  /** The `count` segments after the one that was asked for; undefined: no manifest is known that names it. */
  after(asked: Segment, count: number, now: Instant): Next | undefined {
    const { target } = asked
    const name = withoutNumber(target)
    const known = this.#lastFound.get(name)
    const again = known === undefined ? undefined : this.#nextIn(known, asked, count, now)
    if (again !== undefined && again.upcoming.length > 0) return again
    let folder = folderOf(target)
    let atEdge: Next | undefined
    for (let depth = 0; depth < MAX_DEPTH && folder !== ''; depth++) {
      for (const manifest of this.#byFolder.get(folder) ?? []) {
        const next = this.#nextIn(manifest, asked, count, now)
        if (next !== undefined && next.upcoming.length > 0) {
          this.#lastFound.set(name, manifest)
          return next
        }
        // Its last segment is followed by nothing yet, and by something when the next version comes.
        if (next?.facts.role === 'presentation' && next.facts.live) atEdge ??= next
      }
      folder = folderOf(folder.slice(0, -1))
    }
    return atEdge
  }

  #nextIn(manifest: string, asked: Segment, count: number, now: Instant): Next | undefined {
    const facts = this.#streams.of(manifest)?.facts
    if (facts === undefined) return undefined
    return { manifest, facts, upcoming: following(facts, manifest, asked, count, now) }
  }

  watch(manifest: string, watched: Watched): void {
    const names = this.#watched.get(manifest) ?? new Map<string, Watched>()
    this.#watched.set(manifest, names)
    const name = withoutNumber(watched.target)
    names.delete(name)
    names.set(name, watched)
    const [oldest] = names.keys()
    if (names.size > MAX_IN_MANIFEST && oldest !== undefined) names.delete(oldest)
  }

  /** What was asked for last, of each rendition that was watched since then. */
  watchedSince(manifest: string, since: Instant): readonly Watched[] {
    return [...(this.#watched.get(manifest)?.values() ?? [])].filter(({ at }) => at >= since)
  }
}

function following(
  facts: ManifestFacts,
  manifest: string,
  asked: Segment,
  count: number,
  now: Instant,
): readonly Upcoming[] {
  switch (facts.role) {
    case 'media':
      return upcomingListed(facts, manifest, asked, count)
    case 'presentation':
      return upcomingDash(facts, manifest, asked.target, count, now)
    case 'multivariant':
    case 'patch':
      return []
  }
}

function foldersOf(manifest: string, facts: ManifestFacts): ReadonlySet<string> {
  const folders = new Set<string>()
  const add = (...addresses: readonly string[]): void => {
    const place = placeOf(manifest, ...addresses)
    if (place?.kind === 'here') folders.add(folderOf(place.target))
  }
  if (facts.role === 'media') {
    const last = facts.tail.at(-1)
    if (last !== undefined) add(last.address)
  }
  if (facts.role === 'presentation') {
    for (const { bases, id, template } of facts.representations) {
      // Of the folder only what all segments have in common is known; `after` looks above as well.
      const stem = template?.media.replaceAll('$RepresentationID$', id).split('$', 1)[0]
      if (stem !== undefined) add(...bases, `${stem}-`)
    }
  }
  return folders
}

/** With its slash, without the query; empty when there is none above. */
function folderOf(target: string): string {
  const question = target.indexOf('?')
  return target.slice(0, target.lastIndexOf('/', question < 0 ? undefined : question) + 1)
}

/** Segments of one rendition differ in the last number before the ending. */
function withoutNumber(target: string): string {
  const question = target.indexOf('?')
  const path = question < 0 ? target : target.slice(0, question)
  // A number is looked at from its first digit on alone: paths are as long as viewers like.
  return path.replace(/(?<!\d)\d+(?=[^\d/]*(?:\.[^./]*)?$)/, '#')
}
