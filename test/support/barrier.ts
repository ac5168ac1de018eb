/** Where the parts of a test meet, in place of sleeping. */

/** Opened once, by whoever decides that the others may go on. */
export interface Barrier {
  readonly opened: Promise<void>
  open(): void
}

export function barrier(): Barrier {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

/** Looks again, between turns of the event loop, until `condition` holds; rejects after `timeoutMs`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`did not come about within ${timeoutMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
