/** Bytes on their way from upstream: into the store, and past everyone who reads along. */
import { GrowingBody, WINDOW_BYTES } from '../store/growing-body.ts'
import type { Body, Store, StoredHead, StoredResponse, StoreWriter } from '../store/store.ts'
import { WholeBody } from '../store/whole-body.ts'
import type { CacheContext, Order } from './journey.ts'

/** How much a store is given at once. */
const PIECE_BYTES = 1024 * 1024

/** A fill that nobody reads goes on when no more than this is missing, or half of it has come. */
const WORTH_FINISHING_BYTES = 1024 * 1024
/** How long nobody may read before that question is asked: a player that seeks comes back. */
const UNREAD_GRACE_MS = 1000
/** Whatever it is worth, a fill that nobody reads is given up when it is slower than this over such a time: it holds a place at the origin. */
const SLOWEST_BYTES_A_SECOND = 32 * 1024
const UNREAD_PATIENCE_MS = 30_000
/** A reader who takes nothing for so long while a body that nobody keeps waits for it is dropped. */
const READER_STALL_MS = 10_000

/** What is passed on, and whether a store keeps it. */
export interface Kept {
  readonly stored: StoredResponse
  readonly kept: boolean
}

/** What flows. */
export interface Flow {
  readonly target: string
  /** Whether somebody wants it who does not read it. Undefined: it is short, and finished though nobody reads it. */
  readonly isWanted?: Order['isWanted']
}

/** Stores a body that is whole already. */
export async function keep(store: Store, head: StoredHead, bytes: Uint8Array): Promise<Kept> {
  // What is a piece of something larger would keep all of that alive.
  const own = bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
  const pieces: Uint8Array[] = []
  for (let at = 0; at < own.byteLength; at += PIECE_BYTES) pieces.push(own.subarray(at, at + PIECE_BYTES))
  const body = new WholeBody(pieces)
  const writer = await store.open(head, bytes.byteLength)
  for (const piece of pieces) await writer?.write(piece)
  const stored = await writer?.commit()
  return { stored: stored ?? { head, body }, kept: stored !== undefined }
}

/** Stores what was a copy of what another node keeps, as this node's own. */
export async function own(store: Store, { copy: _, ...head }: StoredHead, body: Body): Promise<Kept> {
  const { chunks, size } = body
  const writer = chunks === undefined ? undefined : await store.open(head, size)
  for (const chunk of chunks ?? []) await writer?.write(chunk)
  const stored = await writer?.commit()
  return { stored: stored ?? { head, body }, kept: stored !== undefined }
}

/**
 * Lets a body flow, of `size` bytes as far as that is known; answers as soon as it can be read. Undefined when no store
 * takes it and it may be larger than what is passed on from memory alone: then it is for one viewer, who sets its pace.
 */
export async function flow(
  context: CacheContext,
  order: Flow,
  head: StoredHead,
  size: number | undefined,
  bytes: AsyncIterable<Uint8Array>,
  land: () => void,
): Promise<Kept | undefined> {
  const writer = await context.store.open(head, size)
  if (writer === undefined && (size === undefined || size > WINDOW_BYTES)) return undefined
  const body = new GrowingBody(size, head.copy === 'passing')
  if (writer === undefined) body.release(undefined)
  void pump(context, order, bytes, body, writer).finally(land)
  return { stored: { head, body }, kept: writer !== undefined && head.copy !== 'passing' }
}

/** Never rejects: what goes wrong reaches the readers through the body. */
async function pump(
  context: CacheContext,
  order: Flow,
  bytes: AsyncIterable<Uint8Array>,
  body: GrowingBody,
  writer: StoreWriter | undefined,
): Promise<void> {
  let unreadSince = context.clock()
  let unreadFrom = 0
  let isReleased = writer === undefined
  try {
    for await (const chunk of bytes) {
      for (const piece of body.append(chunk)) {
        const pressure = writer?.write(piece)
        // While memory holds the body nothing has to wait for the disk.
        if (pressure !== undefined && writer?.held !== 'memory') await pressure
      }
      if (!isReleased && writer !== undefined && writer.held !== 'memory') {
        isReleased = true
        body.release(writer.held === 'disk' ? (range) => writer.readBack(range) : undefined)
      }
      await body.room(READER_STALL_MS)
      const now = context.clock()
      // What nobody keeps is of use to those alone who read it.
      const isKept = writer !== undefined && writer.held !== 'nowhere'
      if (body.readers > 0 || (isKept && order.isWanted?.() === true)) {
        unreadSince = now
        unreadFrom = body.received
      } else if (isGivenUp(order, body, now - unreadSince, body.received - unreadFrom)) {
        throw new Unread('nobody reads it any more')
      }
    }
    body.finish()
    const stored = await writer?.commit()
    if (stored === undefined) return
    if (isReleased) body.release((range) => readAll(stored, range))
    else body.handOver(stored.body)
  } catch (error) {
    const cause = error instanceof Error ? error : new Error(String(error))
    body.fail(cause)
    if (!(cause instanceof Unread)) context.onTrouble('a fill broke off', cause, order.target)
    await writer?.abort(cause)
  }
}

/** The fill was given up because it would have been for nobody: a decision and no trouble. */
class Unread extends Error {}

/** `bytes` came in the `unreadMs` since somebody read it last. */
function isGivenUp(order: Flow, body: GrowingBody, unreadMs: number, bytes: number): boolean {
  if (unreadMs > UNREAD_PATIENCE_MS && bytes * 1000 < SLOWEST_BYTES_A_SECOND * unreadMs) return true
  return order.isWanted !== undefined && unreadMs > UNREAD_GRACE_MS && !isWorthFinishing(body)
}

function isWorthFinishing(body: GrowingBody): boolean {
  if (body.size === undefined) return body.received < WORTH_FINISHING_BYTES
  return body.size - body.received <= WORTH_FINISHING_BYTES || body.received >= body.size / 2
}

async function readAll(stored: StoredResponse, range: { first: number; last: number }): Promise<Uint8Array> {
  return Buffer.concat(await Array.fromAsync(stored.body.read(range)))
}
