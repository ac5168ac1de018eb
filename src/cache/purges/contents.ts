/** All that belongs to a stream, as far as its manifests tell: those that are stored here, or were read lately. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ManifestFacts } from '../../media/facts.ts'
import { namedInHls, plannedDash } from '../../media/plan.ts'
import type { CacheKey } from '../../store/store.ts'
import type { CacheContext } from '../journey.ts'
import { here, listedTargets } from '../listed-targets.ts'
import { namedIn } from '../named-documents.ts'
import { type ManifestReading, storedReading } from '../stored-manifest.ts'

/** Manifests of one stream that are read. */
const MAX_MANIFESTS = 1_000
/** Addresses in all of them. */
const MAX_LISTED = 100_000
/** Addresses that are looked at in one turn of the event loop. */
const IN_ONE_TURN = 1_024

export interface ContentsContext extends Pick<CacheContext, 'store' | 'streams' | 'manifests' | 'clock'> {
  /** Undefined: no route leads there. */
  readonly keyOf: (target: string) => CacheKey | undefined
}

export interface Contents {
  /** The manifests among them, and what they list; each once. */
  readonly targets: readonly string[]
  /** False: there is more of it than is looked through. */
  readonly isComplete: boolean
}

/** What a manifest says that is stored, or said when it was read last. */
type Known = ManifestReading | { readonly facts: ManifestFacts | undefined; readonly text: undefined }

/** What none of them names is not among it: segments that have left the window of a live stream, other Periods' segments. */
export async function contentsOf(context: ContentsContext, manifest: string): Promise<Contents> {
  const targets = new Set([manifest])
  const manifests = [manifest]
  let isComplete = true
  let looked = 0
  for (let at = 0; at < manifests.length; at++) {
    const target = manifests[at] ?? manifest
    const reading = await read(context, target)
    for (const listed of addressesIn(reading, target, context.clock())) {
      if (++looked % IN_ONE_TURN === 0) await nextTurn()
      if (targets.size >= MAX_LISTED) return { targets: [...targets], isComplete: false }
      if (targets.has(listed)) continue
      targets.add(listed)
      if (reading.facts?.role !== 'multivariant') continue
      if (manifests.length < MAX_MANIFESTS) manifests.push(listed)
      else isComplete = false
    }
    await nextTurn()
  }
  return { targets: [...targets], isComplete }
}

async function read({ store, streams, manifests, keyOf }: ContentsContext, target: string): Promise<Known> {
  const known = { facts: streams.of(target)?.facts, text: undefined }
  const key = keyOf(target)
  if (key === undefined || !store.has(key)) return known
  const stored = await store.get(key, { method: 'GET', target, fields: {} })
  return (stored === undefined ? undefined : await storedReading(manifests, stored)) ?? known
}

function* addressesIn({ facts, text }: Known, manifest: string, now: number): Generator<string> {
  if (facts !== undefined) {
    yield* listedTargets(facts, manifest, now)
    for (const [, address] of namedIn(facts)) yield* here(manifest, [address])
  }
  // Of what is not live all segments have a name, also where the last cannot be told by the clock.
  if (facts?.role === 'presentation')
    for (const one of facts.representations)
      for (const { target } of plannedDash(facts, one, manifest, now)) yield target
  if (facts?.role === 'multivariant')
    for (const { address } of facts.renditions) yield* here(manifest, [address])
  if (text !== undefined) yield* namedInHls(text, manifest)
}
