/** What manifests have told: which streams there are, and the timing of the things in them. */
import { LRUCache } from 'lru-cache'
import { type ManifestFacts, type StreamTiming, timingOf } from '../media/facts.ts'
import { weightOf } from '../media/weight.ts'
import type { Instant } from '../rfc/heads.ts'
import type { Variant } from '../rfc/vary.ts'
import type { Route } from './routes.ts'

const MAX_STREAMS = 10_000
/** Facts of long playlists are long themselves. */
const MAX_WEIGHT_BYTES = 64 * 1024 * 1024
/** Segments lie in the folder of their manifest or below it, seldom deeper. */
const MAX_DEPTH = 6

/** One manifest that was read. */
export interface Stream {
  /** The manifest's path as viewers ask for it. */
  readonly manifest: string
  readonly facts: ManifestFacts
  /** When this version of it came. */
  readonly readAt: Instant
  /** How often it began anew under the same address since it was first read, counted from 1. */
  readonly generation: number
}

/** A stream, and what is known of its origin. */
export interface KnownStream extends Stream {
  /** When the origin said last that this is its newest version. */
  readonly newestAt: Instant
}

/** How a version of a manifest came to be known. */
export interface Version {
  /** When it came. */
  readonly readAt: Instant
  /** When it was asked for. */
  readonly askedAt: Instant
  /** For whom it is; empty: for all, or for one viewer alone. */
  readonly variant: Variant
  /** It was stored before this process began, and is met now: nothing has come to pass. */
  readonly isRecalled: boolean
}

/** A version of a manifest that has come and is being stored, or that was found in store after a restart. */
export interface News extends Version {
  readonly route: Route
  /** As it was asked for, query included. */
  readonly target: string
  readonly stream: Stream
  /** The version before; undefined: none is known. */
  readonly before: Stream | undefined
}

export class Streams {
  readonly #byManifest = new LRUCache<string, Stream>({
    max: MAX_STREAMS,
    maxSize: MAX_WEIGHT_BYTES,
    sizeCalculation: ({ facts }) => weightOf(facts),
  })
  readonly #timingByFolder = new LRUCache<string, StreamTiming>({ max: MAX_STREAMS })
  /** Of the version in use, where it was validated since it came. */
  readonly #validatedAt = new LRUCache<string, Instant>({ max: MAX_STREAMS })
  /** Of those that began anew. */
  readonly #generations = new LRUCache<string, number>({ max: MAX_STREAMS })
  readonly #listeners: ((news: News) => void)[] = []

  /** `listener` hears of each version that comes or is recalled, before a viewer has it; it must not throw. */
  onNews(listener: (news: News) => void): void {
    this.#listeners.push(listener)
  }

  /** The version that is about to be learned is of another run of the stream. */
  restart(target: string): void {
    const manifest = pathOf(target)
    this.#generations.set(manifest, (this.#generations.get(manifest) ?? 1) + 1)
  }

  /** Takes note of a manifest that came whole, now or before this process began. */
  learn(route: Route, target: string, facts: ManifestFacts, version: Version): void {
    const { readAt, isRecalled } = version
    const manifest = pathOf(target)
    const before = this.#byManifest.get(manifest)
    const stream = { manifest, facts, readAt, generation: this.#generations.get(manifest) ?? 1 }
    // What is found in store under another query says nothing of what has come since.
    if (!isRecalled || before === undefined) this.#note(stream)
    for (const listener of this.#listeners) listener({ ...version, route, target, stream, before })
  }

  /** The origin has nothing newer than what it was asked to validate (304); of what is no manifest nothing is noted. */
  validated(target: string, at: Instant): void {
    const manifest = pathOf(target)
    if (this.#byManifest.has(manifest)) this.#validatedAt.set(manifest, at)
  }

  #note(stream: Stream): void {
    this.#validatedAt.delete(stream.manifest)
    this.#byManifest.set(stream.manifest, stream)
    const timing = timingOf(stream.facts)
    if (timing !== undefined) this.#timingByFolder.set(folderOf(stream.manifest), timing)
  }

  /** The last version of the manifest that this request asks for; undefined: none is known. */
  of(target: string): Stream | undefined {
    return this.#byManifest.get(pathOf(target))
  }

  /** The timing of the stream that this address belongs to, by the nearest manifest above it; undefined: none is known. */
  timingOf(target: string): StreamTiming | undefined {
    let folder = folderOf(pathOf(target))
    for (let depth = 0; depth < MAX_DEPTH && folder !== ''; depth++) {
      const timing = this.#timingByFolder.get(folder)
      if (timing !== undefined) return timing
      folder = folderOf(folder.slice(0, -1))
    }
    return undefined
  }

  /** The most recently read first. */
  list(): readonly KnownStream[] {
    return [...this.#byManifest.values()].map((stream) => ({
      ...stream,
      newestAt: this.#validatedAt.get(stream.manifest) ?? stream.readAt,
    }))
  }
}

/** Of a request target. */
export function pathOf(target: string): string {
  const question = target.indexOf('?')
  return question < 0 ? target : target.slice(0, question)
}

/** With its slash; empty when there is none above. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}
