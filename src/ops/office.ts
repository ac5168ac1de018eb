/** The office: what those who run a node ask it. To all others it does not exist. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RelaisError } from '../errors.ts'
import type { Access } from './access.ts'
import { formatMetrics } from './metrics/metrics.ts'
import { plain } from './order-body.ts'
import type { Stats } from './stats.ts'

export interface OfficeContext {
  readonly access: Access
  readonly readStats: () => Promise<Stats>
  /** Whether it takes new viewers: false before it listens and once it drains. */
  readonly isReady: () => boolean
  /** Other routes of the office. */
  readonly desks: readonly ((app: FastifyInstance, hooks: OfficeHooks) => void)[]
}

export function mayLookIn(access: Access, { raw, headers }: FastifyRequest): boolean {
  return access.allows(raw.socket.remoteAddress, headers.authorization)
}

/** What each route of the office begins with. */
export interface OfficeHooks {
  /** Rejects with NOT_FOUND for whoever may not look in. */
  readonly onRequest: (request: FastifyRequest) => Promise<void>
}

export function openOffice(app: FastifyInstance, context: OfficeContext): void {
  const onRequest = async (request: FastifyRequest): Promise<void> => {
    if (!mayLookIn(context.access, request)) throw new RelaisError('NOT_FOUND')
  }
  for (const desk of context.desks) desk(app, { onRequest })
  const options = { onRequest, exposeHeadRoute: true }
  app.get('/stats', options, async (_request, reply) => plain(reply).send(await context.readStats()))
  app.get('/metrics', options, async (_request, reply) => {
    const { contentType, text } = await formatMetrics(await context.readStats())
    return reply.header('cache-control', 'no-store').type(contentType).send(text)
  })
  app.get('/-/live', options, async (_request, reply) => plain(reply).send({ status: 'live' }))
  app.get('/-/ready', options, async (_request, reply) => {
    const isReady = context.isReady()
    return plain(reply)
      .code(isReady ? 200 : 503)
      .send({ status: isReady ? 'ready' : 'draining' })
  })
  // Whatever else is asked of the office is not the origin's either.
  const notFound = async (): Promise<never> => Promise.reject(new RelaisError('NOT_FOUND'))
  app.all('/-/*', notFound)
  for (const url of ['/stats', '/metrics'])
    app.route({ method: ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'], url, handler: notFound })
}
