/** The internal front: a Fastify server of its own, on an address where only siblings come. */
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import type { NewsDesk } from '../siblings/news-desk.ts'
import { MAX_NEWS_BYTES } from '../siblings/peer-call.ts'
import { isObjectPath, PEER_PATH } from '../siblings/peer-message.ts'
import { drain } from './drain.ts'
import { NewsBodies } from './news-bodies.ts'
import type { PeerDoor } from './peer-door.ts'

/** A target of a viewer, in base64, and what siblings add. */
const MAX_HEAD_BYTES = 48 * 1024
/** How often heads that are too long in coming are looked for. */
const HEAD_CHECK_MS = 1_000
/** Longer than siblings keep a connection that they do not use, so that it is always they who close it. */
const KEEP_ALIVE_MS = 75_000

/** What reaches the listener without being a sibling is to cost little: what is bounded here is bounded for everyone. */
export interface PeerBounds {
  /** Until a head is here, from the first moment of the connection or of the request; looked after each second, or each tenth of it. */
  readonly headMs: number
  /** A connection on which nothing moves, unless an object is waited for. */
  readonly stallMs: number
  /** Until the body of news is here. */
  readonly bodyMs: number
  /** Bodies of news on their way at once, and their bytes as they were announced. Then the one that takes longest makes room. */
  readonly maxBodies: number
  readonly maxBodyBytes: number
}

const BOUNDS: PeerBounds = {
  headMs: 10_000,
  stallMs: 30_000,
  bodyMs: 10_000,
  maxBodies: 64,
  maxBodyBytes: 8 * MAX_NEWS_BYTES,
}

/** Several hundred from each of the siblings of a large cluster. */
const MAX_CONNECTIONS = 16_384

export interface PeerFront {
  readonly app: FastifyInstance
  /** Takes no new requests; settles when those under way are over, or were cut after so many milliseconds. */
  drain(timeoutMs: number): Promise<void>
}

type PeerDesk = Pick<NewsDesk, 'answer' | 'mayRead'>

/**
 * Objects are answered without routing, as hits of viewers are: a city's sibling traffic is one long row of them. All else
 * between siblings goes to the desk.
 */
export function openPeerFront(
  door: PeerDoor,
  logger: FastifyBaseLogger,
  desk: PeerDesk,
  bounds = BOUNDS,
): PeerFront {
  const connections = new Set<Socket>()
  const server = createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: bounds.headMs,
    connectionsCheckingInterval: Math.min(HEAD_CHECK_MS, bounds.headMs / 10),
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    noDelay: true,
    optimizeEmptyRequests: true,
  })
  server.timeout = bounds.stallMs
  server.maxConnections = MAX_CONNECTIONS
  // The head is bounded in bytes, and a field that was signed must not be lost.
  server.maxHeadersCount = 0
  const bodies = new NewsBodies(bounds)
  server.on('timeout', letGo)
  server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  const app: FastifyInstance = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: false,
    clientErrorHandler: refuseMalformed,
    serverFactory: (handler) =>
      server.on('request', (message: IncomingMessage, response: ServerResponse) => {
        if (!isObjectPath(message.url ?? '')) {
          handler(message, response)
          return
        }
        door.answer(message, response)
      }),
  })
  app.addHook('onRequest', async ({ method, raw }, reply) => {
    if (method === 'GET') return undefined
    if (desk.mayRead(raw.headers)) {
      if (bodies.enter(raw)) return undefined
      return reply.code(411).headers({ connection: 'close' }).send({ error: 'expected a content-length' })
    }
    const answer = await desk.answer({ method, target: raw.url ?? '', fields: raw.headers, body: '' })
    return reply
      .code(answer.status)
      .headers({ ...answer.fields, connection: 'close' })
      .send(answer.body)
  })
  app.removeAllContentTypeParsers()
  // Signed as it came, so read as text, whatever it calls itself.
  app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: MAX_NEWS_BYTES }, (_request, body, done) =>
    done(null, body),
  )
  app.all(`${PEER_PATH}*`, async ({ method, raw, body }, reply) => {
    const letter = { method, target: raw.url ?? '', fields: raw.headers }
    const answer = await desk.answer({ ...letter, body: typeof body === 'string' ? body : '' })
    return reply
      .code(answer.status)
      .headers({ ...answer.fields })
      .send(answer.body)
  })
  return { app, drain: (timeoutMs) => drain(server, { connections, upgraded: new Set() }, timeoutMs) }
}

/** Nothing moved for long. While the origin is waited for nothing can, so that who waits for an object stays. */
function letGo(socket: Answering): void {
  const answer = socket._httpMessage
  const isWaiting = answer !== null && answer !== undefined && isObjectPath(answer.req.url ?? '')
  if (!isWaiting || answer.writableLength > 0) socket.destroy()
}

/** What Node's parser rejects is none of a sibling; into an answer that has begun no other may be written. */
function refuseMalformed({ code }: Error & { readonly code?: string }, socket: Answering): void {
  if (!socket.writable || code === 'ECONNRESET' || socket._httpMessage?.headersSent === true) {
    socket.destroy()
    return
  }
  const status = code === 'HPE_HEADER_OVERFLOW' ? 431 : code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    () => socket.destroy(),
  )
}

/** Node keeps the answer under way on the socket, and has no other way to ask for it. */
type Answering = Socket & { readonly _httpMessage?: ServerResponse | null }
