/**
 * The viewers of the benches, in a process of their own: does what the plan says and writes what was seen as JSON.
 *
 *     node bench/viewers.ts PLAN
 */
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { FilmCheck, seeded } from './lib/film.ts'
import type {
  Chunks,
  ChunksSeen,
  Crowd,
  CrowdSeen,
  Idle,
  Plan,
  Read,
  Reads,
  ReadsSeen,
  Scatter,
  ScatterSeen,
  Stall,
  StallSeen,
  Walk,
  WalkSeen,
} from './lib/plans.ts'
import { purging, tasting } from './lib/purging.ts'
import { stroll } from './lib/stroll.ts'
import { Viewer, type Watcher } from './lib/viewer.ts'
import { Check, StampReader } from './lib/watchers.ts'

/** So many connect at once; more would overrun a listening socket's queue. */
const CONNECTING_AT_ONCE = 100

const plan: Plan = JSON.parse(process.argv[2] ?? '')
switch (plan.kind) {
  case 'crowd':
    say(await crowd(plan))
    break
  case 'chunks':
    say(await chunks(plan))
    break
  case 'walk':
    say(await walk(plan))
    break
  case 'stall':
    say(await stall(plan))
    break
  case 'idle':
    await idle(plan)
    say('here')
    break
  case 'reads':
    say(await reads(plan))
    break
  case 'scatter':
    say(await scatter(plan))
    break
  case 'stroll':
    say(await stroll(plan))
    break
  case 'purging':
    say(await purging(plan))
    break
  case 'tasting':
    say(await tasting(plan))
}

function say(seen: unknown): void {
  process.stdout.write(`${JSON.stringify(seen)}\n`)
}

async function crowd({ port, path, bodyBytes, viewers, late }: Crowd): Promise<CrowdSeen> {
  // All are connected beforehand: what is measured is the answer, not the handshake.
  const early = await connected(port, viewers)
  const joining = await connected(port, late.viewers)
  const checks: Check[] = []
  const lateChecks: Check[] = []
  const ends = early.map((viewer) => watched(viewer, path, bodyBytes, checks))
  const startedAt = performance.now()
  for (const [index, viewer] of joining.entries()) {
    await pause(Math.max(0, startedAt + late.afterMs + index * late.everyMs - performance.now()))
    ends.push(watched(viewer, path, bodyBytes, lateChecks))
  }
  await Promise.all(ends)
  leave([...early, ...joining])
  return {
    firstByteMs: checks.map(({ firstByteMs }) => firstByteMs),
    lateFirstByteMs: lateChecks.map(({ firstByteMs }) => firstByteMs),
    wrongBodies: [...checks, ...lateChecks].filter(({ isRight }) => !isRight).length,
  }
}

async function chunks({ port, path, viewers, chunks, chunkBytes }: Chunks): Promise<ChunksSeen> {
  const audience = await connected(port, viewers)
  const delayMs: number[] = []
  await Promise.all(audience.map((viewer) => viewer.watch(path, new StampReader(chunkBytes, delayMs))))
  leave(audience)
  if (delayMs.length !== viewers * chunks)
    throw new Error(`${delayMs.length} chunks came, of ${viewers * chunks}`)
  return { delayMs }
}

async function walk(plan: Walk): Promise<WalkSeen> {
  const { port, path, bodyBytes, paths, numbers, viewers, perSecond = Number.POSITIVE_INFINITY } = plan
  const audience = await connected(port, viewers)
  const startedAt = performance.now()
  let next = 0
  let wrongBodies = 0
  await Promise.all(
    audience.map(async (viewer) => {
      while (next < (numbers?.length ?? paths)) {
        const check = new Check(bodyBytes)
        const at = next++
        const dueAt = startedAt + (at / perSecond) * 1000
        // A timer is due to the millisecond, and then several at once.
        while (performance.now() < dueAt) await turn()
        await viewer.watch(`${path}${numbers?.[at] ?? at}.m4s`, check)
        if (!check.isRight) wrongBodies++
      }
    }),
  )
  leave(audience)
  return { wrongBodies, seconds: (performance.now() - startedAt) / 1000 }
}

