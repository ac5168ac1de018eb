/** The waiting of a cluster: a beat about once a second, and bounds. */

/** Each node speaks once a second, and not all of them at once. */
const BEAT_MS = 1_000
const SPREAD = 0.4

/** Calls `work` each 0.8 to 1.2 s until what it returns is called. It keeps no process alive. */
export function everySecond(work: () => void): () => void {
  let timer: NodeJS.Timeout | undefined
  const next = (): void => {
    const ms = BEAT_MS * (1 - SPREAD / 2 + SPREAD * Math.random())
    timer = setTimeout(() => {
      next()
      work()
    }, ms)
    timer.unref()
  }
  next()
  return () => clearTimeout(timer)
}

/** Resolves when that is done, however it ends, or after so long. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  work.then(
    () => resolve(),
    () => resolve(),
  )
  await promise
  clearTimeout(timer)
}
