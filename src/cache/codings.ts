/** Texts of streams in the content coding that a viewer takes: compressed once a coding, however many ask. */
import { promisify } from 'node:util'
import { brotliCompress, brotliCompressSync, constants, gzip, gzipSync } from 'node:zlib'
import { responseDirectives } from '../rfc/cache-control.ts'
import { omitFields } from '../rfc/connection.ts'
import { simpleList } from '../rfc/grammar.ts'
import { type Fields, fieldValue, type RequestHead } from '../rfc/heads.ts'
import { normalisedEncoding } from '../rfc/vary.ts'
import { GrowingBody } from '../store/growing-body.ts'
import type { Body, StoredHead, StoredResponse } from '../store/store.ts'
import { WholeBody } from '../store/whole-body.ts'

export type Coding = 'br' | 'gzip'

/** What compresses well; media does not. */
const TEXTS: ReadonlySet<string> = new Set(['hls-playlist', 'dash-mpd', 'dash-patch', 'text'])
/** Less is one packet anyway. */
const MIN_BYTES = 1024
/** Up to here it takes less than a millisecond, and nobody has to wait in another turn. */
const MAX_AT_ONCE_BYTES = 64 * 1024
/** More is sent as it is: 16 MiB take a second of processor time. */
const MAX_BYTES = 4 * 1024 * 1024
/** Quality 4 takes as long as gzip does, and makes less of it. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }

/** What speaks of the bytes that are compressed here, and not of those that come of it (RFC 9530 section 2). */
const OF_OTHER_BYTES: ReadonlySet<string> = new Set([
  'content-digest',
  'content-length',
  'content-md5',
  'digest',
  'repr-digest',
])

/** Whether a text with these fields and so many bytes is sent in codings made here; undefined: it may have any length yet. */
export function isCoded(kind: string, fields: Fields, bytes: number | undefined): boolean {
  return (
    TEXTS.has(kind) &&
    (bytes === undefined || (bytes >= MIN_BYTES && bytes <= MAX_BYTES)) &&
    fields['content-encoding'] === undefined &&
    !responseDirectives(fields).directives.noTransform
  )
}

/** The fields of such a text: whoever keeps it on the way must know that it has several codings (RFC 9110 section 12.5.5). */
export function withVary(fields: Fields): Fields {
  const names = simpleList(fieldValue(fields, 'vary'))
  if (names.some((name) => name === '*' || name.toLowerCase() === 'accept-encoding')) return fields
  return { ...fields, vary: [...names, 'accept-encoding'].join(', ') }
}

/** What was compressed lives as long as the head it was made of. */
export class Codings {
  readonly #made = new WeakMap<StoredHead, Map<Coding, StoredResponse>>()
  readonly #making = new WeakMap<StoredHead, Map<Coding, Promise<StoredResponse>>>()

  /**
   * The response as this request takes it: itself, or compressed. Undefined: it has to be compressed first, and that
   * takes too long to be done at once; ask `coded`.
   */
  atOnce(stored: StoredResponse, request: RequestHead): StoredResponse | undefined {
    const coding = codingFor(stored, request)
    if (coding === undefined) return stored
    const made = this.#made.get(stored.head)?.get(coding)
    if (made !== undefined) return made
    const bytes = bytesOf(stored)
    if (bytes === undefined || bytes.byteLength > MAX_AT_ONCE_BYTES) return undefined
    return this.#keep(stored.head, coding, compressedAtOnce(bytes, coding))
  }

  /** The same; rejects when the body cannot be read. */
  async coded(stored: StoredResponse, request: RequestHead): Promise<StoredResponse> {
    const coding = codingFor(stored, request)
    if (coding === undefined) return stored
    const made = this.#made.get(stored.head)?.get(coding)
    if (made !== undefined) return made
    const making = this.#making.get(stored.head) ?? new Map<Coding, Promise<StoredResponse>>()
    this.#making.set(stored.head, making)
    const begun = making.get(coding) ?? this.#make(stored, coding).finally(() => making.delete(coding))
    making.set(coding, begun)
    return begun
  }

  async #make(stored: StoredResponse, coding: Coding): Promise<StoredResponse> {
    const bytes = bytesOf(stored) ?? Buffer.concat(await Array.fromAsync(stored.body.read()))
    return this.#keep(stored.head, coding, await compressed(bytes, coding))
  }

  #keep(head: StoredHead, coding: Coding, bytes: Uint8Array): StoredResponse {
    const { etag } = head.fields
    const fields = {
      ...omitFields(head.fields, OF_OTHER_BYTES),
      'content-encoding': coding,
      // Other bytes have another strong validator (RFC 9110 section 8.8.3.3).
      ...(typeof etag === 'string' ? { etag: etag.replace(/"$/, `-${coding}"`) } : {}),
    }
    const response = { head: { ...head, fields }, body: new WholeBody([bytes]) }
    const made = this.#made.get(head) ?? new Map<Coding, StoredResponse>()
    this.#made.set(head, made.set(coding, response))
    return response
  }
}

function codingFor({ head, body }: StoredResponse, { fields }: RequestHead): Coding | undefined {
  if (!TEXTS.has(head.kind) || head.status !== 200 || fields['accept-encoding'] === undefined)
    return undefined
  // Players count the bytes of the text when they ask for a part of it.
  if (fields['range'] !== undefined) return undefined
  // One that still comes is sent as it comes.
  if (body.size === undefined || isGrowing(body) || !isCoded(head.kind, head.fields, body.size))
    return undefined
  const accepted = normalisedEncoding(fieldValue(fields, 'accept-encoding'))
  return accepted.startsWith('br') ? 'br' : accepted === 'gzip' ? 'gzip' : undefined
}

function isGrowing(body: Body): boolean {
  return body instanceof GrowingBody && body.chunks === undefined && body.received !== body.size
}

function bytesOf({ body }: StoredResponse): Uint8Array | undefined {
  const [only, ...others] = body.chunks ?? []
  if (only === undefined) return undefined
  return others.length === 0 ? only : Buffer.concat([only, ...others])
}

function compressedAtOnce(bytes: Uint8Array, coding: Coding): Uint8Array {
  return coding === 'br' ? brotliCompressSync(bytes, BROTLI) : gzipSync(bytes)
}

async function compressed(bytes: Uint8Array, coding: Coding): Promise<Uint8Array> {
  return coding === 'br' ? await promisify(brotliCompress)(bytes, BROTLI) : await promisify(gzip)(bytes)
}
