/**
 * Which purges one who is asked must have in force, so that nothing of before comes from a sibling that has not heard of
 * them yet and is kept by one that has.
 *
 * Schedule that must not bring back what was purged:
 *   1. A purge is in force at A, which asks B for what it covered.
 *   2. B has not heard of it, and has the old bytes in store.
 *   3. A stores them under a mark that is higher than that of the purge.
 * So A says in 1 what B has not told it that it knows, which is nothing but for a moment after each purge, and B waits for
 * that a little, or says that it is behind. Then A asks on, and at last the origin.
 */
import type { PurgeBook } from './purge-book.ts'
import type { Positions } from './purge-log.ts'
import { readPositions } from './wire-values.ts'

/** How long who asks is kept waiting for purges that are on their way. */
export const CATCHING_UP_MS = 100
/** What lacks the purges of more lives of nodes than that is not asked at all. */
const MOST_ISSUERS = 64

/** As it is said in a request for an object; empty: there is nothing to say. Undefined: it is too much to be said. */
export function writtenPurges(lacked: Positions): string | undefined {
  const entries = Object.entries(lacked)
  if (entries.length > MOST_ISSUERS) return undefined
  return entries.map(([issuer, sequence]) => `${issuer}=${sequence}`).join(',')
}

/** Undefined: it is none. */
function readPurges(value: string): Positions | undefined {
  const entries = value.split(',').map((one): [string, number] => {
    const [issuer = '', sequence = ''] = one.split('=')
    return [issuer, /^\d{1,15}$/.test(sequence) ? Number(sequence) : Number.NaN]
  })
  return entries.length > MOST_ISSUERS ? undefined : readPositions(Object.fromEntries(entries))
}

/** Whether what the one who asks knows is in force here; a promise: it may be in a moment. False for what cannot be read. */
export function hasPurges(
  book: Pick<PurgeBook, 'positions' | 'onNews'>,
  value: string | undefined,
): boolean | Promise<boolean> {
  if (value === undefined) return true
  const wanted = readPurges(value)
  if (wanted === undefined) return false
  const isThere = (): boolean => {
    const { positions } = book
    return Object.entries(wanted).every(([issuer, sequence]) => (positions[issuer] ?? 0) >= sequence)
  }
  if (isThere()) return true
  return new Promise((resolve) => {
    const end = (is: boolean): void => {
      clearTimeout(timer)
      stop()
      resolve(is)
    }
    const timer = setTimeout(() => end(false), CATCHING_UP_MS)
    const stop = book.onNews(() => {
      if (isThere()) end(true)
    })
  })
}
