/** Bytes of bodies on their way to a viewer: from memory in one write, all else at the viewer's pace. */
import type { ServerResponse } from 'node:http'
import type { ByteRange } from '../rfc/range.ts'
import { cut } from '../store/chunks.ts'
import type { Body } from '../store/store.ts'
import type { Visit } from './visit.ts'

const NO_BYTES = new Uint8Array(0)

/** Ends a response that will not be whole so that nobody can take it for whole: the connection is reset. */
export function breakOff(response: ServerResponse): void {
  const { socket } = response
  if (socket === null) response.destroy()
  else socket.resetAndDestroy()
}

/** Aborted when the viewer leaves before he has all of it, or has said all he had to say. */
export function leaving(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  if (response.destroyed) controller.abort(new Error('the viewer left'))
  response.once('close', () => {
    // Most viewers have it all, and then there is nothing to give up.
    if (!response.writableFinished || !response.req.complete) controller.abort(new Error('the viewer left'))
  })
  return controller.signal
}

/**
 * Sends `range` of a body, or all of it, behind a head that is written already. Done at once when it lies in memory,
 * else settles when it was handed over; rejects when it cannot be whole.
 */
export function deliver(
  response: ServerResponse,
  body: Body,
  range: ByteRange | undefined,
  visit: Visit,
  signal: AbortSignal,
): void | Promise<void> {
  const { chunks } = body
  const wanted = chunks === undefined ? body.held?.(range) : cut(chunks, range)
  if (wanted === undefined) {
    const coming = body.batches?.(range, signal) ?? body.read(range, signal)
    return deliverFlowing(response, coming, visit, signal)
  }
  for (const chunk of wanted) visit.bytes += chunk.byteLength
  deliverChunks(response, wanted)
}

/** Sends what comes as it comes, and never more than the viewer takes. */
export async function deliverFlowing(
  response: ServerResponse,
  coming: AsyncIterable<Uint8Array | readonly Uint8Array[]>,
  visit: Visit,
  signal: AbortSignal,
): Promise<void> {
  // The first byte may be long in coming; that there will be one is told now.
  // (Not flushHeaders, which would write the head as UTF-8 and not as the bytes that came.)
  response.write(NO_BYTES)
  for await (const come of coming) {
    const takesMore = write(response, come instanceof Uint8Array ? [come] : come, visit)
    if (!takesMore) await drained(response, signal)
  }
  response.end()
}

/** One system call for the head and all chunks. */
export function deliverChunks(response: ServerResponse, chunks: readonly Uint8Array[]): void {
  if (chunks.length > 1) {
    response.cork()
    for (let index = 0; index < chunks.length - 1; index++) response.write(chunks[index])
  }
  response.end(chunks.at(-1))
}

/** Whether the connection takes more. */
function write(response: ServerResponse, pieces: readonly Uint8Array[], visit: Visit): boolean {
  let takesMore = true
  for (const piece of pieces) {
    visit.bytes += piece.byteLength
    takesMore = response.write(piece)
  }
  // Node holds back what is written until the turn ends. A thousand viewers may wait for these bytes in one turn, and
  // the first would get them when they have been written for the last.
  response.socket?.uncork()
  return takesMore
}

/** Settles when the connection takes more; a viewer who takes nothing is let go by the door's stall timeout. */
function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    response.once('drain', () => {
      signal.removeEventListener('abort', leave)
      resolve()
    })
    if (signal.aborted) leave()
  })
}
