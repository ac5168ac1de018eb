/** All that belongs to a stream, as far as its manifests tell: those that are stored here, or were read lately. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isBad, type ManifestFacts } from '../../media/facts.ts'
import type { MediaKind } from '../../media/kind.ts'
import { readManifest } from '../../media/manifest.ts'
import { placeOf } from '../../media/place.ts'
import { plannedDash } from '../../media/plan.ts'
import type { Clock } from '../../rfc/heads.ts'
import type { CacheKey, Store } from '../../store/store.ts'
import { listedTargets } from '../listed-targets.ts'
import type { Streams } from '../streams.ts'

/** Manifests of one stream that are read. */
const MAX_MANIFESTS = 1_000
/** Addresses in all of them. */
const MAX_LISTED = 100_000

export interface ContentsContext {
  readonly store: Store
  readonly streams: Streams
  readonly clock: Clock
  /** Undefined: no route leads there. */
  readonly keyOf: (target: string) => CacheKey | undefined
}

export interface Contents {
  /** The manifests among them, and what they list; each once. */
  readonly targets: readonly string[]
  /** False: there is more of it than is looked through. */
  readonly isComplete: boolean
}

interface Read {
  readonly facts: ManifestFacts | undefined
  /** Of a playlist that is stored. */
  readonly text: string | undefined
}

/** What none of them names is not among it: segments that have left the window of a live stream, other Periods' segments. */
export async function contentsOf(context: ContentsContext, manifest: string): Promise<Contents> {
  const targets = new Set([manifest])
  const manifests = [manifest]
  let isComplete = true
  for (let at = 0; at < manifests.length; at++) {
    const target = manifests[at] ?? manifest
    const { facts, text } = await read(context, target)
    for (const listed of addressesIn(facts, text, target, context.clock())) {
      if (targets.size >= MAX_LISTED) return { targets: [...targets], isComplete: false }
      if (targets.has(listed)) continue
      targets.add(listed)
      if (facts?.role !== 'multivariant') continue
      if (manifests.length < MAX_MANIFESTS) manifests.push(listed)
      else isComplete = false
    }
    await nextTurn()
  }
  return { targets: [...targets], isComplete }
}

async function read({ store, streams, keyOf }: ContentsContext, target: string): Promise<Read> {
  const known = { facts: streams.of(target)?.facts, text: undefined }
  const key = keyOf(target)
  if (key === undefined || !store.has(key)) return known
  const stored = await store.get(key, { method: 'GET', target, fields: {} })
  const kind = stored?.head.kind
  if (stored === undefined || stored.head.status !== 200 || !isKindOfManifest(kind)) return known
  try {
    const bytes = Buffer.concat(stored.body.chunks ?? (await Array.fromAsync(stored.body.read())))
    const facts = readManifest(kind, bytes)
    if (isBad(facts)) return known
    return { facts, text: kind === 'hls-playlist' ? bytes.toString() : undefined }
  } catch {
    return known // the store has counted why
  }
}

function isKindOfManifest(kind: string | undefined): kind is MediaKind {
  return kind === 'hls-playlist' || kind === 'dash-mpd'
}

function* addressesIn(
  facts: ManifestFacts | undefined,
  text: string | undefined,
  manifest: string,
  now: number,
): Generator<string> {
  if (facts !== undefined) yield* listedTargets(facts, manifest, now)
  // Of what is not live all segments have a name, also where the last cannot be told by the clock.
  if (facts?.role === 'presentation')
    for (const one of facts.representations)
      for (const { target } of plannedDash(facts, one, manifest, now)) yield target
  if (facts?.role === 'multivariant')
    for (const { address } of facts.renditions) yield* here(manifest, address)
  for (const line of text?.split(/\r?\n/) ?? []) {
    if (line.startsWith('#'))
      for (const [, uri = ''] of line.matchAll(/URI="([^"]*)"/g)) yield* here(manifest, uri)
    else if (line.trim() !== '') yield* here(manifest, line)
  }
}

function* here(manifest: string, address: string): Generator<string> {
  const place = placeOf(manifest, address)
  if (place?.kind === 'here') yield place.target
}
