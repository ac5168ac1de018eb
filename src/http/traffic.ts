/** What has been answered to viewers, counted: each request on a route is exactly one outcome. */
import type { Outcome } from '../cache/cache.ts'
import type { Route } from '../cache/routes.ts'

export type OutcomeCounts = Readonly<Record<Outcome, number>> & { readonly total: number }

export interface RouteTraffic {
  readonly prefix: string
  readonly requests: OutcomeCounts
  /** Bytes of bodies handed to viewers' connections. */
  readonly bytesToViewers: number
  /** Answers that ended before they were whole, because the upstream broke off or the viewer left. */
  readonly cuts: number
}

type Tally = Record<Outcome, number> & { bytes: number; cuts: number }

/** Requests under no route (bad ones, those of no route's path) are counted under none. */
export class Traffic {
  readonly #byRoute = new Map<Route | undefined, Tally>()

  count(route: Route | undefined, outcome: Outcome): void {
    this.#of(route)[outcome]++
  }

  /** An answer broke off after its head had been sent: its upstream failed, or its viewer left. */
  cut(route: Route | undefined): void {
    this.#of(route).cuts++
  }

  bytes(route: Route | undefined, bytes: number): void {
    this.#of(route).bytes += bytes
  }

  /** Over all routes, and what belonged to none. */
  total(): Omit<RouteTraffic, 'prefix'> {
    const sum = nothing()
    for (const tally of this.#byRoute.values()) {
      for (const name of Object.keys(sum) as (keyof Tally)[]) sum[name] += tally[name]
    }
    return { requests: counts(sum), bytesToViewers: sum.bytes, cuts: sum.cuts }
  }

  of(route: Route): RouteTraffic {
    const tally = this.#of(route)
    return { prefix: route.prefix, requests: counts(tally), bytesToViewers: tally.bytes, cuts: tally.cuts }
  }

  #of(route: Route | undefined): Tally {
    let tally = this.#byRoute.get(route)
    if (tally === undefined) {
      tally = nothing()
      this.#byRoute.set(route, tally)
    }
    return tally
  }
}

function nothing(): Tally {
  return { hit: 0, stale: 0, miss: 0, collapsed: 0, pass: 0, error: 0, bytes: 0, cuts: 0 }
}

function counts(tally: Tally): OutcomeCounts {
  const { hit, stale, miss, collapsed, pass, error } = tally
  return { total: hit + stale + miss + collapsed + pass + error, hit, stale, miss, collapsed, pass, error }
}
