/** The floor: every route of Fastify leads to the door first, and below it lies the plain proxy. */
import type { IncomingMessage } from 'node:http'
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Route } from '../cache/routes.ts'
import { RelaisError } from '../errors.ts'
import { appendCdnLoop, appendVia, endToEnd, omitFields } from '../rfc/connection.ts'
import type { Fields } from '../rfc/heads.ts'
import type { Door } from './door.ts'
import type { Destination } from './forwarder.ts'
import { checkRequest, requestHead } from './request-head.ts'

export interface FloorContext {
  readonly door: Door
  readonly routes: readonly Route[]
  readonly node: string
  readonly destinationOf: (route: Route) => Destination
}

/** What Node reads and no proxy may pass on: CONNECT opens tunnels, TRACE shows what others added to a request. */
const NOT_PASSED: ReadonlySet<string> = new Set(['CONNECT', 'TRACE'])

/** Of a WebSocket's own handshake: the one with the origin is another. */
const OF_THE_HANDSHAKE: ReadonlySet<string> = new Set([
  'host',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
  'sec-websocket-protocol',
])

/** The methods that are passed on: all that Node's parser knows, but two. */
export function passedMethods(methods: readonly string[]): string[] {
  return methods.filter((method) => !NOT_PASSED.has(method))
}

/**
 * `@fastify/http-proxy` holds the routes and carries WebSockets. Plain requests are passed on by the forwarder, before
 * Fastify looks at their bodies: the plugin would decode what it cannot know, and send another request line than came.
 */
export async function layFloor(
  app: FastifyInstance,
  context: FloorContext,
  methods: readonly string[],
): Promise<void> {
  const unknown = passedMethods(methods).filter((method) => !app.supportedMethods.includes(method))
  for (const method of unknown) app.addHttpMethod(method, { hasBody: true })
  await app.register(async (scope) => {
    scope.addHook('onRequest', (request, reply) => toDoor(context.door, request, reply))
    for (const route of context.routes) await layRoute(scope, context, route, passedMethods(methods))
  })
}

async function layRoute(
  scope: FastifyInstance,
  context: FloorContext,
  route: Route,
  httpMethods: string[],
): Promise<void> {
  const { node, destinationOf } = context
  await scope.register(httpProxy, {
    prefix: route.prefix.slice(0, -1),
    rewritePrefix: destinationOf(route).path,
    upstream: '',
    httpMethods,
    disableRequestLogging: true,
    websocket: true,
    wsClientOptions: {
      rewriteRequestHeaders: (_fields: unknown, request: FastifyRequest) =>
        handshakeFields(request.raw.headers, node),
    },
    replyOptions: { getUpstream: () => destinationOf(route).address },
  })
}

async function toDoor(door: Door, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const message: IncomingMessage & { readonly upgrade?: boolean } = request.raw
  if (message.upgrade === true) {
    checkRequest(message, requestHead(message))
    if (door.isOffice(requestHead(message).target)) throw new RelaisError('NOT_FOUND')
    return
  }
  reply.hijack()
  await door.answer(message, reply.raw)
}

function handshakeFields(fields: Fields, node: string): Record<string, string | string[]> {
  return {
    ...omitFields(endToEnd(fields), OF_THE_HANDSHAKE),
    via: appendVia(fields, '1.1', node),
    'cdn-loop': appendCdnLoop(fields, node),
  } as Record<string, string | string[]>
}
