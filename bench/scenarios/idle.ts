/** Idle: what a viewer costs who has been served and stays connected. */

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import type { Child } from '../lib/ground.ts'
import type { Idle } from '../lib/plans.ts'
import type { Report } from '../lib/report.ts'
import { onStage, program } from '../lib/stage.ts'
import { load } from '../lib/wrk.ts'
import { relais } from '../peers/relais.ts'

const WANTED_VIEWERS = 10_000
const FEWER_VIEWERS = 5_000
/** Files that the processes have open beside their connections. */
const OTHER_FILES = 500
const BYTES = 4096
const PATH = `/size=${BYTES}/idle.m4s`
const MOST_KB = 15

export function idle(): Promise<Report> {
  const viewers = openFilesAllowed() > WANTED_VIEWERS + OTHER_FILES ? WANTED_VIEWERS : FEWER_VIEWERS
  return onStage(async (stage) => {
    // With its own setting named, the launcher need not start Node anew, and the channel stays open.
    const nodeFlags = [
      '--max-semi-space-size=4',
      '--expose-gc',
      '--import',
      program('lib/collect-on-demand.ts'),
    ]
    const { port, child } = await stage.start(relais({ name: 'Relais', nodeFlags, hasChannel: true }))
    await load(port, PATH, BYTES, 2)
    const before = await collected(child)
    const plan: Idle = { kind: 'idle', port, path: PATH, viewers }
    const audience = stage.ground.start(
      'others',
      process.execPath,
      [program('viewers.ts'), JSON.stringify(plan)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const { stdout } = audience.process
    if (stdout === null) throw new Error('its output is a pipe')
    await once(stdout, 'data', { signal: AbortSignal.timeout(60_000) })
    const after = await collected(child)
    const each = (after - before) / viewers / 1024
    return {
      scenario: 'idle',
      how: `${viewers} viewers ask for 4 KB once and stay connected; resident memory before and after, each time after the garbage collection.`,
      tables: [
        {
          title: 'Resident memory',
          columns: ['viewers', 'before, MB', 'after, MB', 'KB each'],
          rows: [[String(viewers), before / 2 ** 20, after / 2 ** 20, each]],
        },
      ],
      bounds: [{ law: 'an idle viewer', measured: each, most: MOST_KB, unit: 'KB' }],
    }
  })
}

/** Resident bytes, after the garbage has gone. */
async function collected(child: Child): Promise<number> {
  const answer = once(child.process, 'message', { signal: AbortSignal.timeout(20_000) })
  child.process.send('collect')
  const [bytes] = await answer
  return Number(bytes)
}

/** Node raises its own limit to the hard one when it starts. */
function openFilesAllowed(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim()
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit)
}
