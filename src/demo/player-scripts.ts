/** The players' own scripts, straight from their packages, which are there in a checkout and not where published. */
import { readFile, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Resource } from './resource.ts'
import { makeResource } from './resource.ts'

/** Shaka plays both kinds; the other two each play the one they are named after. */
export type PlayerName = 'hls' | 'dash' | 'shaka'

const SCRIPTS: Readonly<Record<PlayerName, string>> = {
  hls: 'hls.js/dist/hls.min.js',
  // What its package hands to `require` is the modern, minified UMD build of everything.
  dash: 'dashjs',
  // Its package hands out one build for all kinds, minified, as UMD.
  shaka: 'shaka-player',
}

export type PlayerScripts = Readonly<Record<PlayerName, Resource | undefined>>

/** Undefined for a player that is not installed: the page says so in a sentence. */
export async function readPlayerScripts(): Promise<PlayerScripts> {
  const [hls, dash, shaka] = await Promise.all([readScript('hls'), readScript('dash'), readScript('shaka')])
  return { hls, dash, shaka }
}

async function readScript(player: PlayerName): Promise<Resource | undefined> {
  try {
    const file = createRequire(import.meta.url).resolve(SCRIPTS[player])
    const [bytes, { mtimeMs }] = await Promise.all([readFile(file), stat(file)])
    return makeResource(`${player}.js`, bytes, mtimeMs, 'public, max-age=3600')
  } catch {
    // Not installed and not readable are one thing here: the demo runs, and the page cannot play this kind.
    return undefined
  }
}
