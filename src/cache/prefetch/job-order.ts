/** What an operator wants to have fetched, and which of a manifest's renditions that means. */
import type { DashRepresentation } from '../../media/dash-facts.ts'
import type { HlsRendition } from '../../media/hls-facts.ts'

/** Which renditions; those that do not say of themselves what is asked (audio has no height) are wanted. */
export interface Choice {
  /** Bits a second, both ends inclusive; of those that say none, and of nothing else, all are wanted. */
  readonly minBandwidth?: number
  readonly maxBandwidth?: number
  readonly heights?: readonly number[]
  /** NAME in a playlist, Representation@id in an MPD: these and no others. */
  readonly names?: readonly string[]
}

export type JobOrder =
  | { readonly kind: 'urls'; readonly urls: readonly string[] }
  | {
      readonly kind: 'manifest'
      readonly manifest: string
      readonly renditions: Choice
      /** Of the time since the first segment that is listed. */
      readonly fromMs: number
      readonly toMs: number
    }

export function isChosen(
  { minBandwidth = 0, maxBandwidth = Number.POSITIVE_INFINITY, heights, names }: Choice,
  { bandwidth, height }: Pick<HlsRendition | DashRepresentation, 'bandwidth' | 'height'>,
  name: string | undefined,
): boolean {
  if (names !== undefined && (name === undefined || !names.includes(name))) return false
  if (bandwidth !== undefined && (bandwidth < minBandwidth || bandwidth > maxBandwidth)) return false
  return heights === undefined || height === undefined || heights.includes(height)
}
