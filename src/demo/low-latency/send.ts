/** Answers what was found of a low-latency stream: holds what is not yet made, and sends what grows as it grows. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../rfc/heads.ts'
import { fieldValue } from '../../rfc/heads.ts'
import { answer } from '../answer.ts'
import { CORS, refuse, sendAnswer, setDate } from '../reply.ts'
import type { Resource } from '../resource.ts'
import { makeResource, typeOf } from '../resource.ts'
import type { Encoder } from './encoder.ts'
import { type GrowingSegment, growingRange, NEVER_LAST_BYTE } from './growing-segment.ts'
import type { Found } from './low-latency-streams.ts'
import { PARTS_PER_SEGMENT } from './part-clock.ts'

export interface Holding {
  readonly encoder: Encoder
  readonly now: Clock
  /** Nobody is held longer. */
  readonly holdMs: number
}

/** One viewer; the signal says that they have left, and then nothing of theirs waits any more. */
interface Visit extends Holding {
  readonly method: string
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly signal: AbortSignal
}

/** Settles when all is written or the viewer has left; what breaks off is shown as broken off. */
export async function sendFound(
  found: Found,
  holding: Holding,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const leaving = new AbortController()
  response.once('close', () => leaving.abort())
  const visit = { ...holding, method: request.method ?? '', request, response, signal: leaving.signal }
  try {
    await send(found, visit)
  } catch (error) {
    // A viewer who left needs no answer; anything else must not look like an end.
    if (!leaving.signal.aborted) response.destroy(error instanceof Error ? error : new Error(String(error)))
  }
}

async function send(found: Found, visit: Visit): Promise<void> {
  switch (found.kind) {
    case 'refused':
      refuse(visit.response, visit.method, found.status, found.message)
      return
    case 'resource':
      sendResource(found.resource, visit)
      return
    case 'held':
      if ((await made(found.madeAt, visit)) === 'made')
        sendResource(found.make(visit.encoder.madeUntil()), visit)
      else refuseLate(visit)
      return
    case 'growing':
      await sendGrowing(found.segment, found.path, visit)
  }
}

async function sendGrowing(segment: GrowingSegment, path: string, visit: Visit): Promise<void> {
  const { request, response, method, encoder, now } = visit
  // What grows has no validator yet, so no If-Range can hold (RFC 9110 section 13.1.5).
  const isRanged = method === 'GET' && request.headers['if-range'] === undefined
  const range = growingRange(isRanged ? fieldValue(request.headers, 'range') : undefined)
  const wanted = range.kind === 'whole' ? segment.size : range.kind === 'piece' ? range.until : range.first
  const madeAt = wanted < segment.size ? segment.madeAt(segment.partOf(wanted)) : segment.completeAt
  if ((await made(madeAt, visit)) === 'late') {
    refuseLate(visit)
    return
  }
  const madeBytes = segment.sizeAt(encoder.madeUntil())
  if (madeBytes === segment.size) {
    sendResource(makeResource(path, segment.whole(), segment.completeAt), visit)
    return
  }
  setDate(response, now())
  const fields = { ...CORS, 'content-type': typeOf(path), 'accept-ranges': 'bytes' }
  if (range.kind === 'piece') {
    const last = Math.min(range.last, madeBytes - 1)
    const body = segment.whole().subarray(range.first, last + 1)
    const place = { 'content-range': `bytes ${range.first}-${last}/*`, 'content-length': body.byteLength }
    response.writeHead(206, { ...fields, ...place }).end(body)
    return
  }
  const first = range.kind === 'follow' ? range.first : 0
  if (range.kind === 'follow' && range.isPartial) {
    // RFC 8673 section 2.2: the answer to a range without an end names that end, and no length.
    response.writeHead(206, { ...fields, 'content-range': `bytes ${first}-${NEVER_LAST_BYTE}/*` })
  } else response.writeHead(200, fields)
  if (method === 'HEAD') response.end()
  else await follow(segment, first, visit)
}

/** Each part leaves at the instant at which it exists, in one write. */
async function follow(segment: GrowingSegment, first: number, visit: Visit): Promise<void> {
  const { response, now } = visit
  for (let part = segment.partOf(first); part < PARTS_PER_SEGMENT; part += 1) {
    if ((await made(segment.madeAt(part), visit)) === 'late') {
      throw new Error(`Segment ${segment.number} is not made beyond its part ${part} by ${now()}.`)
    }
    response.write(segment.bytesFrom(first, part))
  }
  response.end()
}

function made(at: number, { encoder, holdMs, signal }: Visit): Promise<'made' | 'late'> {
  return encoder.made(at, holdMs, signal)
}

function sendResource(resource: Resource, { request, response, method, now }: Visit): void {
  setDate(response, now())
  sendAnswer(response, method, answer(resource, method, request.headers))
}

function refuseLate({ response, method, now, holdMs }: Visit): void {
  setDate(response, now())
  refuse(response, method, 503, `The stream has not come so far within ${holdMs / 1000} s.`)
}
