/** What a stored manifest says, read anew: for the rare time when nothing else remembers. */
import { isBad, type ManifestFacts } from '../media/facts.ts'
import type { MediaKind } from '../media/kind.ts'
import { readManifest } from '../media/manifest.ts'
import { compare } from '../media/progress.ts'
import type { StoredResponse } from '../store/store.ts'
import { decoded, MAX_MANIFEST_BYTES } from './manifest-body.ts'

const KINDS: readonly MediaKind[] = ['hls-playlist', 'dash-mpd', 'dash-patch']

/** Undefined: it is no manifest, it cannot be read, or it is larger than any that is taken. Never rejects. */
export async function factsOf({ head, body }: StoredResponse): Promise<ManifestFacts | undefined> {
  const kind = manifestKind(head.kind)
  if (kind === undefined || head.status !== 200 || (body.size ?? 0) > MAX_MANIFEST_BYTES) return undefined
  try {
    const bytes = Buffer.concat(body.chunks ?? (await Array.fromAsync(body.read())))
    const facts = readManifest(kind, await decoded(head.fields, bytes))
    return isBad(facts) ? undefined : facts
  } catch {
    return undefined // the store has counted why
  }
}

/** Of a stored head; undefined: it is of something else. */
export function manifestKind(kind: string): MediaKind | undefined {
  return KINDS.find((one) => one === kind)
}

/** Whether what came is ahead of what is stored; true where that cannot be read, for then it is no answer for viewers either. */
export async function isBehind(stored: StoredResponse, came: ManifestFacts): Promise<boolean> {
  const facts = await factsOf(stored)
  return facts === undefined || compare(facts, came, 0) === 'newer'
}
