/** Sums over rooms that do not know each other: what was asked of whom, of which streams, and how busy the node is. */
import type { Audience } from '../cache/audience/audience.ts'
import type { Cache } from '../cache/cache.ts'
import type { Route } from '../cache/routes.ts'
import type { Streams } from '../cache/streams.ts'
import type { Traffic } from '../http/traffic.ts'
import type { Stats } from '../ops/stats.ts'
import { describeStream } from '../ops/stream-stats.ts'
import type { Instant } from '../rfc/heads.ts'
import type { LoadCounters } from '../siblings/load-meter.ts'
import type { OriginGroup } from '../upstream/origin-group.ts'

export function counted(
  traffic: Traffic,
  groups: ReadonlyMap<Route, OriginGroup>,
  bytesFromSiblings: number,
): Pick<Stats, 'requests' | 'cuts' | 'bytes' | 'origin' | 'routes'> {
  const { requests, cuts, bytesToViewers } = traffic.total()
  const routes = [...groups].map(([route, group]) => ({ ...traffic.of(route), origins: group.states() }))
  const origins = routes.flatMap((route) => route.origins)
  return {
    requests,
    cuts,
    bytes: {
      toViewers: bytesToViewers,
      fromOrigin: sum(origins.map(({ bytes }) => bytes)),
      fromSiblings: bytesFromSiblings,
    },
    origin: {
      requests: sum(origins.map((origin) => origin.requests)),
      errors: sum(origins.map(({ errors }) => errors)),
    },
    routes,
  }
}

export function describeStreams(streams: Streams, audience: Audience, now: Instant): Stats['streams'] {
  const viewers = audience.read(now)
  return streams.list().map((stream) => describeStream(stream, viewers.get(stream.manifest), now))
}

/** How busy this node is. */
export function countersOf(traffic: Traffic, cache: Cache | undefined): LoadCounters {
  const { requests, bytesToViewers } = traffic.total()
  const { fills = 0 } = cache?.underWay ?? {}
  return { inflight: fills, bytesOut: bytesToViewers, misses: requests.miss }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
