/** What became of things that were fetched ahead. */

/** sent = used + wasted + those nobody has asked for yet. */
export interface Tally {
  sent: number
  used: number
  wasted: number
}

export function noneAhead(): Tally {
  return { sent: 0, used: 0, wasted: 0 }
}
