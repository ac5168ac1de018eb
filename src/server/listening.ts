/** Where a server listens: having it do so, and saying where that is. */
import { isIPv6 } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** Connections that wait to be accepted: when a stream begins a city connects at once. The system has a bound of its own. */
const BACKLOG = 4096

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Rejects with one clear sentence when the port cannot be had. */
export async function listening(app: FastifyInstance, { host, port }: ListenAddress): Promise<void> {
  try {
    await app.listen({ host, port, backlog: BACKLOG })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const why =
      code === 'EADDRINUSE' ? 'the port is taken' : error instanceof Error ? error.message : String(error)
    throw new Error(`cannot listen on ${host} port ${port}: ${why}`, { cause: error })
  }
}

/** 0: it does not listen. */
export function portOf(app: FastifyInstance): number {
  const address = app.server.address()
  return address !== null && typeof address === 'object' ? address.port : 0
}

export function urlOf(app: FastifyInstance, host: string): string {
  const port = portOf(app)
  const shown = host === '0.0.0.0' || host === '::' ? 'localhost' : isIPv6(host) ? `[${host}]` : host
  return `http://${shown}:${port}`
}