async function stall({ port, path, bodyBytes, viewers }: Stall): Promise<StallSeen> {
  const others: Walk = { kind: 'walk', port, path, bodyBytes, paths: 1, viewers: 1 }
  const standing = await connected(port, viewers)
  const ends: Promise<boolean>[] = []
  let wrong = 0
  for (const [nth, viewer] of standing.entries()) {
    wrong += (await walk({ ...others, path: `${path}${nth}-` })).wrongBodies
    viewer.pause()
    const check = new Check(bodyBytes)
    ends.push(
      viewer.watch(`${path}${nth}-0.m4s`, check).then(
        () => check.isRight,
        () => false,
      ),
    )
  }
  wrong += (await walk({ ...others, path: `${path}other-`, paths: viewers })).wrongBodies
  if (wrong > 0) throw new Error(`${wrong} bodies of those who did not stand still were wrong`)
  for (const viewer of standing) viewer.resume()
  const whole = (await Promise.all(ends)).filter((isWhole) => isWhole).length
  leave(standing)
  return { whole, broken: viewers - whole }
}

async function idle({ port, path, viewers }: Idle): Promise<void> {
  const ignore: Watcher = { onBody: () => undefined }
  const audience = await connected(port, viewers)
  for (const viewer of audience) await viewer.watch(path, ignore)
}

async function reads({ port, path, size, reads }: Reads): Promise<ReadsSeen> {
  const startedAt = performance.now()
  let wrongBodies = 0
  let viewer = await Viewer.connect(port)
  for (const read of reads) {
    if (!(await isRead(viewer, path, size, read))) wrongBodies++
    if (read.takeBytes !== undefined) viewer = await Viewer.connect(port)
  }
  viewer.leave()
  return { wrongBodies, seconds: (performance.now() - startedAt) / 1000 }
}

/** Whether the bytes are those that were asked for, as many as were to be taken. */
async function isRead(
  viewer: Viewer,
  path: string,
  size: number,
  { range, takeBytes }: Read,
): Promise<boolean> {
  const [from, to] = (range ?? '0-').split('-')
  const first = from === '' ? size - Number(to) : Number(from)
  const last = from === '' || to === '' ? size - 1 : Number(to)
  const check = new FilmCheck(first)
  if (takeBytes === undefined) {
    await viewer.watch(path, check, range)
    return check.isRight && check.received === last - first + 1
  }
  const until: Watcher = {
    onBody: (bytes, at) => {
      check.onBody(bytes, at)
      if (check.received >= takeBytes) viewer.leave()
    },
  }
  await viewer.watch(path, until, range).catch((error) => {
    if (check.received < takeBytes) throw error
  })
  return check.isRight
}

async function scatter(plan: Scatter): Promise<ScatterSeen> {
  const { port, path, size, ranges, leastBytes, mostBytes, seed, viewers } = plan
  const audience = await connected(port, viewers)
  const random = seeded(seed)
  const startedAt = performance.now()
  let asked = 0
  let wrongBodies = 0
  await Promise.all(
    audience.map(async (viewer) => {
      while (asked++ < ranges) {
        const bytes = leastBytes + Math.floor(random() * (mostBytes - leastBytes + 1))
        const first = Math.floor(random() * (size - bytes + 1))
        const check = new FilmCheck(first)
        await viewer.watch(path, check, `${first}-${first + bytes - 1}`)
        if (!check.isRight || check.received !== bytes) wrongBodies++
      }
    }),
  )
  leave(audience)
  return { wrongBodies, seconds: (performance.now() - startedAt) / 1000 }
}

async function connected(port: number, count: number): Promise<Viewer[]> {
  const viewers: Viewer[] = []
  while (viewers.length < count) {
    const some = Math.min(CONNECTING_AT_ONCE, count - viewers.length)
    viewers.push(...(await Promise.all(Array.from({ length: some }, () => Viewer.connect(port)))))
  }
  return viewers
}

function watched(viewer: Viewer, path: string, bodyBytes: number, checks: Check[]): Promise<void> {
  const check = new Check(bodyBytes)
  checks.push(check)
  return viewer.watch(path, check)
}

function leave(viewers: readonly Viewer[]): void {
  for (const viewer of viewers) viewer.leave()
}
