/** What a stored manifest says, read anew: for the rare time when nothing else remembers. */
import { isBad, type ManifestFacts } from '../media/facts.ts'
import { compare } from '../media/progress.ts'
import type { StoredResponse } from '../store/store.ts'
import type { ManifestReader } from './reading/manifest-reader.ts'

/** Whether what came is ahead of what is stored; true where that cannot be read, for then it is no answer for viewers either. */
export async function isBehind(
  manifests: ManifestReader,
  { body }: StoredResponse,
  came: ManifestFacts,
): Promise<boolean> {
  try {
    // A copy, which the reader may keep.
    const bytes = Buffer.concat(body.chunks ?? (await Array.fromAsync(body.read())))
    const kind = came.role === 'presentation' ? 'dash-mpd' : 'hls-playlist'
    const facts = await manifests.facts(kind, bytes)
    return !isBad(facts) && compare(facts, came, 0) === 'newer'
  } catch {
    return true // the store, or the reader, has said why
  }
}
