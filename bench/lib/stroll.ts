/** Viewers who ask several nodes for things drawn at random, at a pace of all together or as fast as they are answered. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Stroll, StrollSeen } from './plans.ts'
import { Viewer, type Watcher } from './viewer.ts'

const IGNORE: Watcher = { onBody: () => undefined }
/** One of so many requests is timed. */
const TIMED = 16

export async function stroll(plan: Stroll): Promise<StrollSeen> {
  const { ports, path, paths, viewers, perSecond, seconds } = plan
  const audience = await Promise.all(
    ports.flatMap((port) => Array.from({ length: viewers }, () => Viewer.connect(port))),
  )
  const ms: number[] = []
  const startedAt = performance.now()
  const endsAt = startedAt + seconds * 1000
  let requests = 0
  let failures = 0
  const walk = async (viewer: Viewer): Promise<void> => {
    for (;;) {
      // Each request has its place on the time line, whoever makes it: who is late is not waited for.
      const dueAt = perSecond === undefined ? 0 : startedAt + (requests * 1000) / perSecond
      const askedAt = performance.now()
      if (Math.max(askedAt, dueAt) >= endsAt) return
      const nth = requests++
      if (dueAt > askedAt) await pause(dueAt - askedAt)
      const sentAt = performance.now()
      await viewer.watch(`${path}${Math.floor(Math.random() * paths)}.m4s`, IGNORE)
      if (nth % TIMED === 0) ms.push(performance.now() - sentAt)
    }
  }
  await Promise.all(
    audience.map((viewer) =>
      walk(viewer).catch(() => {
        failures++
      }),
    ),
  )
  for (const viewer of audience) viewer.leave()
  return { requests, failures, ms }
}
