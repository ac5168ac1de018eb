/** A manifest is taken whole before anyone sees it (HLS section 6.2.1), and its addresses are led to us. */
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate } from 'node:zlib'
import { RelaisError } from '../errors.ts'
import { isBad, type ManifestFacts } from '../media/facts.ts'
import type { DocumentKind } from '../media/kind.ts'
import { responseDirectives } from '../rfc/cache-control.ts'
import { omitFields } from '../rfc/connection.ts'
import { simpleList } from '../rfc/grammar.ts'
import { type Fields, fieldValue } from '../rfc/heads.ts'
import type { UpstreamResponse } from '../upstream/source.ts'
import type { ManifestReader } from './reading/manifest-reader.ts'

/** A day of two-second segments is 5 MiB of playlist; more is no manifest. */
export const MAX_MANIFEST_BYTES = 16 * 1024 * 1024
/** More is put together as it comes. */
const LONG_BYTES = 1024 * 1024
/** An asset list of a thousand advertisements is 200 KiB. */
const MAX_JSON_BYTES = 1024 * 1024
const LONGEST_BYTES: Readonly<Record<DocumentKind, number>> = {
  'hls-playlist': MAX_MANIFEST_BYTES,
  'dash-mpd': MAX_MANIFEST_BYTES,
  'dash-patch': MAX_MANIFEST_BYTES,
  'dash-fragment': MAX_MANIFEST_BYTES,
  steering: MAX_JSON_BYTES,
  'asset-list': MAX_JSON_BYTES,
}

/** What speaks of the bytes as the origin sent them. */
export const OF_THE_BYTES: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-encoding',
  'content-length',
  'content-md5',
  'digest',
  'etag',
  'repr-digest',
  'transfer-encoding',
  'vary',
])

/** A manifest, or another document with addresses in it, taken whole. */
export interface Collected {
  /** Of a manifest that is only a part of one another than was asked for. */
  readonly kind: DocumentKind
  readonly bytes: Uint8Array
  /** Undefined: it tells of no stream. */
  readonly facts: ManifestFacts | undefined
  /** The response as it goes on: its body in memory, and its head that of this body. */
  readonly response: UpstreamResponse
  /** What the origin calls it by, where the bytes are others than the origin's; undefined: they are not. */
  readonly validators: Fields | undefined
}

/**
 * `target` is what viewers ask us for. Rejects with BAD_MANIFEST when what came is none, or has no end, with
 * MANIFEST_UNREAD when it could not be read in time, and with what broke the body off.
 */
export async function collect(
  manifests: ManifestReader,
  response: UpstreamResponse,
  kind: DocumentKind,
  target: string,
): Promise<Collected> {
  const longest = LONGEST_BYTES[kind]
  const sent = await gathered(response, longest)
  const plain = await decodedOf(response, sent, longest)
  // RFC 9110 section 7.7: what is not to be transformed keeps even its content coding.
  const isOurs = !responseDirectives(response.head.fields).directives.noTransform
  const isDecoded = plain !== sent
  const edition = await manifests.edit({ kind, bytes: plain, fetched: response.url, asked: target, isOurs })
  if (isBad(edition)) throw bad(response, edition.bad)
  const { facts } = edition
  if (!isOurs || !(edition.isChanged || isDecoded)) {
    const bytes = isDecoded ? sent : edition.bytes
    return {
      kind: edition.kind,
      bytes,
      facts,
      response: { ...response, body: once(bytes) },
      validators: undefined,
    }
  }
  const { bytes, etag } = edition
  const { fields } = response.head
  const head = { ...response.head, fields: fieldsOf(fields, bytes, etag) }
  const validators = { etag: fields['etag'], 'last-modified': fields['last-modified'] }
  return { kind: edition.kind, bytes, facts, response: { ...response, head, body: once(bytes) }, validators }
}

/** All of it, in a buffer of its own where it is long. Rejects with BAD_MANIFEST for more than `longest` bytes. */
async function gathered(response: UpstreamResponse, longest: number): Promise<Buffer> {
  const declared = Number(fieldValue(response.head.fields, 'content-length') ?? 0)
  // To put 16 MiB together at the end would take longer than a turn may.
  const isLong = declared > LONG_BYTES && declared <= longest
  const whole = isLong ? Buffer.allocUnsafeSlow(declared) : undefined
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body) {
    const most = whole?.byteLength ?? longest
    if (size + chunk.byteLength > most) throw bad(response, `expected at most ${most} bytes, came more`)
    if (whole === undefined) chunks.push(chunk)
    else whole.set(chunk, size)
    size += chunk.byteLength
  }
  return whole === undefined ? Buffer.concat(chunks, size) : whole.subarray(0, size)
}

/** The fields of a body that we have made: a strong validator of its own, and no dependence on a coding it no longer has. */
function fieldsOf(fields: Fields, bytes: Uint8Array, etag: string): Fields {
  const vary = simpleList(fieldValue(fields, 'vary')).filter(
    (name) => name.toLowerCase() !== 'accept-encoding',
  )
  return {
    ...omitFields(fields, OF_THE_BYTES),
    ...(vary.length === 0 ? {} : { vary: vary.join(', ') }),
    etag,
    'content-length': String(bytes.byteLength),
  }
}

/** Rejects with BAD_MANIFEST for a coding that is none. */
async function decodedOf(
  response: UpstreamResponse,
  bytes: Uint8Array,
  longest: number,
): Promise<Uint8Array> {
  try {
    return await decoded(response.head.fields, bytes, longest)
  } catch (error) {
    throw bad(response, error instanceof Error ? error.message : String(error))
  }
}

/**
 * A manifest's bytes as they were before content coding. Rejects with an Error that says what they are not, also for more than
 * `longest` bytes.
 */
export async function decoded(fields: Fields, bytes: Uint8Array, longest: number): Promise<Uint8Array> {
  const coding = fieldValue(fields, 'content-encoding')?.trim().toLowerCase()
  // The bound also holds for what a few bytes can be blown up to.
  const options = { maxOutputLength: longest }
  try {
    switch (coding) {
      case undefined:
      case '':
      case 'identity':
        return bytes
      case 'gzip':
      case 'x-gzip':
        return await promisify<Uint8Array, typeof options, Buffer>(gunzip)(bytes, options)
      case 'deflate':
        return await promisify<Uint8Array, typeof options, Buffer>(inflate)(bytes, options)
      case 'br':
        return await promisify<Uint8Array, typeof options, Buffer>(brotliDecompress)(bytes, options)
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
      throw new Error(`expected at most ${longest} bytes, came more in ${coding}`)
    throw new Error(`not ${coding}: ${error instanceof Error ? error.message : String(error)}`)
  }
  throw new Error(`an unknown content coding: ${coding}`)
}

function bad({ from, head }: UpstreamResponse, details: string): RelaisError {
  return new RelaisError('BAD_MANIFEST', { details, nextHop: from, receivedStatus: head.status })
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
