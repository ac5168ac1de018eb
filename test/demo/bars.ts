/** The fixture title as the demo origin holds it, for tests of the parts. */
import { readFixtureFiles, titleOf } from '../../src/demo/fixture-files.ts'
import type { LiveSource } from '../../src/demo/live-streams.ts'

export async function readBars(): Promise<LiveSource> {
  const files = await readFixtureFiles(new URL('../../fixtures/', import.meta.url), '/vod/')
  const folder = '/vod/bars/'
  return { files, folder, ...titleOf(files, `${folder}title.json`) }
}

/** Lines that are neither tag nor comment: the addresses of an HLS playlist. */
export function addressesOf(playlist: string): string[] {
  return playlist.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

/** The integer after a tag of an HLS playlist; NaN without the tag. */
export function tagValue(playlist: string, tag: string): number {
  return Number(new RegExp(`^#${tag}:(\\d+)`, 'm').exec(playlist)?.[1] ?? Number.NaN)
}
