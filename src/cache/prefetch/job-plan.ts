/** The addresses that a job is to fetch, found by reading the manifest and the playlists it names. */
import { kindOf } from '../../media/kind.ts'
import { placeOf } from '../../media/place.ts'
import { type Planned, plannedDash, plannedHls } from '../../media/plan.ts'
import type { Clock } from '../../rfc/heads.ts'
import { MAX_MANIFEST_BYTES } from '../manifest-body.ts'
import type { ManifestReader } from '../reading/manifest-reader.ts'
import { type ManifestReading, manifestKind, readingOf } from '../stored-manifest.ts'
import { isChosen, type JobOrder } from './job-order.ts'

/** Of one job. */
export const MAX_WANTED = 50_000

type ManifestOrder = JobOrder & { readonly kind: 'manifest' }

/** What came for a manifest: its bytes, and the kind that its head says. Rejects with why there is none. */
export type ReadManifest = (target: string) => Promise<{ readonly bytes: Uint8Array; readonly kind: string }>

export interface JobPlan {
  readonly targets: readonly string[]
  /** False: there was more than MAX_WANTED. */
  readonly isComplete: boolean
}

export interface Planning {
  readonly manifests: ManifestReader
  readonly clock: Clock
  readonly read: ReadManifest
  /** Hears of playlists that cannot be had. */
  readonly onFailure: (target: string, error: unknown) => void
}

/** Rejects as `read` does where the manifest itself cannot be had. */
export async function planOf(order: ManifestOrder, planning: Planning): Promise<JobPlan> {
  const targets = new Set<string>()
  const { manifest, renditions } = order
  const add = (all: Iterable<Planned>): void => {
    for (const { target, startMs, endMs } of all) {
      if (targets.size > MAX_WANTED) return
      if (startMs < order.toMs && endMs > order.fromMs) targets.add(target)
    }
  }
  const { facts, text = '' } = await readingAt(planning, manifest)
  if (facts.role === 'media') add(plannedHls(text, manifest))
  if (facts.role === 'presentation') {
    for (const one of facts.representations)
      if (isChosen(renditions, one, one.id)) add(plannedDash(facts, one, manifest, planning.clock()))
  }
  if (facts.role === 'multivariant') {
    const playlists = new Set<string>()
    for (const one of facts.renditions) {
      const place = isChosen(renditions, one, one.name) ? placeOf(manifest, one.address) : undefined
      if (place?.kind === 'here') playlists.add(place.target)
    }
    for (const playlist of playlists) {
      try {
        const rendition = await readingAt(planning, playlist)
        if (rendition.facts.role === 'media') add(plannedHls(rendition.text ?? '', playlist))
      } catch (error) {
        planning.onFailure(playlist, error)
      }
    }
  }
  const all = [...targets]
  return { targets: all.slice(0, MAX_WANTED), isComplete: all.length <= MAX_WANTED }
}

async function readingAt({ manifests, read }: Planning, target: string): Promise<ManifestReading> {
  const { bytes, kind } = await read(target)
  if (bytes.byteLength > MAX_MANIFEST_BYTES) throw new Error(`the manifest has ${bytes.byteLength} bytes`)
  const known = manifestKind(kind) ?? manifestKind(kindOf(target))
  if (known === undefined) throw new Error(`expected a manifest, came ${kind}`)
  return readingOf(manifests, known, bytes)
}
