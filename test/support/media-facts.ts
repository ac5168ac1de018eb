/** Facts of manifests for tests that need some and read none. */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import {
  type DashFacts,
  type HlsMediaFacts,
  type HlsMultivariantFacts,
  isBad,
  type ManifestFacts,
} from '../../src/media/facts.ts'
import type { MediaKind } from '../../src/media/kind.ts'
import { readManifest } from '../../src/media/manifest.ts'

export function mediaFacts(text: string): HlsMediaFacts {
  const facts = factsOf('hls-playlist', text)
  assert.ok(facts.role === 'media', facts.role)
  return facts
}

export function multivariantFacts(text: string): HlsMultivariantFacts {
  const facts = factsOf('hls-playlist', text)
  assert.ok(facts.role === 'multivariant', facts.role)
  return facts
}

export function dashFacts(text: string): DashFacts {
  const facts = factsOf('dash-mpd', text)
  assert.ok(facts.role === 'presentation', facts.role)
  return facts
}

function factsOf(kind: MediaKind, text: string): ManifestFacts {
  const facts = readManifest(kind, new TextEncoder().encode(text))
  assert.ok(!isBad(facts), inspect(facts))
  return facts
}
