/** The players' own scripts, straight from their packages, which are there in a checkout and not where published. */
import { readFile, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Resource } from './resource.ts'
import { makeResource } from './resource.ts'
import type { DemoStream } from './streams.ts'

const SCRIPTS: Readonly<Record<DemoStream['player'], string>> = {
  hls: 'hls.js/dist/hls.min.js',
  // What its package hands to `require` is the modern, minified UMD build of everything.
  dash: 'dashjs',
}

export type PlayerScripts = Readonly<Record<DemoStream['player'], Resource | undefined>>

/** Undefined for a player that is not installed: the page says so in a sentence. */
export async function readPlayerScripts(): Promise<PlayerScripts> {
  const [hls, dash] = await Promise.all([readScript('hls'), readScript('dash')])
  return { hls, dash }
}

async function readScript(player: DemoStream['player']): Promise<Resource | undefined> {
  try {
    const file = createRequire(import.meta.url).resolve(SCRIPTS[player])
    const [bytes, { mtimeMs }] = await Promise.all([readFile(file), stat(file)])
    return makeResource(`${player}.js`, bytes, mtimeMs, 'public, max-age=3600')
  } catch {
    // Not installed and not readable are one thing here: the demo runs, and the page cannot play this kind.
    return undefined
  }
}
