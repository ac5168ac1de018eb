/** Which rendition of an MPD an address belongs to, by the templates and files that the MPD names. */
import type { DashRepresentation } from '../../media/dash-facts.ts'
import { expand } from '../../media/dash-segments.ts'
import type { DashFacts } from '../../media/facts.ts'
import { placeOf } from '../../media/place.ts'

/** Real ladders have twenty; of a longer one the rest is not told apart. */
const MAX_TOLD_APART = 64
const VARYING = /\$(?:Number|Time|SubNumber)(?:%(?:25)?0\d{1,2}d)?\$/

interface Pattern {
  readonly id: string
  readonly before: string
  readonly after: string
}

export class Renditions {
  readonly #patterns: readonly Pattern[]

  constructor(manifest: string, { representations }: DashFacts) {
    this.#patterns = representations
      .slice(0, MAX_TOLD_APART)
      .flatMap((representation) => patternsOf(manifest, representation))
  }

  /** The id of the representation; undefined: of none, or of more than one. */
  of(target: string): string | undefined {
    let found: string | undefined
    for (const { id, before, after } of this.#patterns) {
      if (id === found || !target.startsWith(before) || !target.endsWith(after)) continue
      if (found !== undefined) return undefined
      found = id
    }
    return found
  }
}

function patternsOf(manifest: string, representation: DashRepresentation): Pattern[] {
  const { id, bases, template } = representation
  const names =
    template === undefined ? [undefined] : [template.media, template.initialization ?? template.media]
  return names.flatMap((name) => {
    const addresses = name === undefined ? bases : [...bases, expand(name, representation)]
    // Where it names no file of its own, nothing tells it from the others.
    if (addresses.length === 0) return []
    const place = placeOf(manifest, ...addresses)
    if (place?.kind !== 'here') return []
    const [before = '', ...rest] = place.target.split(VARYING)
    return [{ id, before, after: rest.at(-1) ?? '' }]
  })
}
