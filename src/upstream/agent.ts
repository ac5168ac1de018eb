/** The one pool of connections to origins, for fills and for the plain proxy alike. */
import { Agent } from 'undici'
import type { UpstreamOptions } from './options.ts'

/** Heads of origins may be no larger; more is an error of the origin. */
const MAX_HEAD_BYTES = 64 * 1024

/**
 * HTTP/1.1 only: a fill reads one large body at a time, and a lost packet should hold up that one alone.
 * The keep-alive time is short, so that the origin is rarely the first to close a connection we are about to use.
 */
export function openAgent(options: UpstreamOptions): Agent {
  return new Agent({
    connections: options.connections,
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: options.headTimeout,
    bodyTimeout: options.idleTimeout,
    keepAliveTimeout: 4_000,
    connect: { timeout: options.connectTimeout, autoSelectFamily: true },
  })
}
