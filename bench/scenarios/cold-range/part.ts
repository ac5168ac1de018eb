/** What the parts of the cold-range scenario have in common. */
import { MIB } from '../../lib/film.ts'
import type { Read, Reads, ReadsSeen } from '../../lib/plans.ts'
import type { Bound, Table } from '../../lib/report.ts'
import type { Stage } from '../../lib/stage.ts'
import type { Running } from '../../peers/peer.ts'

export const SLICE_BYTES = 2 * MIB

/** What one of them found. */
export interface Part {
  readonly tables: readonly Table[]
  readonly bounds: readonly Bound[]
}

/** One viewer reads; throws when not every byte was right. */
export async function read(
  stage: Stage,
  { port }: Pick<Running, 'port'>,
  path: string,
  size: number,
  reads: readonly Read[],
): Promise<ReadsSeen> {
  const seen = await stage.watch<Reads, ReadsSeen>({ kind: 'reads', port, path, size, reads })
  if (seen.wrongBodies > 0) throw new Error(`${seen.wrongBodies} answers of ${path} were wrong`)
  return seen
}

/** A path of its own for each who is measured, for the origin counts by path. */
export function filmPath(size: number, { port }: Running, name: string): string {
  return `/film=${size}/${port}-${name}.mp4`
}
