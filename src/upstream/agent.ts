/** A pool of connections to origins. */
import { Agent, buildConnector } from 'undici'
import { withoutContinue } from './continue.ts'
import type { UpstreamOptions } from './options.ts'

/** Heads of origins may be no larger; more is an error of the origin. */
const MAX_HEAD_BYTES = 64 * 1024
const KEEP_ALIVE_MS = 4_000

/**
 * HTTP/1.1 only: a fill reads one large body at a time, and a lost packet should hold up that one alone.
 * The keep-alive time is short, so that the origin is rarely the first to close a connection we are about to use.
 */
export function openAgent(
  options: Pick<UpstreamOptions, 'connectTimeout' | 'connections' | 'headTimeout' | 'idleTimeout'>,
): Agent {
  const connect = buildConnector({ timeout: options.connectTimeout, autoSelectFamily: true })
  return new Agent({
    connections: options.connections,
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: options.headTimeout,
    bodyTimeout: options.idleTimeout,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: (to, done) =>
      connect(to, (error, socket) => {
        if (error === null) done(null, withoutContinue(socket))
        else done(error, null)
      }),
  })
}
