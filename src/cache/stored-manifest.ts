/** What a stored manifest says, read anew: for the rare time when nothing else remembers. */
import { isBad, type ManifestFacts } from '../media/facts.ts'
import type { ManifestKind } from '../media/kind.ts'
import { compare } from '../media/progress.ts'
import type { StoredResponse } from '../store/store.ts'
import { decoded, MAX_MANIFEST_BYTES } from './manifest-body.ts'
import type { ManifestReader } from './reading/manifest-reader.ts'

const KINDS: readonly ManifestKind[] = ['hls-playlist', 'dash-mpd', 'dash-patch']

/** What a manifest says, and the text of a playlist: its facts leave out what is far from its edge. */
export interface ManifestReading {
  readonly facts: ManifestFacts
  readonly text: string | undefined
}

/** Undefined: it is no manifest, it cannot be read, or it is larger than any that is taken. Never rejects. */
export async function factsOf(
  manifests: ManifestReader,
  stored: StoredResponse,
): Promise<ManifestFacts | undefined> {
  try {
    const read = await plainOf(stored)
    const facts = read === undefined ? undefined : await manifests.facts(read.kind, read.bytes)
    return facts === undefined || isBad(facts) ? undefined : facts
  } catch {
    return undefined // the store, or the reader, has said why
  }
}

/** The same with its text. */
export async function storedReading(
  manifests: ManifestReader,
  stored: StoredResponse,
): Promise<ManifestReading | undefined> {
  try {
    const read = await plainOf(stored)
    return read === undefined ? undefined : await readingOf(manifests, read.kind, read.bytes)
  } catch {
    return undefined // as above
  }
}

/** Of bytes without content coding, which may be gone afterwards. Rejects with MANIFEST_UNREAD, or with what is bad about it. */
export async function readingOf(
  manifests: ManifestReader,
  kind: ManifestKind,
  bytes: Uint8Array,
): Promise<ManifestReading> {
  // As long as the bytes are here.
  const text = kind === 'hls-playlist' ? new TextDecoder().decode(bytes) : undefined
  const facts = await manifests.facts(kind, bytes)
  if (isBad(facts)) throw new Error(facts.bad)
  return { facts, text }
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

/** Undefined: it is no manifest, or larger than any that is taken. Rejects where it cannot be read or decoded. */
async function plainOf({
  head,
  body,
}: StoredResponse): Promise<{ readonly kind: ManifestKind; readonly bytes: Uint8Array } | undefined> {
  const kind = manifestKind(head.kind)
  if (kind === undefined || head.status !== 200 || (body.size ?? 0) > MAX_MANIFEST_BYTES) return undefined
  // A copy, which the reader may keep.
  const bytes = Buffer.concat(body.chunks ?? (await Array.fromAsync(body.read())))
  return { kind, bytes: await decoded(head.fields, bytes, MAX_MANIFEST_BYTES) }
}
