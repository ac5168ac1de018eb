/** The floor: the plain proxy under the cache, for what is not a cache's business. */
import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Route } from '../cache/routes.ts'
import type { RelaisError } from '../errors.ts'
import { appendCdnLoop, appendVia } from '../rfc/connection.ts'
import type { Fields } from '../rfc/heads.ts'
import type { Door } from './door.ts'
import { requestHead } from './request-head.ts'

/** Where a request of a route goes when it is passed on as it is. */
export interface Destination {
  /** Scheme, host and port. */
  readonly address: string
  /** Stands for the route's prefix. */
  readonly path: string
}

export interface FloorContext {
  readonly door: Door
  readonly routes: readonly Route[]
  readonly node: string
  readonly destinationOf: (route: Route) => Destination
  /** What the pool of connections is; shared with the fills. */
  readonly agent: object
  /** Bytes of a body on their way to a viewer. */
  readonly onBytes: (route: Route, bytes: number) => void
  /** A write went through: what is stored of its target is no longer true. */
  readonly onWritten: (route: Route, target: string) => void
  readonly failure: (error: unknown, nextHop: string) => RelaisError
}

/** What Node reads and no proxy may pass on: CONNECT opens tunnels, TRACE shows what others added to a request. */
const NOT_PASSED: ReadonlySet<string> = new Set(['CONNECT', 'TRACE'])
/** RFC 9110 section 9.2.1; all others may change something at the origin. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'SEARCH'])

/** The methods that are passed on: all that Node's parser knows, but two. */
export function passedMethods(methods: readonly string[]): string[] {
  return methods.filter((method) => !NOT_PASSED.has(method))
}

/** Puts the cache in front of the plain proxy, on every route. */
export async function layFloor(
  app: FastifyInstance,
  context: FloorContext,
  methods: readonly string[],
): Promise<void> {
  const unknown = passedMethods(methods).filter((method) => !app.supportedMethods.includes(method))
  for (const method of unknown) app.addHttpMethod(method, { hasBody: true })
  for (const route of context.routes) {
    await app.register(httpProxy, {
      prefix: route.prefix.slice(0, -1),
      rewritePrefix: context.destinationOf(route).path,
      upstream: '',
      httpMethods: passedMethods(methods),
      // One pool for fills and for this; it is closed by whoever opened it.
      undici: context.agent,
      disableRequestLogging: true,
      websocket: true,
      preHandler: (request: FastifyRequest, reply: FastifyReply) => beforeFloor(context, request, reply),
      handler: (request: FastifyRequest, reply: FastifyReply, _path: string, options: object) =>
        pass(context, route, request, reply, options),
      replyOptions: { getUpstream: () => context.destinationOf(route).address },
    })
  }
}

async function beforeFloor(
  context: FloorContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  if (request.raw.headers.upgrade !== undefined) return undefined
  const isAnswered = await context.door.answer(request.raw, reply.raw, () => reply.hijack())
  return isAnswered ? reply : undefined
}

function pass(
  context: FloorContext,
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
  options: object,
): FastifyReply {
  const { target } = requestHead(request.raw)
  const { address, path } = context.destinationOf(route)
  const question = target.indexOf('?')
  const rest = target.slice(route.prefix.length, question < 0 ? undefined : question)
  return reply.from(path + rest, {
    ...options,
    getUpstream: () => address,
    rewriteRequestHeaders: (_request, fields) => onward(fields as Fields, context.node) as typeof fields,
    rewriteHeaders: (fields) => ({ ...fields, via: appendVia(fields as Fields, '1.1', context.node) }),
    onResponse: (_request, answered, response) => {
      const { statusCode } = answered
      // RFC 9111 section 4.4.
      if (!SAFE.has(request.method) && statusCode >= 200 && statusCode < 400) context.onWritten(route, target)
      const { stream } = response as unknown as { stream: Readable }
      stream.on('data', (chunk: Uint8Array) => context.onBytes(route, chunk.byteLength))
      answered.send(stream)
    },
    onError: (answered, { error }) => {
      answered.hijack()
      context.door.refuse(answered.raw as ServerResponse, context.failure(error.cause ?? error, address))
    },
  })
}

function onward(fields: Fields, node: string): Fields {
  return { ...fields, via: appendVia(fields, '1.1', node), 'cdn-loop': appendCdnLoop(fields, node) }
}
