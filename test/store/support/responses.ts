/** Responses for stores: heads, and bytes that can be derived again from a name. */
import assert from 'node:assert/strict'
import { createCipheriv, hash } from 'node:crypto'
import type { Fields, RequestHead } from '../../../src/rfc/heads.ts'
import type { ByteRange } from '../../../src/rfc/range.ts'
import type { PlaceStats, Store, StoredHead, StoredResponse } from '../../../src/store/store.ts'

const FRESHNESS = {
  bornAt: 1_000,
  freshUntil: 61_000,
  staleWhileRevalidateUntil: 61_000,
  staleIfErrorUntil: 61_000,
  mustValidate: false,
  immutable: false,
  explicit: true,
}

export function headOf(key: string, differing: Partial<StoredHead> = {}): StoredHead {
  return {
    key,
    status: 200,
    fields: { 'content-type': 'video/mp4', etag: '"1"', 'x-lines': ['a', 'ü'] },
    variant: {},
    freshness: FRESHNESS,
    silent: { freshMs: 1_000, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 },
    kind: 'segment',
    admission: 'always',
    storedAt: 1_000,
    ...differing,
  }
}

export function requestOf(fields: Fields = {}): RequestHead {
  return { method: 'GET', target: '/', fields }
}

/** Bytes that look random and are the same for the same name. */
export function bytesOf(name: string, length: number): Buffer {
  const key = hash('sha256', name, 'buffer')
  return createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16)).update(Buffer.alloc(length))
}

/** Writes `bytes` in pieces that do not share a buffer, as a socket would hand them in, and commits. */
export async function put(
  store: Store,
  head: StoredHead,
  bytes: Uint8Array,
  pieceBytes = 65_536,
): Promise<StoredResponse | undefined> {
  const writer = await store.open(head, bytes.byteLength)
  for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
    await writer?.write(Uint8Array.from(bytes.subarray(at, at + pieceBytes)))
  }
  return await writer?.commit()
}

export async function read(
  stored: StoredResponse | undefined,
  range?: ByteRange,
  signal?: AbortSignal,
): Promise<Buffer> {
  assert.ok(stored !== undefined, 'nothing was stored')
  return Buffer.concat(await Array.fromAsync(stored.body.read(range, signal)))
}

/** What the store answers for a key, as bytes; undefined when nothing. */
export async function bytesIn(store: Store, key: string, fields: Fields = {}): Promise<Buffer | undefined> {
  const stored = await store.get(key, requestOf(fields))
  return stored === undefined ? undefined : await read(stored)
}

/** Memory and disk, where the store has them. */
export function placesOf(store: Store): PlaceStats[] {
  const { memory, disk } = store.stats()
  return [memory, disk].filter((place) => place.maxBytes > 0)
}
