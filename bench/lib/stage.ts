/** A scenario's cast: an origin and the peers in front of it, all started, and all gone when the play is over. */
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Peer, Running } from '../peers/peer.ts'
import type { FilmAsked } from './film-service.ts'
import { freePort, Ground, listening, output } from './ground.ts'

const VIEWERS_TIMEOUT_MS = 300_000
const QUIET_TIMEOUT_MS = 30_000

export interface Stage {
  readonly ground: Ground
  readonly originPort: number
  start(peer: Peer): Promise<Running>
  /** How often the origin was asked for a path since it began. */
  asked(path: string): Promise<number>
  /** What the origin was asked for of a film, when all that was asked for has been sent or given up. */
  filmAsked(path: string): Promise<FilmAsked>
  /** Runs viewers.ts with a plan and answers what they saw. */
  watch<Plan, Seen>(plan: Plan): Promise<Seen>
}

export async function onStage<Result>(play: (stage: Stage) => Promise<Result>): Promise<Result> {
  const ground = await Ground.open()
  const close = (): void => void ground.close().finally(() => process.exit(1))
  process.once('SIGINT', close)
  process.once('SIGTERM', close)
  try {
    const originPort = await freePort()
    const origin = ground.start('others', process.execPath, [program('origin.ts'), String(originPort)])
    await listening(originPort, origin)
    return await play({
      ground,
      originPort,
      start: (peer) => peer.start(ground, originPort),
      asked: async (path) =>
        Number(await (await fetch(`http://127.0.0.1:${originPort}/asked${path}`)).text()),
      filmAsked: (path) => quiet(`http://127.0.0.1:${originPort}/film-asked${path}`),
      watch: async (plan) => {
        const args = [program('viewers.ts'), JSON.stringify(plan)]
        return JSON.parse(await output('others', process.execPath, args, VIEWERS_TIMEOUT_MS))
      },
    })
  } finally {
    process.off('SIGINT', close)
    process.off('SIGTERM', close)
    await ground.close()
  }
}

async function quiet(url: string): Promise<FilmAsked> {
  const deadline = performance.now() + QUIET_TIMEOUT_MS
  let before = ''
  for (;;) {
    const text = await (await fetch(url)).text()
    const asked: FilmAsked = JSON.parse(text)
    // Twice the same: between one slice and the next an origin has nothing to send either.
    if (asked.running === 0 && text === before) return asked
    if (performance.now() > deadline) throw new Error(`the origin still sends after a while: ${url}`)
    before = text
    await pause(50)
  }
}

export function program(name: string): string {
  return join(import.meta.dirname, '..', name)
}
