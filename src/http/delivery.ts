/** Bytes of bodies on their way to a viewer: from memory in one write, all else at the viewer's pace. */
import type { ServerResponse } from 'node:http'
import type { ByteRange } from '../rfc/range.ts'
import { cut } from '../store/chunks.ts'
import type { Body } from '../store/store.ts'
import type { Visit } from './visit.ts'

const NO_BYTES = new Uint8Array(0)
/** One for all, for each answer ends with it, and an error costs more than a hit to make. */
const LEFT = new Error('the viewer left')

/** Ends a response that will not be whole so that nobody can take it for whole: the connection is reset. */
export function breakOff(response: ServerResponse): void {
  const { socket } = response
  if (socket === null) response.destroy()
  else socket.resetAndDestroy()
}

/** Aborted when the viewer leaves, or has all of it. */
export function leaving(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  response.once('close', () => controller.abort(LEFT))
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
  if (wanted === undefined) return deliverFlowing(response, body.read(range, signal), visit, signal)
  for (const chunk of wanted) visit.bytes += chunk.byteLength
  deliverChunks(response, wanted)
}

/** Sends what comes as it comes, and never more than the viewer takes. */
export async function deliverFlowing(
  response: ServerResponse,
  chunks: AsyncIterable<Uint8Array>,
  visit: Visit,
  signal: AbortSignal,
): Promise<void> {
  // The first byte may be long in coming; that there will be one is told now.
  // (Not flushHeaders, which would write the head as UTF-8 and not as the bytes that came.)
  response.write(NO_BYTES)
  for await (const chunk of chunks) await write(response, chunk, visit, signal)
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

/** Settles when the connection takes more; a viewer who takes nothing is let go by the door's stall timeout. */
async function write(
  response: ServerResponse,
  chunk: Uint8Array,
  visit: Visit,
  signal: AbortSignal,
): Promise<void> {
  visit.bytes += chunk.byteLength
  if (response.write(chunk)) return
  await new Promise<void>((resolve, reject) => {
    const leave = (): void => reject(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    response.once('drain', () => {
      signal.removeEventListener('abort', leave)
      resolve()
    })
    if (signal.aborted) leave()
  })
}
