/** Cold ranges: what the origin is asked for when viewers want parts of large bodies, and what is not asked for again. */
import type { Report } from '../lib/report.ts'
import { onStage } from '../lib/stage.ts'
import type { Part } from './cold-range/part.ts'
import { scattered } from './cold-range/scattered.ts'
import { shortRanges } from './cold-range/short-ranges.ts'
import { streaming } from './cold-range/streaming.ts'
import { watching } from './cold-range/watching.ts'

export async function coldRange(also: readonly string[]): Promise<Report> {
  const parts: Part[] = []
  for (const part of [shortRanges, watching, scattered, streaming]) {
    parts.push(await onStage((stage) => part(stage, also)))
  }
  return {
    scenario: 'cold-range',
    how:
      'Films whose bytes follow from their position, so that every byte is compared. The origin counts the bytes of the ranges that it is asked for, ' +
      'and the bytes that it hands to the connection; both are shown where they differ. All of Relais is as it comes: slices of 2 MB.',
    tables: parts.flatMap(({ tables }) => tables),
    bounds: parts.flatMap(({ bounds }) => bounds),
  }
}
