/** The roads that a configuration has: routes with their origins, and the connections that lead there. */
import { OpenToPages } from '../cache/cross-origin.ts'
import type { RouteOptions } from '../cache/options.ts'
import type { Route } from '../cache/routes.ts'
import type { Config } from '../config.ts'
import { RelaisError } from '../errors.ts'
import type { Destination } from '../http/forwarder.ts'
import type { Clock } from '../rfc/heads.ts'
import { openAgent } from '../upstream/agent.ts'
import { Budget } from '../upstream/budget.ts'
import type { UpstreamOptions } from '../upstream/options.ts'
import { Origin } from '../upstream/origin.ts'
import { OriginGroup } from '../upstream/origin-group.ts'

export interface Roads {
  readonly groups: ReadonlyMap<Route, OriginGroup>
  /** All there are. */
  readonly routes: readonly Route[]
  /** The connections of the plain proxy. */
  readonly floorAgent: ReturnType<typeof openAgent>
  /** Where the plain proxy sends what the cache declines. Throws NO_ROUTE. */
  readonly destinationOf: (route: Route) => Destination
  close(): Promise<void>
}

/** `joined`: the route as viewers are to have it, which may ask others before its origins. */
export function openRoads(
  { routes, upstream }: Config,
  clock: Clock,
  joined: (route: Route, resume: RouteOptions['resume']) => Route,
): Roads {
  // Three pools: neither what viewers send at their own pace nor what origins hold may take the connections of fills.
  const forHeld = { ...upstream, connections: upstream.heldConnections }
  const agent = openAgent(upstream)
  const floorAgent = openAgent(upstream)
  const heldAgent = openAgent(forHeld)
  const budgets = new Budgets(upstream)
  const floorBudgets = new Budgets(upstream)
  const heldBudgets = new Budgets(forHeld)
  const groups = new Map<Route, OriginGroup>()
  for (const options of routes) {
    const origins = options.origins.map((url) => {
      const { origin } = new URL(url)
      return new Origin(url, {
        dispatcher: agent,
        budget: budgets.of(origin),
        held: { dispatcher: heldAgent, budget: heldBudgets.of(origin) },
        floorBudget: floorBudgets.of(origin),
        headTimeoutMs: upstream.headTimeout,
        clock,
      })
    })
    const { penalty, resumeTimeout } = upstream
    const policy = { penaltyMs: penalty, resume: options.resume, resumeTimeoutMs: resumeTimeout }
    const group = new OriginGroup(origins, policy, clock)
    groups.set(joined(routeOf(options, group), options.resume), group)
  }
  return {
    groups,
    routes: [...groups.keys()],
    floorAgent,
    destinationOf: (route) => preferredOf(groups, route),
    async close() {
      await Promise.all([agent, floorAgent, heldAgent].map((one) => one.destroy()))
    },
  }
}

function routeOf(options: RouteOptions, group: OriginGroup): Route {
  const { prefix, cookies, cors, requestDirectives, ignoreQuery } = options
  const [base = ''] = options.origins
  const source = cors === 'edge' ? new OpenToPages(group) : group
  return { prefix, base, cookies, cors, requestDirectives, ignoreQuery: new Set(ignoreQuery), source }
}

/** One for each host and port, however many routes lead there. */
class Budgets {
  readonly #options: UpstreamOptions
  readonly #byOrigin = new Map<string, Budget>()

  constructor(options: UpstreamOptions) {
    this.#options = options
  }

  of(origin: string): Budget {
    const { connections, queue, queueTimeout } = this.#options
    const budget =
      this.#byOrigin.get(origin) ?? new Budget({ connections, queue, queueTimeoutMs: queueTimeout })
    this.#byOrigin.set(origin, budget)
    return budget
  }
}

function preferredOf(groups: ReadonlyMap<Route, OriginGroup>, route: Route): Destination {
  const origin = groups.get(route)?.preferred
  if (origin === undefined) throw new RelaisError('NO_ROUTE')
  const { address, name, path } = origin
  return { address, host: name, path, admit: (target, signal) => origin.admit(target, signal) }
}
