/** Bytes of bodies on their way to a viewer: from memory in one write, all else at the viewer's pace. */
import type { ServerResponse } from 'node:http'
import type { ByteRange } from '../rfc/range.ts'
import { AT_ONCE_BYTES, cut, lengthOfAll } from '../store/chunks.ts'
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

/** A connection on which nothing moves is let go; while upstream is waited for, nothing can. */
export function letGoWhenStalled(response: ServerResponse): void {
  if (response.listenerCount('timeout') > 0) return
  response.on('timeout', () => {
    if (response.writableLength > 0) response.destroy()
  })
}

/** Aborted when the viewer leaves before he has all of it, or has said all he had to say. */
export function leaving(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  if (response.destroyed) controller.abort(LEFT)
  response.once('close', () => {
    // Most viewers have it all, and then there is nothing to give up.
    if (!response.writableFinished || !response.req.complete) controller.abort(LEFT)
  })
  return controller.signal
}

/**
 * Sends `range` of a body, or all of it, behind a head that is written already. Done at once when it lies in memory and
 * is not long, else settles when it was handed over; rejects when it cannot be whole.
 */
export function deliver(
  response: ServerResponse,
  body: Body,
  range: ByteRange | undefined,
  visit: Visit,
  signal: AbortSignal | undefined,
): void | Promise<void> {
  const { chunks } = body
  const wanted = chunks === undefined ? body.held?.(range) : cut(chunks, range)
  const bytes = wanted === undefined ? undefined : lengthOfAll(wanted)
  if (wanted !== undefined && bytes !== undefined && bytes <= AT_ONCE_BYTES) {
    visit.bytes += bytes
    deliverChunks(response, wanted, body)
    return
  }
  const until = signal ?? leaving(response)
  const pieces = body.read(range, until, () => breakOff(response))
  return wanted === undefined
    ? deliverFlowing(response, pieces, visit, until)
    : pour(response, pieces, visit, until)
}

/** Sends what comes as it comes, and never more than the viewer takes. */
export async function deliverFlowing(
  response: ServerResponse,
  coming: AsyncIterable<Uint8Array>,
  visit: Visit,
  signal: AbortSignal,
): Promise<void> {
  // The first byte may be long in coming; that there will be one is told now.
  // (Not flushHeaders, which would write the head as UTF-8 and not as the bytes that came.)
  response.write(NO_BYTES)
  await pour(response, coming, visit, signal)
}

/** A viewer who takes nothing is let go by the door's stall timeout. Rejects with the signal's reason when he leaves. */
async function pour(
  response: ServerResponse,
  chunks: AsyncIterable<Uint8Array>,
  visit: Visit,
  signal: AbortSignal,
): Promise<void> {
  let goOn: (() => void) | undefined
  const onChange = (): void => goOn?.()
  response.on('drain', onChange)
  signal.addEventListener('abort', onChange, { once: true })
  for await (const chunk of chunks) {
    visit.bytes += chunk.byteLength
    const takesMore = response.write(chunk)
    // Node holds back what is written until the turn ends. A thousand viewers may wait for these bytes in one turn, and
    // the first would get them when they have been written for the last.
    response.socket?.uncork()
    if (takesMore) continue
    if (!signal.aborted) {
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
    }
    signal.throwIfAborted()
  }
  response.end()
}

/** One system call for the head and all chunks, which are those of `body`, or some of them. */
export function deliverChunks(response: ServerResponse, chunks: readonly Uint8Array[], body: Body): void {
  if (chunks.length > 1) {
    response.cork()
    for (let index = 0; index < chunks.length - 1; index++) response.write(chunks[index])
  }
  response.end(chunks.at(-1))
  // Nearly always the system has taken all of it by now, and nothing of it is held for this viewer.
  if (response.writableLength > 0) borrow(response, body)
}

/** Has the bytes of `body` counted as lent until the last one has left, or nobody is there to take it. */
function borrow(response: ServerResponse, body: Body): void {
  const { socket } = response.req
  const giveBack = body.lend?.(() => socket.resetAndDestroy())
  if (giveBack === undefined) return
  response.once('close', giveBack)
  // An answer that waits behind another one of its connection does not hear when that ends.
  if (response.socket !== null) return
  socket.setMaxListeners(0).once('close', giveBack)
  response.once('close', () => socket.off('close', giveBack))
}
