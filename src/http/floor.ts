/** The floor: every route of Fastify leads to the door first, and below it lies the plain proxy. */
import type { IncomingMessage } from 'node:http'
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Route, RouteTable } from '../cache/routes.ts'
import { RelaisError } from '../errors.ts'
import { appendCdnLoop, appended, appendVia, endToEnd, omitFields } from '../rfc/connection.ts'
import { forwardedElement } from '../rfc/forwarded.ts'
import { type Fields, fieldValue } from '../rfc/heads.ts'
import type { Door } from './door.ts'
import type { Destination, Onward, Returned } from './forwarder.ts'
import { answeredPreflight } from './preflight.ts'
import { checkRequest, requestHead } from './request-head.ts'

export interface FloorContext {
  readonly door: Door
  readonly routes: readonly Route[]
  readonly node: string
  readonly destinationOf: (route: Route) => Destination
  /** PURGE from those who run the node; it rejects with a RelaisError. Undefined: whoever asks is none of them, and nothing was done. */
  readonly onPurge: (request: FastifyRequest, target: string) => Promise<unknown> | undefined
  /** The connections to origins, which the fills use as well. */
  readonly pool: Pool
}

/** What is used of it. */
export interface Pool {
  request(options: object, done: (error: Error | null, response?: unknown) => void): void
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

/** Rides on the fields to the pool: the request line as it is to be sent, and when to give up. */
const RAW = Symbol('raw')

/**
 * The cache stands before `@fastify/http-proxy` as a hook. What it declines, and all that is not GET or HEAD, the plugin
 * sends, over the pool that the fills use; and it carries WebSockets.
 */
export async function layFloor(
  app: FastifyInstance,
  context: FloorContext,
  methods: readonly string[],
): Promise<void> {
  const unknown = passedMethods(methods).filter((method) => !app.supportedMethods.includes(method))
  for (const method of unknown) app.addHttpMethod(method, { hasBody: true })
  await app.register(async (scope) => {
    const table = new RouteTable(context.routes)
    scope.addHook('onRequest', (request, reply) => toDoor(context, table, request, reply))
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
    undici: byteForByte(context.pool),
    disableRequestLogging: true,
    // It would say what the door says, in other words.
    logLevel: 'silent',
    websocket: true,
    wsClientOptions: {
      rewriteRequestHeaders: (_fields: unknown, request: FastifyRequest) =>
        handshakeFields(request.raw, node),
    },
    replyOptions: { getUpstream: () => destinationOf(route).address },
  })
}

async function toDoor(
  { door, onPurge }: FloorContext,
  routes: RouteTable,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const message: IncomingMessage & { readonly upgrade?: boolean } = request.raw
  if (message.upgrade === true) {
    checkRequest(message, requestHead(message))
    if (door.isOffice(requestHead(message).target)) throw new RelaisError('NOT_FOUND')
    return undefined
  }
  const accept = (): unknown => reply.hijack()
  const isOptions = message.method === 'OPTIONS' && !door.isOffice(requestHead(message).target)
  if (isOptions && answeredPreflight(routes, message, reply.raw, accept)) return reply
  const isQuestion = message.method === 'GET' || message.method === 'HEAD'
  if (isQuestion && (await door.answer(message, reply.raw, accept))) return reply
  const { method } = message
  const { target } = requestHead(message)
  if (method === 'PURGE' && !door.isOffice(target)) {
    checkRequest(message, requestHead(message))
    const purged = onPurge(request, target)
    if (purged !== undefined) return reply.header('cache-control', 'no-store').send(await purged)
  }
  // Before Fastify reads the body: what type it claims to be is between the viewer and the origin.
  if (!isQuestion) request.body = message
  await door.pass(message, reply.raw, accept, (onward) => throughPlugin(reply, onward))
  return reply
}

/** Has the plugin send a request; what comes back is sent on by the door, which counts and cuts as for all answers. */
function throughPlugin(reply: FastifyReply, onward: Onward): Promise<Returned> {
  return new Promise((resolve, reject) => {
    // The plugin lets go of a request whose viewer has left without telling anyone.
    onward.signal.addEventListener('abort', () => reject(onward.signal.reason), { once: true })
    reply.from('/', {
      getUpstream: () => onward.address,
      rewriteRequestHeaders: () => ({ ...onward.fields, [RAW]: onward }) as Record<string, string>,
      // What is passed may be more than a question, so it is never asked twice.
      retryDelay: () => null,
      onResponse: (_request, _reply, response) => {
        const { statusCode, headers, stream } = response as unknown as PluginResponse
        resolve({ status: statusCode, fields: headers, body: stream })
      },
      onError: (_reply, { error }) => reject(error.cause ?? error),
    })
  })
}

/** What the plugin hands over, which its types take for a message of Node's. */
interface PluginResponse {
  readonly statusCode: number
  readonly headers: Fields
  readonly stream: Returned['body']
}

/** The pool, with the request line as it came: the plugin's URLs encode some characters that viewers send as they are. */
function byteForByte(pool: Pool): object {
  return {
    request(options: PluginRequest, done: (error: Error | null, response?: unknown) => void): void {
      const { [RAW]: onward, ...headers } = options.headers
      const raw =
        onward === undefined
          ? {}
          : { path: onward.target, signal: onward.signal, onInfo: tell(onward.onInterim) }
      pool.request({ ...options, headers, ...raw }, done)
    },
    // Whoever opened the pool closes it.
    destroy: () => undefined,
  }
}

function tell(onInterim: Onward['onInterim']): (info: { statusCode: number; headers: Fields }) => void {
  return ({ statusCode, headers }) => onInterim?.(statusCode, headers)
}

interface PluginRequest {
  readonly path: string
  readonly headers: Readonly<Record<string, string>> & { readonly [RAW]?: Onward }
}

function handshakeFields(message: IncomingMessage, node: string): Record<string, string | string[]> {
  const fields: Fields = message.headers
  const { remoteAddress = '' } = message.socket
  const forwarded = forwardedElement(remoteAddress, message.headers.host, 'http')
  return {
    ...omitFields(endToEnd(fields), OF_THE_HANDSHAKE),
    via: appendVia(fields, '1.1', node),
    'cdn-loop': appendCdnLoop(fields, node),
    forwarded: appended(fieldValue(fields, 'forwarded'), forwarded),
  } as Record<string, string | string[]>
}
