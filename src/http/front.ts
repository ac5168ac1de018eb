/** The front of the house: a Fastify server whose hits are answered before Fastify is asked. */
import {
  createServer,
  type IncomingMessage,
  METHODS,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import type { Socket } from 'node:net'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { ERRORS, type ErrorName, RelaisError } from '../errors.ts'
import type { Door } from './door.ts'
import { type FloorContext, layFloor } from './floor.ts'
import type { HttpOptions } from './options.ts'

/** Heads of requests may be no larger (errors.ts says so to the viewer). */
const MAX_HEAD_BYTES = 16 * 1024

/**
 * The hit path costs little more than its bytes because it does not pass through routing, hooks and replies; everything
 * else does.
 */
export async function openFront(
  door: Door,
  floor: FloorContext,
  options: HttpOptions,
  logger: FastifyBaseLogger,
  office: (app: FastifyInstance) => void,
): Promise<FastifyInstance> {
  const app: FastifyInstance = Fastify({
    loggerInstance: logger,
    // The door writes one line a request, when it is over.
    logController: new LogController({ disableRequestLogging: true }),
    // Paths are the origin's business: nothing is decoded, folded or cut.
    routerOptions: { ignoreTrailingSlash: false, caseSensitive: true, maxParamLength: MAX_HEAD_BYTES },
    bodyLimit: Number.MAX_SAFE_INTEGER,
    forceCloseConnections: false,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    serverFactory: (handler) => openServer(door, handler, options),
    frameworkErrors: (error, _request, reply) => {
      reply.hijack()
      door.refuse(reply.raw, known(error))
    },
  })
  app.setErrorHandler((error, _request, reply) => {
    reply.hijack()
    door.refuse(reply.raw, known(error))
  })
  app.setNotFoundHandler((_request, reply) => {
    reply.hijack()
    door.refuse(reply.raw, new RelaisError('NOT_FOUND'))
  })
  office(app)
  await layFloor(app, floor, METHODS)
  return app
}

function openServer(door: Door, handler: RequestListener, options: HttpOptions): Server {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEAD_BYTES,
      headersTimeout: options.headTimeout,
      // A body may take as long as it takes; that of a POST is the origin's to judge.
      requestTimeout: 0,
      keepAliveTimeout: options.keepAliveTimeout,
      noDelay: true,
      // Other upgrades than WebSocket (h2c) are offers that may be ignored (RFC 9110 section 7.8).
      shouldUpgradeCallback: (request: IncomingMessage) =>
        request.headers.upgrade?.toLowerCase() === 'websocket',
    },
    (request, response) => {
      if (wasAnsweredAtOnce(door, request, response)) return
      // A connection on which nothing moves is let go; while an origin is waited for, nothing can.
      response.on('timeout', () => {
        if (response.writableLength > 0) response.destroy()
      })
      handler(request, response)
    },
  )
  server.maxConnections = options.maxConnections
  server.timeout = options.stallTimeout
  server.on('clientError', refuseMalformed)
  return server
}

/** A fault of ours on the hit path costs one answer and not the process: what was not begun goes the long way. */
function wasAnsweredAtOnce(door: Door, request: IncomingMessage, response: ServerResponse): boolean {
  try {
    return door.answerAtOnce(request, response)
  } catch (error) {
    door.failedAtOnce(response, error)
    return response.headersSent
  }
}

/** What Node's parser rejects never becomes a request; its sender is told why in the same form as always. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const name: ErrorName =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'HEAD_TOO_LARGE'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'REQUEST_TIMEOUT'
        : 'BAD_REQUEST'
  const { status, message } = ERRORS[name]
  const body = JSON.stringify({ error: name, message, requestId: null })
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}

/** What Fastify or its plugins reject: a fault of the request's form, or ours. */
function known(error: unknown): RelaisError {
  if (error instanceof RelaisError) return error
  const status: unknown = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  const isOfRequest = typeof status === 'number' && status >= 400 && status < 500
  return new RelaisError(isOfRequest ? 'BAD_TARGET' : 'INTERNAL', { cause: error })
}
