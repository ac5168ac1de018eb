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
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify'
import { type ErrorName, RelaisError } from '../errors.ts'
import { letGoWhenStalled } from './delivery.ts'
import type { Door } from './door.ts'
import { drain } from './drain.ts'
import { errorAnswer } from './error-answer.ts'
import { type FloorContext, layFloor } from './floor.ts'
import type { HttpOptions } from './options.ts'

/** Heads of requests may be no larger (errors.ts says so to the viewer). */
const MAX_HEAD_BYTES = 16 * 1024

/** How often heads that are too long in coming are looked for. */
const MAX_HEAD_CHECK_MS = 1_000

/** With more of the connections taken than this players had better go elsewhere. */
const FULL = 0.9

export interface Front {
  readonly app: FastifyInstance
  /** Whether it drains, or has nearly all the viewers it may have. */
  isUnderDuress(): boolean
  /** Takes no new viewers; settles when the last one is gone, or was cut after the drain timeout. */
  drain(): Promise<void>
}

/**
 * The hit path costs little more than its bytes because it does not pass through routing, hooks and replies; everything
 * else does.
 */
export async function openFront(
  floor: FloorContext,
  options: HttpOptions,
  logger: FastifyBaseLogger,
  office: (app: FastifyInstance) => void,
): Promise<Front> {
  const { door } = floor
  const upgraded = new Set<Socket>()
  const connections = new Set<Socket>()
  const server = openServer(floor.node, options, upgraded, connections)
  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    reply.hijack()
    door.refuse(request.raw, reply.raw, known(error))
  }
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
    serverFactory: (handler) => server.on('request', listener(door, handler)),
    frameworkErrors: (error, request, reply) => void undecodable(door, error, request, reply),
  })
  app.setErrorHandler(refuse)
  app.setNotFoundHandler((request, reply) => refuse(new RelaisError('NOT_FOUND'), request, reply))
  office(app)
  await layFloor(app, floor, METHODS)
  return {
    app,
    isUnderDuress: () => door.isDraining || connections.size >= FULL * options.maxConnections,
    drain: () => {
      door.drain()
      return drain(server, { upgraded, connections }, options.drainTimeout)
    },
  }
}

/** Fastify cannot decode the path. That is no reason why the origin should not, where the plugin is not needed. */
async function undecodable(
  door: Door,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  reply.hijack()
  const isQuestion = request.method === 'GET' || request.method === 'HEAD'
  const isAnswered = isQuestion && (await door.answer(request.raw, reply.raw, () => undefined))
  if (!isAnswered) door.refuse(request.raw, reply.raw, known(error))
}

function openServer(
  node: string,
  options: HttpOptions,
  upgraded: Set<Socket>,
  connections: Set<Socket>,
): Server {
  const server = createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    // The door asks for it, and then reads nothing more from the connection; Node would.
    requireHostHeader: false,
    headersTimeout: options.headTimeout,
    connectionsCheckingInterval: Math.min(options.headTimeout, MAX_HEAD_CHECK_MS),
    // A body may take as long as it takes; that of a POST is the origin's to judge.
    requestTimeout: 0,
    keepAliveTimeout: options.keepAliveTimeout,
    noDelay: true,
    // Nearly all requests are heads without bodies; no stream is set up for those.
    optimizeEmptyRequests: true,
    // Other upgrades than WebSocket (h2c) are offers that may be ignored (RFC 9110 section 7.8).
    shouldUpgradeCallback: (request: IncomingMessage) =>
      request.headers.upgrade?.toLowerCase() === 'websocket',
  })
  server.maxConnections = options.maxConnections
  server.timeout = options.stallTimeout
  server.on('clientError', (error, socket) => refuseMalformed(node, error, socket as Socket))
  // An expectation other than 100-continue may be ignored (RFC 9110 section 10.1.1).
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
  server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  server.on('upgrade', (_request: IncomingMessage, socket: Socket) => {
    upgraded.add(socket)
    socket.once('close', () => upgraded.delete(socket))
  })
  return server
}

function listener(door: Door, handler: RequestListener): RequestListener {
  const long = longWay(door, handler)
  return (request, response) => {
    if (!wasAnsweredAtOnce(door, request, response, long)) long(request, response)
  }
}

function longWay(door: Door, handler: RequestListener): RequestListener {
  return (request, response) => {
    if (door.isClosing(request)) return
    if (door.isDraining) response.shouldKeepAlive = false
    letGoWhenStalled(response)
    // Who has to wait for the next part anyway waits behind those who can be answered: they come all at once.
    if (isReload(request)) setImmediate(handler, request, response)
    else handler(request, response)
  }
}

/** Whether a version of a playlist is asked for that memory does not have. */
function isReload({ url }: IncomingMessage): boolean {
  return url?.includes('_HLS_msn=') === true
}

/** A fault of ours on the hit path costs one answer and not the process: what was not begun goes the long way. */
function wasAnsweredAtOnce(
  door: Door,
  request: IncomingMessage,
  response: ServerResponse,
  long: RequestListener,
): boolean {
  try {
    return door.answerAtOnce(request, response, long)
  } catch (error) {
    return door.failedAtOnce(response, error)
  }
}

/** What Node's parser rejects never becomes a request; its sender is told why in the same form as always. */
function refuseMalformed(node: string, error: NodeJS.ErrnoException, socket: Answering): void {
  // Into an answer that has begun no other may be written.
  if (!socket.writable || error.code === 'ECONNRESET' || socket._httpMessage?.headersSent === true) {
    socket.destroy()
    return
  }
  const name: ErrorName =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'HEAD_TOO_LARGE'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'REQUEST_TIMEOUT'
        : 'BAD_REQUEST'
  const refusal = new RelaisError(name)
  const { lines, body } = errorAnswer(node, refusal, null)
  let head = `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n`
  for (let index = 0; index < lines.length; index += 2) head += `${lines[index]}: ${lines[index + 1]}\r\n`
  socket.end(Buffer.concat([Buffer.from(`${head}connection: close\r\n\r\n`, 'latin1'), body]))
}

/** Node keeps the answer under way on the socket, and has no other way to ask for it. */
type Answering = Socket & { readonly _httpMessage?: ServerResponse | null }

/** What Fastify or its plugins reject: a fault of the request's form, or ours. */
function known(error: unknown): RelaisError {
  if (error instanceof RelaisError) return error
  const status: unknown = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  const isOfRequest = typeof status === 'number' && status >= 400 && status < 500
  return new RelaisError(isOfRequest ? 'BAD_TARGET' : 'INTERNAL', { cause: error })
}
