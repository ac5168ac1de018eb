/** Where players hand in what happened to them: events of CMCD version 2, from anybody, in bounds (CTA-5004-B section 5). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Sessions } from '../cache/audience/sessions.ts'
import { RelaisError } from '../errors.ts'
import { MAX_EVENTS_BODY, readEvents } from '../media/cmcd.ts'
import type { Clock } from '../rfc/heads.ts'
import { errorAnswer } from './error-answer.ts'
import { checkRequest, isUnread, requestHead } from './request-head.ts'

/** Bodies that may be on their way at once: together they hold 16 MiB at most. */
const MAX_AT_ONCE = 64
const BODY_TIMEOUT_MS = 10_000
/** When a second is over more events may come. */
const RETRY_AFTER_SECONDS = 1

/** Players run on pages of other hosts; `application/cmcd` has browsers ask first. */
const FOR_ALL_PAGES = ['access-control-allow-origin', '*', 'cache-control', 'no-store']
const PREFLIGHT = [
  ...FOR_ALL_PAGES,
  ...['access-control-allow-methods', 'POST', 'access-control-allow-headers', 'content-type'],
  ...['access-control-max-age', '86400'],
]

export interface EventDeskContext {
  readonly node: string
  readonly sessions: Sessions
  readonly clock: Clock
}

/** Answers POST and OPTIONS of this one path; all else of it takes its route. */
export function openEventDesk(app: FastifyInstance, path: string, context: EventDeskContext): void {
  let underWay = 0
  const take = async (message: IncomingMessage): Promise<void> => {
    checkRequest(message, requestHead(message))
    if (underWay >= MAX_AT_ONCE) throw tooMany()
    underWay++
    try {
      const { events, bad, isCut } = readEvents(await textOf(message))
      if (isCut) throw new RelaisError('EVENTS_TOO_LARGE')
      if (events.length === 0) throw new RelaisError('BAD_EVENTS')
      if (!context.sessions.take(events, bad, context.clock())) throw tooMany()
    } finally {
      underWay--
    }
  }
  const post = async ({ raw }: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    reply.hijack()
    const response = reply.raw
    try {
      await take(raw)
      response.writeHead(204, FOR_ALL_PAGES).end()
    } catch (error) {
      context.sessions.refused++
      refuse(context.node, raw, response, error)
    }
    return reply
  }
  const preflight = async (_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    reply.hijack()
    reply.raw.writeHead(204, PREFLIGHT).end()
    return reply
  }
  // Before Fastify reads the body, which is in no format that it knows.
  const handler = (): never => {
    throw new RelaisError('INTERNAL', { details: 'events were not taken' })
  }
  app.route({ method: 'POST', url: path, onRequest: post, handler })
  app.route({ method: 'OPTIONS', url: path, onRequest: preflight, handler })
}

/** Rejects with EVENTS_TOO_LARGE, or BAD_EVENTS for what is no UTF-8; who takes too long is cut off. */
async function textOf(message: IncomingMessage): Promise<string> {
  if (Number(message.headers['content-length'] ?? 0) > MAX_EVENTS_BODY)
    throw new RelaisError('EVENTS_TOO_LARGE')
  const timer = setTimeout(() => message.destroy(new RelaisError('REQUEST_TIMEOUT')), BODY_TIMEOUT_MS)
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const chunk of message as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength
      if (bytes > MAX_EVENTS_BODY) throw new RelaisError('EVENTS_TOO_LARGE')
      chunks.push(chunk)
    }
  } finally {
    clearTimeout(timer)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (error) {
    throw new RelaisError('BAD_EVENTS', { cause: error })
  }
}

function tooMany(): RelaisError {
  return new RelaisError('TOO_MANY_EVENTS', { retryAfterSeconds: RETRY_AFTER_SECONDS })
}

/** A page may read why; the connection ends where the rest of a body is still to come. */
function refuse(node: string, message: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.destroyed || response.socket?.destroyed !== false) return
  const known = error instanceof RelaisError ? error : new RelaisError('INTERNAL', { cause: error })
  const { lines, body } = errorAnswer(node, known, null)
  if (isUnread(message)) response.shouldKeepAlive = false
  response.writeHead(known.status, [...lines, 'access-control-allow-origin', '*']).end(body)
}
