/** How much memory the facts of a manifest take, for those who keep many. */
import type { ManifestFacts } from './facts.ts'

/** An object of a handful of fields, as V8 lays it out; strings are counted beside it. */
const OBJECT = 160
const RUN = 200

/** Bytes, roughly and rather too many; at least a few hundred. */
export function weightOf(facts: ManifestFacts): number {
  switch (facts.role) {
    case 'multivariant':
      return facts.renditions.reduce((sum, one) => sum + OBJECT + 2 * one.address.length, OBJECT)
    case 'media': {
      const parts = [...facts.openParts, ...facts.tail.flatMap((segment) => segment.parts)]
      const pieces = [...parts, ...facts.tail, ...facts.hints, ...facts.reports]
      return pieces.reduce(
        (sum, { address }) => sum + OBJECT + 2 * address.length,
        4 * OBJECT + 2 * facts.listing.lines.length + 2 * facts.assetLists.join('').length,
      )
    }
    case 'presentation': {
      const timelines = new Set(facts.representations.map(({ template }) => template?.timeline?.runs ?? []))
      const runs = [...timelines].reduce((sum, one) => sum + one.length, 0)
      return (
        4 * OBJECT + facts.periods.length * OBJECT + facts.representations.length * 4 * OBJECT + runs * RUN
      )
    }
    case 'patch':
      return OBJECT
  }
}
