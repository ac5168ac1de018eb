/** What is believed of that which a player says it will ask for next, before it is looked into where that leads. */
import type { NextObject } from '../../media/cmcd.ts'
import { withoutCmcd } from '../upstream-request.ts'

/**
 * Those with the query of the request itself, or with none: one of its own would make it another file each time, which
 * an origin would send as often as anybody likes.
 */
export function believed(target: string, next: readonly NextObject[]): readonly NextObject[] {
  const queries = ['', queryOf(withoutCmcd(target))]
  return next.filter(({ address }) => queries.includes(queryOf(address)))
}

/** With its question mark. */
function queryOf(address: string): string {
  const question = address.indexOf('?')
  return question < 0 ? '' : address.slice(question)
}
