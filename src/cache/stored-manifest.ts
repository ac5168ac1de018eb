/** What a stored manifest says, read anew: for the rare time when nothing else remembers. */
import { isBad, type ManifestFacts } from '../media/facts.ts'
import type { ManifestKind } from '../media/kind.ts'
import { compare } from '../media/progress.ts'
import type { StoredResponse } from '../store/store.ts'
import { decoded, MAX_MANIFEST_BYTES } from './manifest-body.ts'
import type { ManifestReader } from './reading/manifest-reader.ts'

const KINDS: readonly ManifestKind[] = ['hls-playlist', 'dash-mpd', 'dash-patch']

/** Undefined: it is no manifest, it cannot be read, or it is larger than any that is taken. Never rejects. */
export async function factsOf(
  manifests: ManifestReader,
  { head, body }: StoredResponse,
): Promise<ManifestFacts | undefined> {
  const kind = manifestKind(head.kind)
  if (kind === undefined || head.status !== 200 || (body.size ?? 0) > MAX_MANIFEST_BYTES) return undefined
  try {
    // A copy, which the reader may keep.
    const bytes = Buffer.concat(body.chunks ?? (await Array.fromAsync(body.read())))
    const facts = await manifests.facts(kind, await decoded(head.fields, bytes, MAX_MANIFEST_BYTES))
    return isBad(facts) ? undefined : facts
  } catch {
    return undefined // the store, or the reader, has said why
  }
}

/** Of a stored head; undefined: it is of something else. */
export function manifestKind(kind: string): ManifestKind | undefined {
  return KINDS.find((one) => one === kind)
}

/** Whether what came is ahead of what is stored; true where that cannot be read, for then it is no answer for viewers either. */
export async function isBehind(
  manifests: ManifestReader,
  stored: StoredResponse,
  came: ManifestFacts,
): Promise<boolean> {
  const facts = await factsOf(manifests, stored)
  return facts === undefined || compare(facts, came, 0) === 'newer'
}
