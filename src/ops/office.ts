/** The office: what those who run a node ask it. To all others it does not exist. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { RelaisError } from '../errors.ts'
import type { Access } from './access.ts'
import { formatMetrics } from './metrics/metrics.ts'
import type { Stats } from './stats.ts'

export interface OfficeContext {
  readonly access: Access
  readonly readStats: () => Promise<Stats>
  /** Whether it takes new viewers: false before it listens and once it drains. */
  readonly isReady: () => boolean
}

export function openOffice(app: FastifyInstance, context: OfficeContext): void {
  const onRequest = async (request: FastifyRequest): Promise<void> => {
    const { remoteAddress } = request.raw.socket
    if (!context.access.allows(remoteAddress, request.headers.authorization))
      throw new RelaisError('NOT_FOUND')
  }
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

function plain(reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store').type('application/json; charset=utf-8')
}
