/** What a stored manifest says, read anew: for the rare time when nothing else remembers. */
import { isBad, type ManifestFacts } from '../media/facts.ts'
import { readManifest } from '../media/manifest.ts'
import { compare } from '../media/progress.ts'
import type { StoredResponse } from '../store/store.ts'

/** Whether what came is ahead of what is stored; true where that cannot be read, for then it is no answer for viewers either. */
export async function isBehind({ body }: StoredResponse, came: ManifestFacts): Promise<boolean> {
  try {
    const bytes = Buffer.concat(body.chunks ?? (await Array.fromAsync(body.read())))
    const facts = readManifest(came.role === 'presentation' ? 'dash-mpd' : 'hls-playlist', bytes)
    return !isBad(facts) && compare(facts, came, 0) === 'newer'
  } catch {
    return true // the store has counted why
  }
}
