/** The internal front: a Fastify server of its own, on an address where only siblings come. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import type { NewsDesk } from '../siblings/news-desk.ts'
import { MAX_NEWS_BYTES } from '../siblings/peer-call.ts'
import { isObjectPath, PEER_PATH } from '../siblings/peer-message.ts'
import { drain } from './drain.ts'
import type { PeerDoor } from './peer-door.ts'

/** A target of a viewer, in base64, and what siblings add. */
const MAX_HEAD_BYTES = 48 * 1024
/** Longer than siblings keep a connection that they do not use, so that it is always they who close it. */
const KEEP_ALIVE_MS = 75_000
const HEAD_TIMEOUT_MS = 10_000
/** A connection on which nothing moves while something is to be sent. */
const STALL_MS = 30_000

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
export function openPeerFront(door: PeerDoor, logger: FastifyBaseLogger, desk: PeerDesk): PeerFront {
  const connections = new Set<Socket>()
  const server = createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: HEAD_TIMEOUT_MS,
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    noDelay: true,
    optimizeEmptyRequests: true,
  })
  server.timeout = STALL_MS
  server.on('timeout', letGo)
  server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  const app: FastifyInstance = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: false,
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
    if (method === 'GET' || desk.mayRead(raw.headers)) return undefined
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

/** Node keeps the answer under way on the socket, and has no other way to ask for it. */
type Answering = Socket & { readonly _httpMessage?: ServerResponse | null }
