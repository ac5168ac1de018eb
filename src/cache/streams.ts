/** What manifests have told: which streams there are, and the timing of the things in them. */
import { LRUCache } from 'lru-cache'
import { type ManifestFacts, type StreamTiming, timingOf } from '../media/facts.ts'
import type { Instant } from '../rfc/heads.ts'

const MAX_STREAMS = 10_000
/** Segments lie in the folder of their manifest or below it, seldom deeper. */
const MAX_DEPTH = 6

/** One manifest that was read. */
export interface Stream {
  /** The manifest's path as viewers ask for it. */
  readonly manifest: string
  readonly facts: ManifestFacts
  /** When this version of it came. */
  readonly readAt: Instant
}

export class Streams {
  readonly #byManifest = new LRUCache<string, Stream>({ max: MAX_STREAMS })
  readonly #timingByFolder = new LRUCache<string, StreamTiming>({ max: MAX_STREAMS })

  /** Takes note of a manifest that came whole. */
  learn(target: string, facts: ManifestFacts, readAt: Instant): void {
    const manifest = pathOf(target)
    this.#byManifest.set(manifest, { manifest, facts, readAt })
    const timing = timingOf(facts)
    if (timing !== undefined) this.#timingByFolder.set(folderOf(manifest), timing)
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
  list(): readonly Stream[] {
    return [...this.#byManifest.values()]
  }
}

function pathOf(target: string): string {
  const question = target.indexOf('?')
  return question < 0 ? target : target.slice(0, question)
}

/** With its slash; empty when there is none above. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}
