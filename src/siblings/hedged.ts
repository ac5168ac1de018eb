/** Asking a second sibling for what the first is slow to answer, and taking what comes first. */
import type { PeerAnswer } from './peer-answer.ts'

/**
 * `probe` asks the second one for what it has at once; undefined: not now. It is called only when the first has not
 * answered for longer than is usual of it, which is over in `patienceMs`. Rejects as the first does. Who comes second has come in vain.
 */
export async function hedged(
  patienceMs: number,
  first: Promise<PeerAnswer>,
  probe: () => Promise<PeerAnswer> | undefined,
): Promise<PeerAnswer> {
  const slow = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => slow.resolve(undefined), Math.max(0, patienceMs))
  const come = await Promise.race([first, slow.promise]).finally(() => clearTimeout(timer))
  if (come !== undefined) return come
  const found = probe()?.then(
    (answer) => (answer.kind === 'object' ? answer : undefined),
    () => undefined, // what it has not, the first may still bring
  )
  if (found === undefined) return first
  try {
    const winner = await Promise.race([
      first.then((answer) => ({ answer, other: found })),
      found.then(async (answer) =>
        answer === undefined ? { answer: await first, other: undefined } : { answer, other: first },
      ),
    ])
    winner.other?.then(discard, ignoreFailure)
    return winner.answer
  } catch (error) {
    found.then(discard, ignoreFailure)
    throw error
  }
}

function discard(answer: PeerAnswer | undefined): void {
  if (answer?.kind === 'object') answer.response.cancel()
}

/** Whoever is not waited for any more may fail: it is counted where it was asked. */
const ignoreFailure = (): undefined => undefined
